#!/bin/sh
# updaterd runs before s6-svscan does, as in a container's init: the slots are
# there, nothing is said to have failed, and it is told what is waited for;
# once s6-svscan comes what it starts is taken for what it is.  If it never
# comes the log, status and whoever asks for a start say so.
OWN_PIDS=yes
. "${0%/*}/../lib.sh"
. "$HERE/s6.sh"

end_svscan() {
	stop_svscan
	rm -rf "$SCAN"/* "$SCAN"/.s6-svscan
}

MOUNT=
profile a
profile b
profile c stopped
s6_conf "optional
	reconcile log \"$H/boot.log\""
start_svscan
start_updaterd
s6_release r1
is "$(push r1)" 200 "push"
t "a runs" wait_for 10 state_is gw-a up
t "b runs" wait_for 10 state_is gw-b up
stop_updaterd
end_svscan

# --- it comes ------------------------------------------------------------

: > "$T/log"
: > "$H/boot.log"
start_updaterd
logged() {	# by a process of its own
	[ "$(grep -c 'profile=[abc] ' "$H/boot.log")" = 3 ]
}
wait_for 10 logged
t "before s6-svscan: slots are there" test -d "$SCAN/gw-a" -a -d "$SCAN/gw-c"
is "$(grep -h 'profile=[abc] ' "$H/boot.log" | sed 's/.*profile=\(.\) .*action=\([a-z]*\).*reason=/\1 \2 /')" \
    'a registered "waits for its supervisor"
b registered "waits for its supervisor"
c registered "-"' "the reconcile log says what is waited for"
is "$(grep -c 'wait for s6-svscan on /run/service' "$T/log")" 1 \
    "and so does the log, once"
unlike "$(cat "$T/log" "$H/boot.log")" "failed|cannot be started" \
    "nothing is said to have failed"
is "$(service state gw-a) $(service wanted gw-a) $(service deaths gw-a)" \
    "down running 0" "it is down, wanted up, and has not died"
like "$(service why gw-a)" "waits for s6-svscan, which does not run on $SCAN" \
    "status says what it waits for"
like "$(ctl status)" "waits for s6-svscan" "for people, too"
like "$(ctl start gw-a 2>&1; echo "exit $?")" \
    "waits for s6-svscan" "whoever asks for a start is told"
is "$(ctl reconcile -n >/dev/null; echo $?)" 0 "a pass would change nothing"
t "one is stopped meanwhile" ctl stop gw-b
is "$(service wanted gw-b) $(service why gw-b)" "stopped stop by root" \
    "and waits for nobody any more"

start_svscan
t "s6-svscan comes: what is wanted up is up" wait_for 10 state_is gw-a up
is "$(svpid gw-a)" "$(service pid gw-a)" "as s6 has it"
is "$(service wanted gw-a) $(service restarts gw-a) $(service deaths gw-a)" \
    "running 0 0" "taken for a start, not for a return"
like "$(cat "$T/log")" "find s6-svscan on $SCAN" \
    "the log says that it came"
supervised() {
	s6-svstat "$SCAN/$1"
}
t "what was stopped is there" wait_for 10 supervised gw-b
is "$(s6-svstat -o up,wantedup "$SCAN/gw-b") $(state_is gw-b down && echo down)" \
    "false false down" "and down"
is "$(service wanted gw-b)" stopped "as is wanted"
t "it can be started" ctl start gw-b
unlike "$(cat "$T/log")" "lose gw-. s6-svscan|failed" "nothing was lost by it"

# --- it goes, and comes --------------------------------------------------

kill9 "$SVSCAN"
for p in $(pgrep -x s6-supervise); do
	kill9 "$p"
done
for s in gw-a gw-b; do
	kill9 "$(service pid $s)"
done
awaited() {
	service why "$1" | grep -q 'waits for s6-svscan'
}
wait "$SVSCAN" 2>/dev/null
t "s6-svscan has been killed, and it waits again" wait_for 15 awaited gw-a
start_svscan
t "and runs again" wait_for 10 state_is gw-a up
t "both" wait_for 10 state_is gw-b up
t "nothing ran twice" nothing_twice
finish
