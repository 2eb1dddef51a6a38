#!/bin/sh
# Goal: what a kill or an error at one system call cannot show, because it
# takes two things at once: a reload under way when a push comes, sockets
# that an orphan still holds, a network process that comes back when there
# are no descriptors or while the daemon starts, a reload before it is back,
# a way back that does not succeed at once.
. "${0%/*}/../lib.sh"
TRACER=$HERE/fault/tracer
make_users
make_certs
write_conf
start_updaterd -v
mk_release r1
mk_release r2
is "$(push r1)" 200 "a good release"

# net tries a new configuration, and is held while it does.  An update that
# began now would work on an agent that the reload is about to free.
net=$(process net)
kill -STOP "$net"
ctl reload >"$T/reload" 2>&1 &
reload=$!
wait_for 5 grep -q 'parent.: reload /' "$T/log"
busy() {
	! ctl update default "$T/r2.tgz" >"$T/update" 2>&1 &&
	    grep -q reload "$T/update"
}
t "a push while a reload is under way is told so" wait_for 5 busy
waiting() {
	[ "$(grep -c "reload later: a reload is under way" "$T/log")" = "$1" ]
}
ctl reload >"$T/reload.2" 2>&1 &
second=$!
t "another reload waits for it" wait_for 5 waiting 1
kill -CONT "$net"
t "the reload comes to its end" wait $reload
t "and so does the other" wait $second
is "$(grep -c 'parent.: reload /' "$T/log")" 2 "which was one of its own"
is "$(push r2)" 200 "and then a push goes in"

# The file changes again while net tries it: the second HUP counts, too.
kill -STOP "$net"
kill -HUP "$UPID"
begun() {
	[ "$(grep -c 'parent.: reload /' "$T/log")" = 3 ]
}
t "a reload begins" wait_for 5 begun
sed -i '/monitor/d' "$T/conf"
kill -HUP "$UPID"
t "a second HUP is heard" wait_for 5 waiting 2
kill -CONT "$net"
denied() {
	[ "$(CERT=monitor api GET /releases)" = 403 ]
}
t "what the file says last is in use" wait_for 10 denied

# The parent is killed; its net lives on for a moment, with the sockets.
net=$(process net)
kill -STOP "$net"
kill9 "$UPID"
wait "$UPID" 2>/dev/null
(flock "$T/state/lock" sleep 1; kill -CONT "$net") &
held() {
	! flock -n "$T/state/lock" true
}
t "something of it holds the lock" wait_for 5 held
start_updaterd
ok "the next start waits for the lock and the sockets"
t "the same release is served" is_serving r2

# net is lost, and there are no descriptors when it is configured again.
again() {	# call text
	net=$(process net)
	rm -f "$T/traced"
	"$TRACER" -t parent -e 24 -f "$1" ${2+-m "$2"} -n 1 -p "$UPID" \
	    >"$T/traced" &
	tracer=$!
	wait_for 5 grep -q ready "$T/traced"
	kill9 "$net"
	wait_for 10 grep -q failed "$T/traced"
	kill "$tracer" 2>/dev/null
	wait $tracer 2>/dev/null
	like "$(cat "$T/traced")" '^failed' "no descriptor for $*"
	t "it serves again" wait_for 10 listening
}
again openat ca.crt
again openat updater.key
again fcntl
is "$(push r1)" 200 "a push goes in"

# A reload starts net while it waits for its turn to come back: that is not
# to start another.
restarts() {
	status '.processes[] | select(.name == "net") | .restarts'
}
lost() {
	[ "$(process net)" -eq 0 ] 2>/dev/null || [ "$(process net)" = null ]
}
nets() {
	pgrep -P "$UPID" -f 'net' | wc -l
}
kill9 "$(process net)"
t "net is lost" wait_for 5 lost
before=$(restarts)
t "a reload before it is back" ctl reload
t "net is back" wait_for 10 listening
later() {
	[ "$(restarts)" -gt "$before" ]
}
wait_for 2 later && note "and was started once more"
is "$(nets)" 1 "there is one net"

# net is lost while the daemon starts: the services are not to wait for a
# person.
stop_updaterd
rm -f "$T/traced"
"$TRACER" -a -t net -n 30 "$UPDATERD" -d -f "$T/conf" >"$T/traced" \
    2>>"$T/log" </dev/null &
tracer=$!
wait_for 5 grep -q ready "$T/traced"
UPID=$(sed -n 's/^ready //p' "$T/traced")
t "it starts all the same" wait_for 10 listening
like "$(cat "$T/traced")" '^killed' "net was lost at the start"
t "the service runs" wait_for 10 is_serving r1

# A bad release, and the good one does not start at the first try either:
# it is tried again, as after any death.
mk_release bad exit-at-once
rm -f "$T/traced"
"$TRACER" -t task -e 5 -f execve -m bin/agent -n 2 -p "$UPID" >"$T/traced" &
tracer=$!
wait_for 5 grep -q ready "$T/traced"
is "$(push bad)" 500 "neither of two releases starts"
kill "$tracer" 2>/dev/null
wait $tracer 2>/dev/null
like "$(cat "$T/traced")" '^failed' "the way back met an error"
t "and yet it comes back" wait_for 10 is_serving r1
is "$(push r2)" 200 "a push goes in"
finish
