# What the live tests of slots of s6 share, behind lib.sh: a service of
# profiles whose processes say when two of the same run.
. "$HERE/svscan.sh"

H=$T/home
P=$H/profiles
mkdir -p "$P" "$SCAN"
chown -R _updagent "$H"
install -d -m 1777 "$T/locks"

profile() {	# name [state]
	as_user mkdir "$P/$1"
	printf '{"gw_state":"%s"}' "${2:-running}" |
	    as_user tee "$P/$1/gw_state.json" >/dev/null
	as_user touch "$P/$1/SOUL.md"
}

nothing_twice() {
	cat "$T/locks/wrong" 2>/dev/null
	[ ! -e "$T/locks/wrong" ]
}

# Supervisors whose slot has gone from under them.
lost() {
	for p in $(pgrep s6-supervise); do
		case $(readlink "/proc/$p/cwd") in
		*deleted*|*/.dead-*) echo "$p";;
		esac
	done
}
none_lost() {
	[ -z "$(lost)" ]
}

# It takes a while to end, and keeps a lock until it has.
s6_release() {	# name
	mk_release "$1"
	cat > "$T/src/$1/bin/stay" <<'S'
#!/usr/bin/perl
use Fcntl ':flock';
my ($dir, $name) = @ARGV;
$SIG{TERM} = sub { select(undef, undef, undef, 0.3); exit 0 };
open(my $lock, '>>', "$dir/$name.lock") or exit 1;
if (!flock($lock, LOCK_EX | LOCK_NB)) {
	open(my $f, '>>', "$dir/wrong");
	syswrite($f, "twice $name\n");
}
sleep 1000 while 1;
S
	chmod 0755 "$T/src/$1/bin/stay"
	pack_release "$1"
}

s6_conf() {	# [what else is said of the service]
	C_SERVICES="service \"gw\" {
		user \"_updagent\"
		home \"$H\"
		profiles \"$P\" marker \"SOUL.md\"
		command { \"bin/stay\" \"$T/locks\" \"gw-%p\" }
		supervise s6 \"$SCAN\" owner \"${OWNER:-_updagent}\" ${MOUNT-}
		stop TERM within 2s
		${1-}
	}
	${FIXED-}"
	write_conf
}
C_SERVICE=optional
C_HEALTH='health none'
