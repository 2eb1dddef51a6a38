#!/bin/sh
# Goal: nobody starts a service under s6 beside a process of it that its
# supervisor has lost: not in a slot that is made anew or found again before
# s6-svscan comes, nor in one that s6-svscan has at once; that process is
# ended first, and the service runs behind it.  One that is removed while it
# starts is not said to be up; and the end of one that updaterd was killed
# over while it restarted it is nobody's wish.
OWN_PIDS=yes
. "${0%/*}/../lib.sh"
. "$HERE/s6.sh"

conf() {	# health
	C_SERVICES="service \"gw\" {
		optional
		user \"_updagent\"
		home \"$H\"
		profiles \"$P\" marker \"SOUL.md\"
		command { \"bin/stay\" \"$T/locks\" \"gw-%p\" }
		supervise s6 \"$SCAN\" owner \"_updagent\"
		stop TERM within 300s
		restart backoff 100ms max 200ms
		health $1
	}"
	write_conf
}
# It takes a while to end; as long as there is a file `stay`.
release() {
	mk_release r1
	cat > "$T/src/r1/bin/stay" <<'S'
#!/usr/bin/perl
use Fcntl ':flock';
my ($dir, $name) = @ARGV;
$SIG{TERM} = sub {
	select(undef, undef, undef, 0.3);
	select(undef, undef, undef, 0.02) while -e "$dir/stay";
	exit 0;
};
open(my $lock, '>>', "$dir/$name.lock") or exit 1;
if (!flock($lock, LOCK_EX | LOCK_NB)) {
	open(my $f, '>>', "$dir/wrong");
	syswrite($f, "twice $name\n");
}
sleep 1000 while 1;
S
	chmod 0755 "$T/src/r1/bin/stay"
	pack_release r1
}
runs() {	# as s6 and updaterd have it, and not that one
	p=$(svpid gw-a) && [ "$p" -gt 1 ] && [ "$p" = "$(service pid gw-a)" ] &&
	    [ "$p" != "${1-}" ]
}
lose_supervisors() {
	kill9 "$SVSCAN"
	for p in $(pgrep -x s6-supervise); do
		kill9 "$p"
	done
	wait "$SVSCAN" 2>/dev/null
	rm -rf "$SCAN/.s6-svscan"
}
begin() {	# case
	case=$1
	old=$(svpid gw-a)
	lose_supervisors
	t "$case: its process has lost its supervisor" alive "$old"
}
held() {
	t "$case: its slot is held down" test -e "$SCAN/gw-a/run" -a \
	    -e "$SCAN/gw-a/down"
	t "$case: it lives on until s6-svscan comes" alive "$old"
}
comes() {
	t "$case: it runs under s6" wait_for 15 runs "$old"
	t "$case: the one before has ended" gone "$old"
	t "$case: which never were two" nothing_twice
	is "$(wanted gw-a | cut -d' ' -f1)" running "$case: nobody wished it"
}

profile a
conf none
start_svscan
start_updaterd
release
is "$(push r1)" 200 "push"
t "it runs" wait_for 10 runs

stop_updaterd
begin "made anew at a start"
rm -rf "$SCAN/gw-a"
start_updaterd
ctl reconcile >/dev/null
held
like "$(service why gw-a)" "waits for s6-svscan" "$case: status says so"
start_svscan
comes

stop_updaterd
begin "found at a start"
start_updaterd
ctl reconcile >/dev/null
held
# s6-supervise listens before it has written its first status, and reads
# `down` last: until then what the one before it has written is there.
python3 - "$SCAN/gw-a/supervise" 2>&1 <<'E' >"$T/early" &
import fcntl, os, sys, time
lock = open(sys.argv[1] + "/lock", "r+")
fcntl.lockf(lock, fcntl.LOCK_EX)
control = os.open(sys.argv[1] + "/control", os.O_RDWR)
time.sleep(1000)
E
early=$!
KILL_AT_EXIT="${KILL_AT_EXIT-} $early"
# It is looked at every 2 s; nothing else tells that it has been.
for n in $(seq 35); do
	[ ! -e "$SCAN/gw-a/down" ] || sleep 0.1
done
held
kill "$early"
wait "$early" 2>/dev/null
start_svscan
comes

stop_updaterd
begin "made anew beside s6-svscan"
rm -rf "$SCAN/gw-a"
start_svscan
start_updaterd
comes

begin "made anew by a pass"
rm -rf "$SCAN/gw-a"
ctl reconcile >/dev/null
held
start_svscan
comes

# --- removed while it starts ------------------------------------------------

conf 'notify'
t "one that takes long to be ready" ctl reload
old=$(svpid gw-a)
ctl restart gw-a >/dev/null 2>&1 &
starting() {
	state_is gw-a starting && runs "$old"
}
t "starts" wait_for 10 starting
old=$(svpid gw-a)
rm -rf "$SCAN/gw-a"
t "and is removed: it is started again" wait_for 20 runs "$old"
t "by its supervisor of now" test ! -e "$SCAN/gw-a/down"
t "never two" nothing_twice
conf none
t "one that is ready at once" ctl reload
ctl restart gw-a >/dev/null
t "is up" wait_for 10 runs

# --- updaterd is killed over a restart ----------------------------------------

: > "$T/locks/stay"
old=$(svpid gw-a) n=$(service deaths gw-a)
ctl restart gw-a >/dev/null 2>&1 &
stopping() {
	[ "$(s6-svstat -o up,wantedup "$SCAN/gw-a")" = "true false" ]
}
t "it is told to stop, to be started again" wait_for 10 stopping
kill9 "$UPID"
wait "$UPID" 2>/dev/null
wait $! 2>/dev/null
start_updaterd
seen() {
	[ "$(service pid gw-a)" = "$old" ] && ! state_is gw-a down
}
t "updaterd is killed, and comes back" wait_for 10 seen
rm "$T/locks/stay"
t "it ends, and is started again" wait_for 15 runs "$old"
is "$(wanted gw-a | cut -d' ' -f1) $(service deaths gw-a)" "running $n" \
    "for its end was nobody's wish, and no death"
t "also for its next supervisor" wait_for 5 test ! -e "$SCAN/gw-a/down"
t "never two" nothing_twice
stop_updaterd
stop_svscan
finish
