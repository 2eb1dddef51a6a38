#!/bin/sh
# Goal: profile b of service gw-a and profile a-b of service gw make the same
# name.  It stays with the one that had it, over a restart as well; when that
# one has gone the other gets it, and nothing of what was wanted of the first.
. "${0%/*}/../lib.sh"

make_users
make_certs
. "$HERE/profiles.sh"
mkdir -p "$H/p2/b"
: >"$H/p2/b/SOUL.md"
echo '{"gw-a_state":"running"}' >"$H/p2/b/gw-a_state.json"
chown -R _updagent "$H"
C_SERVICE=optional
C_HEALTH='health none'
C_SERVICES="service \"gw\" {
		user \"_updagent\"
		home \"$H\"
		profiles \"$P\" marker \"SOUL.md\"
		command { \"sleep\" \"1000\" }
		reconcile log \"$H/logs/of/boot.log\"
		optional
	}
	service \"gw-a\" {
		user \"_updagent\"
		home \"$H/p2\"
		profiles \"$H/p2\" marker \"SOUL.md\"
		command { \"sleep\" \"2000\" }
		optional
	}"
write_conf
start_updaterd
mk_release one
is "$(push one)" 200 "a push"
is_at() {	# service profile state
	[ "$(ctl -j profiles | jq -r '.profiles[] | select(.name ==
	    "gw-a-b") | [.service, .profile, .state] | join(" ")')" = "$*" ]
}
t "one has the name" wait_for 10 is_at gw-a b up
mkdir "$P/a-b"
echo '{"gw_state":"stopped","desired_state":"stopped"}' \
    >"$P/a-b/gw_state.json"
: >"$P/a-b/SOUL.md"
chown -R _updagent "$P/a-b"
like "$(ctl reconcile)" 'action=skipped .*service=gw .*name of another' \
    "another that comes is skipped"
stop_updaterd
"$UPDATERD" -Rn -f "$T/conf" >"$T/dry" 2>/dev/null
t "a dry run skips it" grep -q 'action=skipped .*service=gw ' "$T/dry"
t "and not the one that had it" grep -q \
    'profile=b .*action=registered .*service=gw-a ' "$T/dry"
start_updaterd
t "over a restart the name stays" wait_for 10 is_at gw-a b up
like "$(ctl reconcile)" 'action=skipped .*service=gw .*name of another' \
    "and the other is skipped"
is "$(jq -r .desired_state "$P/a-b/gw_state.json")" stopped \
    "its file is its own"
stop_updaterd
rm -rf "$H/p2/b"
start_updaterd
t "when it has gone the other has the name, wanted as its file says" \
    wait_for 10 is_at gw a-b down

# --- one that went while the daemon was away --------------------------

t "a line of it is written, in directories that are made" wait_for 10 \
    grep -q 'profile=a-b .*service=gw ' "$H/logs/of/boot.log"
stop_updaterd
rm -rf "$P/a-b"
: >"$H/logs/of/boot.log"
start_updaterd
t "its line has its names, and is in the log of its service" wait_for 10 \
    grep -q 'profile=a-b .*action=removed .*service=gw .*backend=native' \
    "$H/logs/of/boot.log"
finish
