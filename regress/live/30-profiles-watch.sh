#!/bin/sh
# Goal: a profile is noticed by itself also where it was none at first sight:
# made by root and handed over, closed and then opened, its marker something
# else before it is a file; what could not be looked at has not gone; a time
# that is yet to come does not outvote the operator for ever.
. "${0%/*}/../lib.sh"

make_users
make_certs
. "$HERE/profiles.sh"
C_SERVICE=optional
C_HEALTH='health none'

C_SERVICES="service \"gw\" {
		user \"_updagent\"
		home \"$H\"
		profiles \"$P\" marker \"SOUL.md\"
		command { \"sleep\" \"1000\" }
		optional
		stop TERM within 2s
	}"
for p in closed link dir future; do
	profile $p '{"gw_state":"running"}'
done
as_user chmod 0 "$P/closed"
as_user rm "$P/link/SOUL.md" "$P/dir/SOUL.md"
as_user ln -s ../future/SOUL.md "$P/link/SOUL.md"
as_user mkdir "$P/dir/SOUL.md"
# Nothing of ours can be written there.
echo '{"gw_state":"running","desired_state":"running",
"timestamp":4102444800}' >"$P/future/gw_state.json"
chown -R root "$P/future"
write_conf
start_updaterd
mk_release one
is "$(push one)" 200 "a push"
is_state() {
	[ "$(service state "gw-$1")" = "$2" ]
}
t "what is one runs" wait_for 10 is_state future up
is "$(ctl -j profiles | jq -r '.profiles | map(.profile) | sort |
    join(" ")')" "default future" "and nothing else does"

as_user chmod 755 "$P/closed"
t "one that was opened is noticed" wait_for 20 is_state closed up
as_user rm "$P/link/SOUL.md"
as_user touch "$P/link/SOUL.md"
t "one whose marker was a link is" wait_for 20 is_state link up
as_user rmdir "$P/dir/SOUL.md"
as_user touch "$P/dir/SOUL.md"
t "one whose marker was a directory is" wait_for 20 is_state dir up
mkdir -m 0700 "$P/given"
echo '{"gw_state":"running"}' >"$P/given/gw_state.json"
: >"$P/given/SOUL.md"
t "a pass meets it" ctl reconcile
chown -R _updagent "$P/given"
t "one that root made and gave is" wait_for 20 is_state given up

# --- a time that is yet to come ---------------------------------------

t "stop" ctl stop gw-future
like "$(ctl reconcile | grep profile=future)" 'action=registered' \
    "the operator is not outvoted"
is "$(service state gw-future)" down "it stays down"

# --- more names than are looked at ------------------------------------

pid=$(service pid gw-dir)
as_user perl -e 'chdir $ARGV[0] or die; for (1 .. 65600) {
	open my $f, ">", "0junk$_" or die; close $f }' "$P" </dev/null
ctl reconcile >"$T/lines"
t "too many names are told" grep -q 'action=failed .*too many' "$T/lines"
unlike "$(cat "$T/lines")" 'action=removed' "and nobody has gone by that"
is "$(service pid gw-dir)" "$pid" "what ran goes on"
t "what is recorded stays" test -e "$T/state/services/gw-dir.json"
as_user rm -rf "$P/link"
as_user find "$P" -name '0junk*' -delete
few() {
	ctl reconcile | grep -q "too many" && return 1
	! is_state link up
}
t "when they are gone all is seen again" wait_for 20 few
is "$(service pid gw-dir)" "$pid" "and goes on"
finish
