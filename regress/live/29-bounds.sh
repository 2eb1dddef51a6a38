#!/bin/sh
# Goal: nothing holds the lock of an update for long: an archive that keeps
# coming, but too long; a local one of which nothing comes; one whose
# updaterctl has gone.  And a net that is stuck is found by a watchdog.
. "${0%/*}/../lib.sh"
make_users
make_certs
C_LIMITS='limits { idle 1s rate 1 push 3s }'
write_conf
start_updaterd
mk_release r1
mk_release big big=3000000

receiving() {
	[ "$(status .update.state)" = receiving ]
}
is "$(push big --limit-rate 200K)" 408 "an archive that takes longer than push"
like "$(body .detail)" 'did not arrive within 3 s \(limits push\)' "says so"
t "the lock is free" wait_for 5 idle
is "$(push r1)" 200 "a quick one passes"
t "nothing is left" clean_staging

# --- a local one --------------------------------------------------------
# never: a standard input on which nothing comes, until `rm`.
mkfifo "$T/never"
local_push() {
	"$UPDATERCTL" -s "$T/updaterd.sock" update default - \
	    <"$T/never" >"$T/local.out" 2>&1 &
	ctlpid=$!
	exec 7>"$T/never"
}
local_push
t "a local update waits for its bytes" wait_for 5 receiving
kill -INT $ctlpid 2>/dev/null || :
kill -TERM $ctlpid
t "its updaterctl goes: it is over" wait_for 5 idle
exec 7>&-
wait $ctlpid 2>/dev/null
t "nothing is left" clean_staging

local_push
t "another" wait_for 5 receiving
t "nothing comes: it is given up" wait_for 25 idle
exec 7>&-
wait $ctlpid
is $? 1 "updaterctl says that it failed"
like "$(cat "$T/local.out")" 'no progress after 0 bytes' "and why"
t "what runs is untouched" is_serving r1
is "$(push big)" 200 "and pushes go on"

# --- watchdog -----------------------------------------------------------
stop_updaterd
python3 - "$T/notify" > "$T/told" 2>/dev/null <<'P' &
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
while True:
    print(s.recv(4096).decode(), flush=True)
P
KILL_AT_EXIT=$!
wait_for 5 test -S "$T/notify"
NOTIFY_SOCKET="$T/notify" WATCHDOG_USEC=200000 start_updaterd
alive_said() {
	[ "$(grep -c '^WATCHDOG=1' "$T/told")" -ge 3 ]
}
t "with a watchdog: it is fed" wait_for 10 alive_said
netpid=$(process net)
service_sees() {
	tr '\0' '\n' < "/proc/$(service pid)/environ" | grep -c WATCHDOG
}
is "$(service_sees)" 0 "no service is told of it"
kill -STOP "$netpid"
# That takes ten seconds; 28-metrics.sh sees it happen when somebody looks.
[ -n "${FULL-}" ] || {
	kill -CONT "$netpid"
	finish
}
t "a net that is stuck is killed with nobody looking" \
    wait_for 25 grep -q 'kill net: it does not answer' "$T/log"
t "and comes again" wait_for 10 listening
finish
