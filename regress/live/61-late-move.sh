#!/bin/sh
# Goal: a service moves from systemd to s6 while updaterd is away, at a boot
# where s6-svscan has not come yet and the unit takes long to stop: its slot
# is there, but held down, so that s6-svscan starts no second one beside what
# still runs; and once that has ended it runs under s6, whoever came first.
. "${0%/*}/../lib.sh"
. "$HERE/systemd.sh"
command -v s6-svscan >/dev/null || skip_all "no s6 here"

PORT=$(free_port) APORT=$(free_port) C_ROOT=$T/agent

unit() {
	sd_conf <<'C'
	service "x" {
		supervise systemd "a.service"
		health notify
		stop TERM within 300s
	}
C
}
slot() {
	sd_conf <<C
	service "x" {
		supervise s6 "$T/scan" owner "_updagent"
		user "_updagent"
		command { "bin/stay" "$T/locks" }
		health notify
		stop TERM within 300s
	}
C
}

make_users
make_certs
unit
sd_units
install -d -m 1777 "$T/locks"
mkdir "$T/scan"
cat > "$T/units/a.service" <<U
[Unit]
DefaultDependencies=no
[Service]
Type=notify
User=_updagent
ExecStart=$C_ROOT/current/bin/stay $T/locks
TimeoutStopSec=300
U
cat > "$T/units/scan.service" <<U
[Unit]
DefaultDependencies=no
[Service]
ExecStart=$(command -v s6-svscan) $T/scan
U
# It says when there are two of it, and ends when it is let go.
mk_release r1
cat > "$T/src/r1/bin/stay" <<'S'
#!/usr/bin/perl
use Fcntl ':flock';
use Socket;
my $dir = $ARGV[0];
sub note { open(my $f, '>>', "$dir/twice"); syswrite($f, "$$\n"); }
$SIG{TERM} = sub {
	select(undef, undef, undef, 0.02) until -e "$dir/go";
	exit 0;
};
open(my $lock, '>>', "$dir/lock") or exit 1;
flock($lock, LOCK_EX | LOCK_NB) or note();
if (my $to = $ENV{NOTIFY_SOCKET}) {
	$to =~ s/^@/\0/;
	socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or exit 1;
	send($s, "READY=1\n", 0, pack_sockaddr_un($to)) or exit 1;
}
if (open(my $ready, '>&=', 3)) { syswrite($ready, "\n"); }
sleep 1000 while 1;
S
chmod 0755 "$T/src/r1/bin/stay"
pack_release r1
mk_release r2
cp "$T/src/r1/bin/stay" "$T/src/r2/bin/stay"
pack_release r2
sd_boot

supervised() {
	inside s6-svok "$T/scan/x"
}
asked_to_stop() {
	[ "$(show ActiveState a)" = deactivating ] && [ -e "$T/scan/x/run" ]
}
end_scan() {
	sd stop scan
	rm -rf "$T/scan"/* "$T/scan/.s6-svscan"
}
moves_while_away() {
	slot
	kill_updaterd
	t "the unit is told to stop, and takes its time" \
	    wait_for 10 asked_to_stop
	ctl reconcile >/dev/null
	t "its slot is held down" test -e "$T/scan/x/down"
	is "$(show ActiveState a)" deactivating "while that runs"
}

t "start updaterd" sd start updaterd
is "$(push r1)" 200 "a push"

# --- s6-svscan comes first -----------------------------------------------

moves_while_away
sd start scan
t "s6-svscan comes" wait_for 10 supervised
ctl reconcile >/dev/null
is "$(inside s6-svstat -o up,wantedup "$T/scan/x")" "false false" \
    "and starts nothing"
is "$(show ActiveState a)" deactivating "while that runs"
: > "$T/locks/go"
t "when that has ended it runs under s6" wait_for 15 runs_by s6
is "$(ran_twice) $(service wanted x)" "0 running" "and never did twice"
t "also for its next supervisor" test ! -e "$T/scan/x/down"

# --- the unit ends first ---------------------------------------------------

unit
kill_updaterd
t "back under systemd" wait_for 15 runs_by systemd
end_scan
rm "$T/locks/go"
moves_while_away
: > "$T/locks/go"
to_start() {
	[ "$(show ActiveState a)" = inactive ] && [ -e "$T/scan/x/run" ] &&
	    [ ! -e "$T/scan/x/down" ]
}
t "when that has ended the slot is for s6-svscan to start" \
    wait_for 15 to_start
like "$(service why x)" "waits for s6-svscan" "which is waited for"
sd start scan
t "it comes: it runs" wait_for 15 runs_by s6
is "$(ran_twice) $(service wanted x)" "0 running" "and never did twice"

# --- the unit cannot be stopped --------------------------------------------

unit
kill_updaterd
t "back under systemd" wait_for 15 runs_by systemd
sed '/^\[Unit\]/a RefuseManualStop=yes' "$T/units/a.service" > "$T/a"
cat "$T/a" > "$T/units/a.service"
sd daemon-reload
slot
kill_updaterd
is_stuck() {
	service why x | grep -q 'unit a.service, .*does not stop: .*refused'
}
t "one that systemd refuses to stop: status says for what it waits" \
    wait_for 15 is_stuck
like "$(service why x)" 'systemctl status a.service' "and where to look"
is "$(show ActiveState a) $(service state x)" "active starting" \
    "it runs, and no other beside it"
like "$(cat "$T/log")" 'cannot let go of x: unit a.service.* refused' \
    "the log says so"
api GET /metrics >/dev/null
like "$(grep 'updaterd_service_stuck{' "$T/body")" 'service="x".* 1$' \
    "and so do the metrics"
ctl start x >"$T/out" 2>&1
is "$?" 1 "whoever asks for a start need not wait"
like "$(tr -s '\n ' ' ' < "$T/out")" 'a.service, .*does not stop' \
    "and is told why"
is "$(push r2)" 500 "nor does who pushes"
like "$(body .detail.error)" 'a.service, .*does not stop' "who is told, too"
sed -i '/RefuseManualStop/d' "$T/units/a.service"
sd daemon-reload
t "once it can be stopped it is, and the service runs under s6" \
    wait_for 15 runs_by s6
is "$(ran_twice) $(service wanted x)" "0 running" "and never did twice"
finish
