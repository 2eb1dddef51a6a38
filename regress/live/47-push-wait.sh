#!/bin/sh
# A push that comes while updaterd still brings services back waits for the end
# of that; another one that comes meanwhile is told when to come again.
OWN_PIDS=yes
. "${0%/*}/../lib.sh"
. "$HERE/s6.sh"

waits() {	# how many have had to, so far
	[ "$(grep -c 'let the update by' "$T/log")" -ge "$1" ]
}

MOUNT=
profile a
s6_conf optional
start_svscan
start_updaterd -v
for n in 1 2 3; do
	s6_release r$n
done
is "$(push r1)" 200 "push"
t "it runs" wait_for 10 state_is gw-a up

# s6-svstat hangs at it, so the first pass takes its three seconds.
slow_start() {
	stop_updaterd
	mv "$SCAN/gw-a/supervise/status" "$SCAN/gw-a/supervise/status.was"
	mkfifo "$SCAN/gw-a/supervise/status"
	start_updaterd -v
}
slow_start
push r2 >"$T/first" &
first=$!
t "a push during the first pass waits" wait_for 10 waits 1
is "$(push r3 -D "$T/head")" 423 "a second one is refused"
like "$(cat "$T/head")" "^Retry-After: [1-9]" "and told when to come again"
like "$(body .detail)" "services are being brought back" "and why"
wait $first
is "$(cat "$T/first")" 200 "the first one has come to its turn"
is "$(cat "$C_ROOT/current/VERSION")" r2 "it is active"

slow_start
t "so does one of updaterctl" ctl update default "$T/r3.tgz"
t "it has waited" waits 2
is "$(cat "$C_ROOT/current/VERSION")" r3 "it is active"
finish
