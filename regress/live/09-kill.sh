#!/bin/sh
# Goal: kill -9 of each process in each state of an update.  The service
# stays up; after a restart `current` is complete and nothing is staged.
. "${0%/*}/../lib.sh"
C_AGENT='install { "sh" "install.sh" } user "_updagent" timeout 20s'
setup
mk_release r1
mk_release inst install-slow=30
mk_release slow slow-start=2500
mk_release big big=3000000
is "$(push r1)" 200 "a good release"
pid=$(service pid)

state() {
	status '.update.state // "idle"'
}
in_state() {
	case $1 in
	*"|$(state)|"*) return 0;;
	esac
	return 1
}
alive_net() {
	alive "$(process net)" && alive "$(process probe)"
}

# hold STATE: bring an update into it and keep it there
hold() {
	case $1 in
	receiving)
		python3 "$HERE/push.py" --port "$PORT" --certs "$T/certs" \
		    --file "$T/big.tgz" --sha big --stall 2000000 \
		    --timeout 30 >"$T/held" 2>&1 &;;
	installing)
		push inst >"$T/held" &;;
	probing)
		push slow >"$T/held" &;;
	esac
	held=$!
	wait_for 10 in_state "|$1|"
}
# Once everything is quiet again:
sound() {
	wait_for 15 idle && wait_for 15 alive_net &&
	    wait_for 15 clean_staging && wait_for 15 is_serving "$1" &&
	    complete "$1"
}
release() {
	wait "$held" 2>/dev/null
}

for who in net inflate unpack; do
	t "receiving" hold receiving
	t "kill -9 $who while receiving" kill9 "$(process $who)"
	release
	[ $who = net ] || like "$(cat "$T/held")" "$who was killed" \
	    "and that is the reason that is given"
	t "all is sound" sound r1
	is "$(service pid)" "$pid" "the service did not notice"
done
t "installing" hold installing
t "kill -9 net while installing" kill9 "$(process net)"
release
t "net is back" wait_for 10 alive_net
kill9 "$(pgrep -P "$UPID" -f install.sh | head -n 1)"
t "all is sound" sound r1
is "$(service pid)" "$pid" "the service did not notice"
t "probing" hold probing
t "kill -9 probe while probing" kill9 "$(process probe)"
release
is "$(cat "$T/held")" 200 "the check is made again"
t "all is sound" sound slow
is "$(api POST /rollback)" 200 "back"
for who in net probe; do
	t "kill -9 $who at rest" kill9 "$(process $who)"
	t "all is sound" sound r1
done

restart() {
	kill9 "$UPID"
	wait "$UPID" 2>/dev/null
	release
	start_updaterd
}
for st in receiving installing; do
	pid=$(service pid)
	t "$st" hold $st
	restart
	t "parent killed while $st: all is sound" sound r1
	is "$(service pid)" "$pid" "the service did not notice"
done
t "probing" hold probing
restart
# The verdict was open: the new release is started and probed once more.
t "parent killed while probing: a verdict is found" wait_for 15 idle
name=$(cat "$C_ROOT/current/VERSION")
[ "$name" = r1 ] || t "back" ctl rollback
t "stopped while probing" hold probing
stop_updaterd
release
t "the journal waits for the next start" test -s "$C_ROOT/update.json"
start_updaterd
t "which finds a verdict" wait_for 15 idle
is "$(cat "$C_ROOT/current/VERSION")" slow "the release was not to blame"
name=slow
t "current is complete ($name)" sound "$name"
t "a service of it runs" alive "$(service pid)"
pid=$(service pid)
restart
is "$(service pid)" "$pid" "killed at rest: the service is adopted"
is "$(push r1 -F force=true)" 200 "and a push goes through"

# A start of the new release is counted: it has one more.
links=$(readlink "$C_ROOT/current" "$C_ROOT/previous")
t "probing" hold probing
restart
t "killed, it is probed once more" wait_for 10 in_state "|probing|"
restart
t "and killed again, no more: all is sound" sound r1
is "$(readlink "$C_ROOT/current" "$C_ROOT/previous")" "$links" \
    "both links are what they were"
like "$(ctl -j history | jq -r '.history[].error // empty')" \
    "cut off twice before a verdict" "the history says why"
finish
