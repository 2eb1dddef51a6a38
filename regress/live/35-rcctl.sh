#!/bin/sh
# Goal: a service that rcctl(8) starts and stops is updated as one of our
# own: push, a bad push rolled back; one that ends is started again; one that
# does not stop is not taken for the new release; updaterd may come and go.
#
# rcctl is OpenBSD's.  Elsewhere this is a stand-in with its commands and
# exit codes, in a mount name space where updaterd looks for programs first.
. "${0%/*}/../lib.sh"

if [ "$(uname -s)" != OpenBSD ]; then
	[ "$UPD_NAMESPACE" = own ] || skip_all "needs a mount name space"
	mkdir -p /usr/local/sbin
	mount -t tmpfs -o mode=0755 tmpfs /usr/local/sbin || exit 1
	cat > /usr/local/sbin/rcctl <<R
#!/bin/sh
# start|stop|check NAME; what it ran is in $T/rc/calls
set -u
dir=$T/rc
echo "\$*" >> "\$dir/calls"
[ \$# = 2 ] || exit 2
[ -f "\$dir/\$2.cmd" ] || {
	echo "rcctl: service \$2 does not exist" >&2
	exit 2
}
running() {
	[ -s "\$dir/\$1.pid" ] && read -r pid < "\$dir/\$1.pid" &&
	    [ "\${pid:-0}" -gt 1 ] && [ -d "/proc/\$pid" ] &&
	    ! grep -q '^State:.*[ZX] ' "/proc/\$pid/status"
}
case \$1 in
check)	running "\$2";;
start)	running "\$2" && exit 0
	[ ! -e "\$dir/broken" ] || exit 1
	setsid sh "\$dir/\$2.cmd" </dev/null >/dev/null 2>&1 &
	echo \$! > "\$dir/\$2.pid"
	n=0
	while [ \$n -lt 10 ]; do
		running "\$2" || exit 1
		n=\$((n + 1))
		sleep 0.01
	done;;
stop)	running "\$2" || exit 0
	[ ! -e "\$dir/stubborn" ] || {
		echo "\$2 will not" >&2
		exit 1
	}
	kill -TERM "\$pid"
	n=0
	while [ \$n -lt 100 ]; do
		running "\$2" || exit 0
		n=\$((n + 1))
		sleep 0.02
	done
	exit 1;;
*)	exit 2;;
esac
R
	chmod 0755 /usr/local/sbin/rcctl
else
	skip_all "needs a script of its own in /etc/rc.d"
fi

make_users
make_certs
PORT=$(free_port) APORT=$(free_port) C_ROOT=$T/agent
mkdir "$T/rc"
cat > "$T/rc/agent.cmd" <<C
cd "$C_ROOT/current" &&
    exec bin/agent --port $APORT --cert "$T/certs/worker.crt" \
    --key "$T/certs/worker.key" --ca "$T/certs/ca.crt" >>"$T/agent.log" 2>&1
C
cat > "$T/conf" <<C
user "_updaterd"
unpack user "_updunpack"
chroot "$T/empty"
control "$T/updaterd.sock"
state "$T/state"
listen on 127.0.0.1 port $PORT
tls {
	ca "$T/certs/ca.crt"
	certificate "$T/certs/updater.crt"
	key "$T/certs/updater.key"
}
permit self from subject "updater-master"
agent "default" {
	root "$C_ROOT"
	service "agent" {
		supervise rcctl "agent"
		$(https_health)
		restart backoff 100ms
	}
	service "gw" {
		optional
		user "_updagent"
		home "$T/home"
		profiles "$T/home/profiles" marker "SOUL.md"
		supervise rcctl "gw_%p"
	}
}
C
mkdir -p "$T/home/profiles/a-b"
: > "$T/home/profiles/a-b/SOUL.md"
chown -R _updagent "$T/home"
chmod 0600 "$T/conf"
start_updaterd
for r in 1 2 3; do
	mk_release r$r
done
mk_release bad exit-at-once=3

pid() {
	cat "$T/rc/agent.pid" 2>/dev/null
}
state_is() {
	[ "$(service state)" = "$1" ]
}
healthy() {
	state_is up && [ "$(service health.healthy)" = true ]
}
calls() {	# command: how often so far
	grep -c "^$1" "$T/rc/calls"
}

is "$(service state)" down "without a release it is down"
is "$(push r1)" 200 "a push starts it"
is "$(serving)" r1 "it serves"
is "$(service supervisor) $(service containment)" "rcctl none" "by rcctl"
t "an instance whose name rcctl would not take" sh -c \
    "! '$UPDATERCTL' -s '$T/updaterd.sock' start gw-a-b"
like "$(service why gw-a-b)" '"gw_a-b" is not fit' "is told so at once"
ctl stop gw-a-b >/dev/null
old=$(pid)
is "$(push r2)" 200 "a push restarts it"
is "$(serving)" r2 "with the new release"
t "the process before has ended" gone "$old"
is "$(push bad)" 409 "a release that does not start is rolled back"
like "$(body .detail.error)" 'rcctl start agent: exited 1' "and is told why"
is "$(serving)" r2 "the old one serves"

t "stop" ctl stop agent
t "it is stopped" gone "$(pid)"
t "start" ctl start agent
is "$(serving)" r2 "starts it"

old=$(pid) n=$(service deaths)
t "restart of updaterd" sh -c "kill -TERM $UPID"
wait "$UPID" 2>/dev/null
t "leaves it alone" alive "$old"
start_updaterd
t "it is taken over" wait_for 10 healthy
is "$(pid) $(service deaths)" "$old $n" "as it is"

kill9 "$old"
another() {
	[ "$(pid)" != "$old" ] && healthy
}
t "one that has ended is started again" wait_for 25 another
is "$(service deaths)" $((n + 1)) "which is a death"

old=$(pid)
: > "$T/rc/stubborn"
is "$(push r3)" 500 "one that does not stop: no push"
t "it runs on" alive "$old"
like "$(body .detail.error)" \
    'rcctl stop agent has failed 3 times .*agent will not' "and is told why"
is "$(service state) $(service wanted)" "stopping running" \
    "status does not say that it is down"
is "$(cat "$C_ROOT/current/VERSION")" r2 "the link is where it was"
rm "$T/rc/stubborn"
kill9 "$old"
t "when it has gone it is started" wait_for 25 healthy
is "$(push r3)" 200 "then a push goes"
is "$(serving)" r3 "the new one serves"

: > "$T/rc/broken"
ctl stop agent >/dev/null
t "a start that fails is told" sh -c "! '$UPDATERCTL' -s \
    '$T/updaterd.sock' start agent"
like "$(service why)" 'rcctl start agent: exited 1' "with the reason"
rm "$T/rc/broken"
t "and tried again" wait_for 20 healthy
old=$(pid)
: > "$T/rc/stubborn"
t "a stop that fails is told" sh -c "! '$UPDATERCTL' -s \
    '$T/updaterd.sock' stop agent >'$T/out' 2>&1"
like "$(tr -s '\n ' ' ' < "$T/out")" 'rcctl stop agent has failed 3 times .*will not' \
    "with the reason"
is "$(service state) $(service wanted) $(status \
    '.agents[].services[] | select(.name == "agent") | .pid')" \
    "stopping stopped 0" "it is not said to be down"
t "for it runs" alive "$old"
like "$(service why)" 'rcctl stop agent has failed .*end it by hand' \
    "status says what to do"
api GET /metrics >/dev/null
like "$(grep 'updaterd_service_stuck{' "$T/body")" \
    'service="agent".* 1$' "and so do the metrics"
t "a stop by hand is another attempt, which is told as well" sh -c \
    "! '$UPDATERCTL' -s '$T/updaterd.sock' stop agent >'$T/out' 2>&1"
like "$(cat "$T/out")" 'rcctl stop agent has failed' "with the reason"
rm "$T/rc/stubborn"
t "once it can be stopped it is" wait_for 25 gone "$old"
t "and is down" wait_for 25 state_is down
# Others, whose scripts are not there, are looked for now and then.
n=$(calls 'check agent$')
sleep_turns() {
	[ "$(calls 'check agent$')" != "$n" ]
}
wait_for 2 sleep_turns
is "$(calls 'check agent$')" "$n" "what is wanted down is not checked"
finish
