#!/bin/sh
# Goal: supervision: crashes are restarted with back-off, permanent exits are
# parked, an operator's word outlives the daemon, what ignores TERM goes with
# all its group, a killed parent's services are adopted, logs rotate.
. "${0%/*}/../lib.sh"
C_SERVICE="restart backoff 200ms max 2s permanent { 78 125 }
		log \"$T/agent.log\" size 16K keep 2"
C_STOP=500ms
setup
mk_release r1
mk_release crash crash-after=700
mk_release stubborn ignore-term child
mk_release noisy chatter=1500

is "$(push r1)" 200 "a good release"
like "$(service containment)" '^(cgroup|subreaper|group)$' "it is contained"
kids() {
	pgrep -f "$T/certs/worker.key" | wc -l
}
pid=$(service pid)
kill9 "$pid"
new_pid() {
	p=$(service pid)
	[ "$p" != "$pid" ] && alive "$p"
}
t "killed, it is started again" wait_for 5 new_pid
t "and serves" wait_for 5 is_serving r1
like "$(service last_exit)" 'signal|KILL|killed' "how it ended is known"
is "$(push crash)" 200 "a release that crashes later"
deaths() {
	[ "$(service deaths)" -ge 3 ]
}
t "is restarted again and again" wait_for 20 deaths
t "with back-off" wait_for 10 sh -c \
    "'$UPDATERCTL' -j -s '$T/updaterd.sock' status |
	grep -Eq '\"state\": *\"backoff\"'"
is "$(push r1)" 200 "another release ends that"
is "$(service state)" up "up"

t "stop" ctl stop agent
is "$(service state)/$(service wanted)" down/stopped "it is down"
stop_updaterd
start_updaterd
is "$(service state)/$(service wanted)" down/stopped \
    "and stays down over a restart"
t "start" ctl start agent
t "it is up" wait_for 5 is_serving r1
stop_updaterd
is "$(kids)" 0 "shutdown stops it"
start_updaterd
t "the daemon's start brings it back" wait_for 5 is_serving r1
pid=$(service pid)
is "$(api POST /services/agent/restart)" 200 "restart by HTTP"
t "is another process" new_pid
is "$(api POST /services/agent/stop)" 200 "stop by HTTP"
is "$(api POST /services/agent/start)" 200 "start by HTTP"

is "$(push stubborn)" 200 "a release that ignores TERM"
is "$(kids)" 2 "with a child"
is "$(push r1)" 200 "is replaced"
[ "$(body .status)" = updated ] || diag "$(cat "$T/body")"
is "$(kids)" 1 "and all its group is gone"

pid=$(service pid)
kill9 "$UPID"
wait "$UPID" 2>/dev/null
t "the parent killed, the service serves" is_serving r1
start_updaterd
is "$(service pid)" "$pid" "the next parent adopts it"
is "$(cat "$C_ROOT/agent.pid")" "$pid" "and its pid is in the root, for scripts"
kill9 "$pid"
t "and restarts it when it dies" wait_for 5 new_pid
t "it serves" wait_for 5 is_serving r1

is "$(push noisy)" 200 "a talkative release"
t "the log is rotated" wait_for 5 test -s "$T/agent.log.1"
is "$(stat -c '%a %u' "$T/agent.log")" "600 0" "and is root's"
t "none is much over its size" sh -c \
    "test -z \"\$(find '$T' -name 'agent.log*' -size +40k)\""
mv "$T/agent.log" "$T/moved.log"
kill -USR1 "$UPID"
t "USR1 opens it anew" wait_for 5 test -e "$T/agent.log"

# A permanent failure, found after the verdict.
stop_updaterd
C_COMMAND='"sh" "-c" "sleep 1; exit 78"'
C_HEALTH='health none'
C_ROOT=$T/parked
write_conf
start_updaterd
push r1 >/dev/null
parked() {
	[ "$(service state)" = failed ]
}
t "exit 78 parks it" wait_for 10 parked
like "$(service why)" '78' "and status says why"
finish
