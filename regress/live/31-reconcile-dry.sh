#!/bin/sh
# Goal: a dry run says what the pass would do, and its exit code whether that
# is anything: slots that are missing or would be written anew, a service
# that has another supervisor now, a name that two have, an update whose
# verdict is open.
. "${0%/*}/../lib.sh"

[ "$UPD_NAMESPACE" = own ] || skip_all "needs a mount name space"
make_users
make_certs
. "$HERE/profiles.sh"
SCAN=$T/scan
mkdir -p "$P/a-b" "$P/down" "$H/p2/b" "$SCAN"
touch "$P/a-b/SOUL.md" "$P/down/SOUL.md" "$H/p2/b/SOUL.md"
chown -R _updagent "$H"

conf() {	# supervisor of x, seconds
	C_SERVICES="service \"gw\" {
		user \"_updagent\"
		home \"$H\"
		profiles \"$P\" marker \"SOUL.md\"
		command { \"sleep\" \"1000\" }
		supervise s6 \"$SCAN\" owner \"_updagent\"
		stop TERM within ${2}s
		optional
	}
	service \"gw-a\" {
		user \"_updagent\"
		home \"$H/p2\"
		profiles \"$H/p2\" marker \"SOUL.md\"
		command { \"sleep\" \"1000\" }
		optional
	}
	service \"x\" {
		user \"_updagent\"
		command { \"sleep\" \"1000\" }
		supervise $1
		optional
	}"
	write_conf
}
s6="s6 \"$SCAN\" owner \"_updagent\""

once() {	# option: lines to $T/once, exit code
	"$UPDATERD" "$1" -f "$T/conf" >"$T/once" 2>"$T/once.err"
	echo $?
}
# Without what differs from one pass to the next, or by what changed.
lines() {	# file
	sed 's/^[^ ]* //; s/prior_[a-z]*=[^ ]* //g; s/boot=[^ ]* //' "$1"
}
dry_is_true() {	# what
	before=$(find "$SCAN" "$H" "$T/state" /run | sort | xargs ls -ld --time-style=full-iso | sha256sum)
	is "$(once -Rn)" 3 "$1: something would change"
	is "$(find "$SCAN" "$H" "$T/state" /run | sort | xargs ls -ld \
	    --time-style=full-iso | sha256sum)" "$before" \
	    "$1: and is not"
	lines "$T/once" >"$T/dry"
	is "$(once -R)" 0 "$1: the pass"
	is "$(lines "$T/once")" "$(cat "$T/dry")" "$1: the lines are its"
	is "$(once -Rn)" 0 "$1: then nothing would change"
	is "$(lines "$T/once" | grep -v action=removed)" "$(grep -v \
	    action=removed "$T/dry")" "$1: by the same lines"
}

conf "$s6" 2
mkdir -p "$T/state" "$T/agent"
chmod 0700 "$T/state"
dry_is_true "the first"
t "a name that two have is told" grep -q \
    'action=skipped .*service=gw-a .*name of another' "$T/once"
rm -rf "$SCAN/gw-down"
dry_is_true "a slot of a stopped one is missing"
t "it is back" test -d "$SCAN/gw-down"
conf "$s6" 4
dry_is_true "slots would be written anew"
conf native 4
dry_is_true "another supervisor"
t "its slot is gone" test ! -e "$SCAN/x"

# --- of the daemon ----------------------------------------------------

conf native 4
start_updaterd
dry() {
	ctl reconcile -n >"$T/once"
}
t "of the daemon: nothing would change" wait_for 10 dry
t "a name that two have is told" grep -q \
    'action=skipped .*service=gw-a .*name of another' "$T/once"
rm -rf "$SCAN/gw-down"
dry
is "$?" 3 "a slot of a stopped one is missing: it would be made"
t "and is not" test ! -e "$SCAN/gw-down"
t "the pass" ctl reconcile
t "makes it" test -d "$SCAN/gw-down"
t "then nothing would change" dry

# --- a verdict is open ------------------------------------------------

mk_release bad never-answer
C_HEALTH=$(https_health 20s)
conf native 4
t "reload" ctl reload
t "its pass" ctl reconcile
push bad >/dev/null 2>&1 &
pusher=$!
is_open() {
	[ "$(status .update.state)" = probing ]
}
t "an update is probed" wait_for 10 is_open
pids=$(status '.agents[].services[].pid | select(. > 1)')
kill9 "$UPID"
wait "$UPID" $pusher 2>/dev/null
UPID=
for p in $pids; do
	ours "$p" && kill9 "$p"
	t "$p has ended" wait_for 10 gone "$p"
done
once -Rn >/dev/null
lines "$T/once" >"$T/dry"
once -R >/dev/null
is "$(lines "$T/once")" "$(cat "$T/dry")" \
    "an open verdict: the lines are those of the pass"
like "$(grep service=agent "$T/once")" 'verdict of an update open' \
    "and say so"
finish
