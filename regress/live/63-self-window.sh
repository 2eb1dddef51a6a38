#!/bin/sh
# Goal: while a new updaterd waits to be confirmed the metrics say for how
# long, and no reload takes its store away, for nobody would end its time
# then.  A restart may: it ends with the program that was installed.
. "${0%/*}/../lib.sh"
. "$HERE/self.sh"

SELF_WITHIN=60s
setup_self
start_self
mk_release r1
mk_self a "$UPDATERD"
m() {		# name: its value now; the text must be well-formed
	ctl metrics >"$T/m" && python3 "$HERE/promcheck.py" <"$T/m" &&
	    sed -n "s/^updaterd_$1 //p" "$T/m"
}
waits() {	# name: it has proved itself, and waits
	runs "$1" && [ "$(body .self.confirm)" != null ]
}
reload() {	# in one line
	ctl reload 2>&1 | tr -s '\n ' ' '
}
use() {		# configuration
	cp -p "$1" "$T/conf.new" && mv "$T/conf.new" "$T/conf"
}
is "$(m self_confirm_left_seconds) $(m \
    'confirm_left_seconds{agent="default"}')" "0 0" "nothing awaits anything"

# --- an agent's release
is "$(push r1 -F confirm=900)" 200 "a release that is to be confirmed"
like "$(m 'confirm_left_seconds{agent="default"}')" '^(900|[1-8][0-9]{2})$' \
    "for how long it waits"
is "$(m self_confirm_left_seconds)" 0 "that is none of updaterd"
is "$(api POST /confirm)" 200 "confirmed"
is "$(m 'confirm_left_seconds{agent="default"}')" 0 "it waits no more"

# --- one of updaterd itself
is "$(push_self a -F confirm=900)" 200 "a new updaterd, likewise"
t "it waits" wait_for 30 waits a
like "$(m self_confirm_left_seconds)" '^(900|[1-8][0-9]{2})$' "for how long"
is "$(m 'confirm_left_seconds{agent="default"}')" 0 "that is none of the agent"

id=$(status .self.id)
cp -p "$T/conf" "$T/conf.self"
grep -v '^self ' "$T/conf.self" > "$T/conf.none"
sed "s|^self .*|self { root \"$T/other\" within $SELF_WITHIN }|" \
    "$T/conf.self" > "$T/conf.other"
chmod 0600 "$T/conf.none" "$T/conf.other"
for c in none other; do
	use "$T/conf.$c"
	said=$(reload)
	like "$said" "release $id of updaterd awaits" "$c: refused"
	like "$said" 'updaterctl confirm self.*updaterctl rollback self' \
	    "$c: and what to do"
	t "it waits on" waits a
done
is "$([ -e "$T/other" ]; echo $?)" 1 "nothing was made"
sed 's/^permit read .*/permit read from subject "nobody"/' \
    "$T/conf.self" > "$T/conf.more"
chmod 0600 "$T/conf.more"
use "$T/conf.more"
is "$(reload | sed 's/ *$//')" reloaded "what else has changed is taken"
is "$(CERT=nobody api GET /releases)" 200 "into use"

# --- a restart is another thing
use "$T/conf.none"
stop_self
start_self
is "$(status .self) $(readlink "/proc/$(status .pid)/exe")" \
    "null $T/bin/updaterd" "without it what is installed serves"
stop_self
use "$T/conf.self"
start_self
t "with it the new one does, and still waits" wait_for 30 waits a
use "$T/conf.none"
t "it is confirmed" ctl confirm self
is "$(m self_confirm_left_seconds)" 0 "it waits no more"
use "$T/conf.other"
is "$(reload | sed 's/ *$//')" reloaded "now self can move"
t "to where it is empty" [ -d "$T/other/releases" ]
is "$(status .self.current) $(ctl -j releases self | jq '.releases | length')" \
    "null 0" "as status knows"
use "$T/conf.none"
is "$(reload | sed 's/ *$//')" reloaded "and go"
is "$(m 'self_.*')" "" "and the metrics of it"
stop_self
is "$(digest "$T/bin/updaterd")" "$base" "what is installed was not touched"
finish
