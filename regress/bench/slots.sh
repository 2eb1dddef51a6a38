#!/bin/sh
# Figures of many services under s6: how long it takes to publish their
# slots, by updaterd -R before s6-svscan runs and by a daemon, a pass in
# which nothing changed, status, and the end of all of them.
#	slots.sh [how many]		called by `make bench`
OWN_PIDS=yes
LIBDIR=${0%/*}/..
export LIBDIR
. "${0%/*}/../lib.sh"
N=${1:-1000}
. "$HERE/svscan.sh"
. "$HERE/profiles.sh"

C_SERVICES="service \"gw\" {
		optional
		user \"_updagent\"
		home \"$H\"
		profiles \"$P\" marker \"SOUL.md\"
		command { \"sleep\" \"100000\" }
		supervise s6 \"$SCAN\" owner \"_updagent\" mount
		stop TERM within 2s
	}"
C_HEALTH="health none"
ulimit -n 65536 2>/dev/null
once() {	# what is timed
	a=$(now_ms)
	"$UPDATERD" -f "$T/conf" -R >"$T/once" 2>>"$T/log"
	note "$1: $(($(now_ms) - a)) ms, $(grep -c "action=$2" "$T/once") $2"
}
# Of s6's own processes, without asking each slot.
running() {
	[ "$(pgrep -c -x sleep -u _updagent)" -ge "$N" ]
}
up() {
	[ "$(ctl -j profiles | jq '[.profiles[] | select(.state == "up")] |
	    length')" = "$N" ]
}

write_conf
start_updaterd
mk_release one
status=$(push one)
[ "$status" = 200 ] || {
	diag "the push failed: $status $(body .detail)"
	not_ok "push"
	finish
}
many_profiles "$N"
a=$(now_ms)
ctl reconcile >/dev/null
note "$N slots: a pass of a daemon that makes them, no s6-svscan: \
$(($(now_ms) - a)) ms"
stop_updaterd
once "updaterd -R, all slots are there, no s6-svscan" started
umount "$SCAN"
once "updaterd -R, none is there, no s6-svscan" started
a=$(now_ms)
start_svscan -c $((N * 2 + 100))	# one with its logger counts twice
wait_for 30 running || diag "not all of them run"
note "s6-svscan, until all of them run: $(($(now_ms) - a)) ms"
once "updaterd -R, all of them run" adopted
a=$(now_ms)
start_updaterd
wait_for 30 up || diag "not all are seen up"
note "a start of updaterd, until all are seen up: $(($(now_ms) - a)) ms"
for n in 1 2 3; do
	a=$(now_ms)
	ctl reconcile >/dev/null
	note "a pass by command in which nothing changed: \
$(($(now_ms) - a)) ms"
done
a=$(now_ms)
ctl -j status >/dev/null
note "status: $(($(now_ms) - a)) ms"
a=$(now_ms)
ctl restart gw-p7 >/dev/null
note "a restart by command, its second of proving included: \
$(($(now_ms) - a)) ms"
note "memory of its own: \
$(awk '/^RssAnon/ { print $2 }' "/proc/$UPID/status") kB in all"
stop_updaterd
a=$(now_ms)
s6-svscanctl -t "$SCAN"
wait_for 60 gone "$SVSCAN"
note "the end of s6-svscan and all below it: $(($(now_ms) - a)) ms"
wait_for 5 umount "$SCAN"
ok "figures of $N slots"
finish
