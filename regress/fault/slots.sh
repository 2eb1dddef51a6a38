#!/bin/sh
# Goal: whatever process of updaterd is killed at whatever system call while
# profiles come and go, slots of s6 are made, changed and taken out, services
# start, stop or are adopted: the next start finds whole slots and no others,
# each service runs once if it is wanted, and nothing is left behind.
# usage: slots.sh [points [phase]]	0 points: all of them
#	FAULT_LANES=3 tries three at a time; FAULT_EVERY=1 with every call,
#	not only those that change something
. "${0%/*}/lanes"
lanes "$0" "$@"
. "${0%/*}/lab"
command -v s6-svscan >/dev/null || skip_all "needs s6"

make_users
make_certs
PORT=$(free_port) APORT=$(free_port)
SCAN=/run/service
H=$T/home
mkdir -p "$T/empty" "$H/gw" "$H/nat" "$H/spare" "$T/logs" "$SCAN"
install -d -m 1777 "$T/locks"

# A service that says when there are two of it, and takes a moment to end.
mk_release r1
cat > "$T/src/r1/bin/stay" <<'S'
#!/usr/bin/perl
use Fcntl ':flock';
my ($dir, $name) = @ARGV;
sub note { open(my $f, '>>', "$dir/twice"); syswrite($f, "$name $$\n"); }
$SIG{TERM} = sub { select(undef, undef, undef, 0.1); exit 0 };
open(my $lock, '>>', "$dir/$name.lock") or exit 1;
flock($lock, LOCK_EX | LOCK_NB) or note();
sleep 1000 while 1;
S
chmod 0755 "$T/src/r1/bin/stay"
tar -C "$T/src/r1" --owner=0 --group=0 --sort=name -cf - . |
    gzip -1n > "$T/r1.tgz"

gw() {		# value supervisor [more]
	cat <<C
	service "gw" {
		optional
		user "_updagent"
		home "$H"
		profiles "$H/gw" marker "SOUL.md"
		runtime files { "gw.pid" }
		reconcile log "$H/boot.log"
		environment { "VALUE=$1" }
		command { "bin/stay" "$T/locks" "gw-%p" }
		$2
		${3:-stop TERM within 2s}
	}
C
}

nat() {
	cat <<C
	service "nat" {
		optional
		user "_updagent"
		home "$H/spare"
		profiles "$H/nat" marker "SOUL.md"
		command { "bin/stay" "$T/locks" "nat-%p" }
		stop TERM within 2s
	}
C
}

conf() {	# name services...
	out=$T/conf.$1
	shift
	cat > "$out" <<C
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
agent "default" {
	root "$T/agent"
$(printf '%s\n' "$@")
}
C
	chmod 0600 "$out"
}

S6="supervise s6 \"$SCAN\" owner \"_updagent\""
conf a "$(gw 1 "$S6")" "$(nat)"
conf b "$(gw 2 "$S6" 'stop TERM within 3s')" "$(nat)"
conf log "$(gw 1 "$S6" "log \"$T/logs/%p\"")" "$(nat)"
conf native "$(gw 1 "")" "$(nat)"
conf elsewhere "$(gw 1 "supervise s6 \"$SCAN.2\" owner \"_updagent\"")" "$(nat)"
conf none "$(nat)"
lab_env
export H SCAN
python3 "$HERE/fault/slots.py" "${1:-${FAULT_POINTS:-0}}" \
    ${2+"$2"}
