#!/bin/sh
# Goal: a service with profiles has an instance for each; profiles that
# come and go are noticed by themselves; a command is for one instance, and
# its wish stands in the profile's own file; an update restarts those that
# are wanted up, and no other; what a hostile user puts in the way of root
# is not followed.
. "${0%/*}/../lib.sh"

make_users
make_certs
. "$HERE/profiles.sh"

C_SERVICES="service \"gw\" {
		user \"_updagent\"
		home \"$H\"
		profiles \"$P\" marker \"SOUL.md\"
		runtime files { \"gw.pid\" }
		reconcile log \"$H/logs/boot.log\"
		command { \"sh\" \"-c\" \"echo up %p %h \$PROFILE; echo \$\$ >gw.pid; exec sleep 1000\" }
		environment { \"PROFILE=%p\" }
		directory \"%h\"
		log \"$T/out-%p.log\" size 64K keep 1
		stop TERM within 2s
	}
	service \"off\" {
		user \"_updagent\"
		command { \"sleep\" \"1000\" }
		enabled if env \"SOME_GATEWAY\"
	}"
profile coder '{"gw_state":"draining","x":[1,2]}'
write_conf
start_updaterd
mk_release one
is "$(push one)" 200 "a push, with profiles"
state() {	# name: state/wanted
	ctl -j profiles | jq -r ".profiles[] | select(.name == \"gw-$1\") |
	    .state + \"/\" + .wanted"
}
is_state() {
	[ "$(state "$1")" = "$2" ]
}
file() {	# name key
	jq -r ".$2" "$P/$1/gw_state.json"
}
file_says() {
	[ "$(file "$1" "$2")" = "$3" ]
}
t "draining counts as running" wait_for 5 is_state coder up/running
t "default is there, and nobody wants it" is_state default down/stopped
t "%p, %h and the environment" wait_for 5 \
    grep -q "^up coder $P/coder coder$" "$T/out-coder.log"
t "the wish stands in its own file" wait_for 5 \
    file_says coder desired_state running
is "$(file coder 'x | length')" 2 "what else was in it stays"
is "$(stat -c %U "$P/coder/gw_state.json")" _updagent "the file is the user's"
is "$(service state off)/$(service enabled off)" down/false \
    "a service that is not enabled is there, and down"

# --- come and go ------------------------------------------------------

profile writer
t "a new profile is noticed" wait_for 5 is_state writer down/stopped
as_user mkdir "$P/late"
as_user touch "$P/late/SOUL.md"
t "one whose marker comes later is noticed" wait_for 5 is_state late \
    down/stopped
t "start by name" ctl start gw-writer
pid=$(service pid gw-writer)
t "it runs" alive "$pid"
t "and its file says so" wait_for 5 file_says writer desired_state running
as_user chmod 0600 "$P"
t "where no profile can be looked at" ctl reconcile
is "$(service pid gw-writer)" "$pid" "none has gone"
as_user chmod 0755 "$P"
t "and when they can" ctl reconcile
is "$(service pid gw-writer)" "$pid" "it still runs"
as_user rm "$P/writer/SOUL.md"
t "a profile without its marker is torn down" wait_for 8 gone "$pid"
is "$(state writer)" "" "and is no longer listed"
as_user rm -r "$P/late"
late_gone() {
	[ -z "$(state late)" ]
}
t "so is one that was removed" wait_for 8 late_gone
as_user touch "$P/writer/SOUL.md"
t "it comes back, wanted as its own file says" wait_for 8 \
    is_state writer up/running
as_user mv "$P" "$H/elsewhere"
t "a directory that goes away takes its profiles along" wait_for 8 \
    is_state writer ""
as_user mv "$H/elsewhere" "$P"
t "when it is back they are, too" wait_for 12 is_state writer up/running

# --- commands ---------------------------------------------------------

ctl start gw >"$T/refused" 2>&1
is "$?" 1 "the bare name of a service with profiles is refused"
t "and the instances are named" grep -q 'gw-coder' "$T/refused"
t "stop by name" ctl stop gw-coder
t "the wish is in its file" wait_for 5 file_says coder desired_state stopped
t "and its state" wait_for 5 file_says coder gw_state stopped
mk_release two
before=$(service pid gw-writer)
is "$(push two)" 200 "an update"
is_new() {
	[ "$(service pid gw-writer)" != "$before" ] &&
	    is_state writer up/running
}
t "restarts what is wanted up" wait_for 5 is_new
is "$(state coder)" down/stopped "and nothing else"

# --- other tools ------------------------------------------------------

echo "{\"gw_state\":\"stopped\",\"desired_state\":\"running\",\
\"timestamp\":$(($(date +%s) + 5))}" | as_user tee "$P/coder/gw_state.json" \
    >/dev/null
ctl reconcile -n >"$T/dry"
is "$?" 3 "a dry run says that something would change"
t "and what" grep -q 'profile=coder .*action=started.*as its own file wants' \
    "$T/dry"
is "$(state coder)" down/stopped "and does nothing"
t "reconcile" ctl reconcile
t "takes what a newer file wants" wait_for 5 is_state coder up/running
ctl reconcile -n >"$T/dry"
is "$?" 0 "then nothing would change"

# --- hostile ----------------------------------------------------------

echo secret >"$T/secret"
chmod 0600 "$T/secret"
ctl stop gw-coder >/dev/null
wait_for 5 file_says coder gw_state stopped
as_user rm "$P/coder/gw_state.json"
as_user ln -s "$T/secret" "$P/coder/gw_state.json"
as_user rm -f "$P/coder/gw.pid"
as_user ln -s "$T/secret" "$P/coder/gw.pid"
as_user rm "$H/logs/boot.log"
as_user ln -s "$T/secret" "$H/logs/boot.log"
as_user mkdir "$P/default" "$P/Un Fit
forged action=started"
as_user touch "$P/Un Fit
forged action=started/SOUL.md"
as_user ln -s coder "$P/linked"
ctl reconcile >"$T/lines"
t "links in the way of root are not followed" grep -qx secret "$T/secret"
is "$(stat -c %U%a "$T/secret")" root600 "nor is the target touched"
t "the user's own is swept" test ! -L "$P/coder/gw.pid"
t "reserved names are skipped, with a line" \
    grep -q 'action=skipped .*reason="reserved name: default"' "$T/lines"
t "so are unfit ones, and no line is forged" \
    grep -q 'action=skipped .*unfit name: Un%20Fit%0Aforged' "$T/lines"
t "so are symlinks" grep -q 'action=skipped .*symlink: linked' "$T/lines"
is "$(grep -c 'action=' "$T/lines")" "$(wc -l <"$T/lines")" \
    "every line is a line"

# A directory that is its user's by a further group only.
C_SERVICES="service \"shared\" {
		user \"_updagent\"
		groups { \"games\" \"root\" }
		home \"$T/shared\"
		profiles \"$T/shared/profiles\" marker \"SOUL.md\"
		reconcile log \"$T/shared/logs/of/boot.log\"
		command { \"sleep\" \"1000\" }
		optional
	}
	$C_SERVICES"
mkdir -p "$T/shared/profiles/one"
echo '{"shared_state":"running"}' >"$T/shared/profiles/one/shared_state.json"
: >"$T/shared/profiles/one/SOUL.md"
chgrp -R games "$T/shared"
cp -r "$T/shared/profiles/one" "$T/shared/profiles/two"
chmod -R 0770 "$T/shared"
chgrp -R root "$T/shared/profiles/two"
write_conf
t "reload" ctl reload
is_up() {
	[ "$(service state "$1")" = up ]
}
t "what a further group of the service's may see is seen" \
    wait_for 10 is_up shared-one
is "$(service state shared-two)" "" "what root's may is not"
t "and written" wait_for 10 grep -q 'profile=one .*action=started' \
    "$T/shared/logs/of/boot.log"

# Its processes may stop ours, which have its uid: for so long.
t "start" ctl start gw-coder
t "a profile process is confined" test "$(status \
    '.processes[] | select(.name == "profile") | .layers | index("uid")')" = 0
finish
