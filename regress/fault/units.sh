#!/bin/sh
# Goal: updaterd is killed at whatever system call while units of systemd are
# installed from a release, started, stopped, updated, rolled back, exchanged
# for others and taken out: the next start finds a complete release, each unit
# as it is wanted and made of that release's file, and no file, record or
# unit too many; what is others' is not touched.
# usage: units.sh [points [phase]]	0 points: all of them
#	FAULT_LANES=3 tries three at a time; FAULT_EVERY=1 with every call,
#	not only those that change something
#
# A real systemd; all of this runs in its name spaces, see systemd.sh.
. "${0%/*}/lanes"
lanes "$0" "$@"
. "${0%/*}/../lib.sh"
. "$HERE/systemd.sh"
[ -x "$HERE/fault/tracer" ] || skip_all "needs ptrace(2)"

make_users
make_certs
PORT=$(free_port) APORT=$(free_port) C_ROOT=$T/agent
mkdir -p "$T/fault"
cp "$HERE"/fault/*.py "$HERE/fault/tracer" "$T/fault/"
install -d -m 1777 "$T/locks"

systemd() {	# service unit [more]
	cat <<C
	service "$1" {
		supervise systemd "$2" ${3-}
		health notify
		stop within 2s
	}
C
}
native() {	# service
	cat <<C
	service "$1" {
		user "_updagent"
		command { "bin/stay" "$T/locks" "native-$1" }
		health notify
		stop TERM within 2s
	}
C
}
variant() {	# name services
	printf '%s\n' "$2" | sd_conf
	mv "$T/conf" "$T/conf.$1"
}
shipped() {	# unit release
	printf '[Unit]\nDefaultDependencies=no\n[Service]\nType=notify\n%s\n' \
	    "User=_updagent
Environment=REL=$2
ExecStart=$C_ROOT/current/bin/stay $T/locks $1"
}

I="units install"
variant none ""
variant a "$(systemd app app.service "$I")
$(systemd own own.service)"
variant other "$(systemd app app2.service "$I")
$(systemd own own2.service)"
variant swapped "$(systemd app own.service)
$(systemd own app.service "$I")"
variant native "$(native app)
$(systemd own own.service)"
cp "$T/conf.none" "$T/conf"
sd_units
for u in own own2; do
	shipped $u theirs > "$T/units/$u.service"
done
printf '[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=%s\n' \
    "/bin/sleep infinity" > "$T/units/foreign.service"

# A service that says when there are two of it, and takes a moment to end.
for r in r1 r2 bad; do
	mk_release $r
	cat > "$T/src/$r/bin/stay" <<'S'
#!/usr/bin/perl
use Fcntl ':flock';
use Socket;
my ($dir, $name) = @ARGV;
exit 3 if ($ENV{REL} // '') eq 'bad';
sub note { open(my $f, '>>', "$dir/twice"); syswrite($f, "$name $$\n"); }
$SIG{TERM} = sub { select(undef, undef, undef, 0.02); exit 0 };
open(my $lock, '>>', "$dir/$name.lock") or exit 1;
flock($lock, LOCK_EX | LOCK_NB) or note();
my $to = $ENV{NOTIFY_SOCKET} or exit 1;
$to =~ s/^@/\0/;
socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or exit 1;
send($s, "READY=1\n", 0, pack_sockaddr_un($to)) or exit 1;
sleep 1000 while 1;
S
	chmod 0755 "$T/src/$r/bin/stay"
	mkdir -p "$T/src/$r/etc/systemd/system"
	for u in app app2; do
		shipped $u $r > "$T/src/$r/etc/systemd/system/$u.service"
	done
	rm "$T/src/$r/bin/agent"
	pack_release "$r"
done
sd_boot
sd start foreign
UPDATERD=$T/bin/updaterd UPDATERCTL=$T/bin/updaterctl
export T PORT APORT UPDATERD UPDATERCTL PYTHONDONTWRITEBYTECODE=1
cd "$T" || exit 1
nsenter -t "$PID1" -m -u -i -p -C --root --wd=/ env -C "$T" \
    python3 "$T/fault/units.py" "${1:-${FAULT_POINTS:-0}}" ${2+"$2"}
