#!/bin/sh
# Goal: while updaterd is away a service is given to another supervisor, or
# another unit: it is started there once what ran has ended, which takes a
# second, and never runs twice; and a stop of ours that systemd carries out
# only when updaterd has been killed and is back is nobody's wish.
. "${0%/*}/../lib.sh"
. "$HERE/systemd.sh"
command -v s6-svscan >/dev/null || skip_all "no s6 here"

PORT=$(free_port) APORT=$(free_port) C_ROOT=$T/agent

conf() {	# how the service is supervised
	case $1 in
	systemd*)	how="supervise $1";;
	*)		how="supervise $1
		user \"_updagent\"
		command { \"bin/stay\" \"$T/locks\" }";;
	esac
	sd_conf <<C
	service "x" {
		$how
		health notify
		stop TERM within 5s
	}
C
}
S6="s6 \"$T/scan\" owner \"_updagent\""
A='systemd "a.service"'
B='systemd "b.service"'

make_users
make_certs
conf "$A"
sd_units
install -d -m 1777 "$T/locks"
mkdir "$T/scan"
for u in a b; do
	printf '[Unit]\nDefaultDependencies=no\n[Service]\n%s\n' \
	    "Type=notify
User=_updagent
ExecStart=$C_ROOT/current/bin/stay $T/locks" > "$T/units/$u.service"
done
cat > "$T/units/scan.service" <<U
[Unit]
DefaultDependencies=no
[Service]
ExecStart=$(command -v s6-svscan) $T/scan
U
# It says when there are two of it, and takes a moment to end.
mk_release r1
cat > "$T/src/r1/bin/stay" <<'S'
#!/usr/bin/perl
use Fcntl ':flock';
use Socket;
sub note { open(my $f, '>>', "$ARGV[0]/twice"); syswrite($f, "$$\n"); }
$SIG{TERM} = sub { select(undef, undef, undef, 0.7); exit 0 };
open(my $lock, '>>', "$ARGV[0]/lock") or exit 1;
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
sd_boot
sd start scan

moves() {	# how supervisor what
	conf "$1"
	kill_updaterd
	t "$3: it runs" wait_for 15 runs_by "$2"
	is "$(ran_twice)" 0 "$3: and never did twice"
	is "$(service wanted x)" running "$3: as it is wanted"
}

t "start updaterd" sd start updaterd
is "$(push r1)" 200 "a push"
moves "$B" systemd "to another unit"
is "$(show ActiveState a)" inactive "the first one is down"
moves "$S6" s6 "from systemd to s6"
moves "$A" systemd "from s6 to systemd"
moves native native "from systemd to updaterd itself"
moves "$S6" s6 "from updaterd itself to s6"
moves native native "from s6 to updaterd itself"
moves "$A" systemd "from updaterd itself to systemd"

# --- our stop, carried out late --------------------------------------------

# systemd does not stop a before what needs it.
cat > "$T/units/needs.service" <<U
[Unit]
DefaultDependencies=no
BindsTo=a.service
After=a.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=true
ExecStop=sh -c 'while [ ! -e $T/go ]; do sleep 0.05; done'
U
sd daemon-reload
sd start needs
pid=$(show MainPID a)
ctl restart x >/dev/null 2>&1 &
waits() {
	[ "$(show ActiveState needs)" = deactivating ] &&
	    [ -n "$(show Job a)" ]
}
t "a restart, whose stop has to wait" wait_for 10 waits
kill_updaterd
is "$(show ActiveState a)" active "what it stops still runs"
: > "$T/go"
wait $!
ended() {
	! inside test -e "/proc/$pid"
}
t "it ends" wait_for 10 ended
settled() {	# it is seen, and whatever comes of it has come
	runs_by systemd || [ "$(service wanted x)" = stopped ]
}
t "which is seen" wait_for 15 settled
t "it is started again" wait_for 15 runs_by systemd
is "$(service wanted x)" running "its end was nobody's wish"
is "$(service deaths x)" 0 "and no death"
finish
