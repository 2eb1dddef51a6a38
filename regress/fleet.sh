# Many daemons on one machine, for the tests and figures of updatermaster.
# To be read after lib.sh; each daemon has a mount name space, a cgroup, an
# address 127.x.y.z and a directory $T/h/NAME of its own, and a service that
# only sleeps: it is its check that says whether a release is good.

M=$T/master
FLEET=

um() {
	"$UPDATERMASTER" -d "$M" "$@"
}

host_address() {	# number: from 1
	echo "127.77.$(($1 / 250)).$(($1 % 250 + 1))"
}

host_name() {		# number
	printf 'h%03d' "$1"
}

host_conf() {		# name address
	d=$T/h/$1
	cat > "$d/conf" <<C
user "_updaterd"
unpack user "_updunpack"
chroot "$T/empty"
control "$d/updaterd.sock"
state "$d/state"
listen on $2 port $PORT
tls {
	ca "$M/hosts/$1/ca.crt"
	certificate "$M/hosts/$1/updater.crt"
	key "$M/hosts/$1/updater.key"
}
permit self from subject "updater-master"
agent "default" {
	root "$d/agent"
	limits { reserve 0% }
	service "sleeper" {
		user "_updagent"
		command { "/bin/sh" "run.sh" }
		health exec { "/bin/sh" "$d/agent/current/check.sh" "$d" } {
			within 1500ms timeout 1s
		}
		stop TERM within 3s
	}
}
C
	# HOST_SELF: the time that a new updaterd has
	[ -z "${HOST_SELF-}" ] ||
	    echo "self { root \"$d/self\" within $HOST_SELF }" >> "$d/conf"
	chmod 0600 "$d/conf"
}

# start_host name: its pid is in $T/h/NAME/pid
start_host() {
	mkdir -p "$CG/$1" 2>/dev/null
	(
		[ -d "$CG/$1" ] && sh -c 'echo $PPID' > "$CG/$1/cgroup.procs"
		exec unshare --mount --propagation private sh -c '
			mount -t tmpfs -o mode=0755 tmpfs /run
			exec "$0" -d -f "$1/conf" >>"$1/log" 2>&1' \
		    "$UPDATERD" "$T/h/$1" </dev/null
	) &
	echo $! > "$T/h/$1/pid"
	KILL_AT_EXIT="${KILL_AT_EXIT-} $!"
}

stop_host() {	# name
	p=$(cat "$T/h/$1/pid")
	[ "$(readlink "/proc/$p/exe")" = "$(readlink -f "$UPDATERD")" ] ||
	    return 1
	kill -TERM "$p"
	wait_for 15 gone "$p"
}

fleet_answers() {
	um status --all
}

# fleet n: so many, enrolled and running; names in $FLEET
fleet() {
	make_users
	: "${PORT:=$(free_port)}"
	mkdir -p "$T/empty" "$T/h"
	um init >"$T/init.out" 2>&1 || {
		diag "$(cat "$T/init.out")"
		echo "Bail out! updatermaster init"
		exit 1
	}
	i=0
	while [ $i -lt "$1" ]; do
		i=$((i + 1))
		n=$(host_name $i) a=$(host_address $i)
		mkdir -p "$T/h/$n"
		um enroll "$n" "$a:$PORT" --group "g$((i % 2))" \
		    >"$T/enroll.out" 2>&1 || {
			diag "$(cat "$T/enroll.out")"
			echo "Bail out! updatermaster enroll"
			exit 1
		}
		host_conf "$n" "$a"
		start_host "$n"
		FLEET="$FLEET $n"
	done
	wait_for 60 fleet_answers || {
		diag "$(um status --all | tail -n 5)"
		diag "$(tail -n 5 "$T/h/$n/log")"
		echo "Bail out! the daemons do not answer"
		exit 1
	}
}

# mk_fleet_release NAME [bad] [slow]: $T/NAME.tgz
mk_fleet_release() {
	mkdir -p "$T/src/$1"
	echo "$1" > "$T/src/$1/VERSION"
	cat > "$T/src/$1/run.sh" <<'R'
echo "sleeper: began"
exec sleep 100000
R
	cat > "$T/src/$1/check.sh" <<'C'
[ ! -e "$1/broken" ] || { echo "check: this host is broken"; exit 1; }
[ ! -e "$1/agent/current/bad" ] || { echo "check: bad release"; exit 1; }
C
	case " $* " in *" bad "*) : > "$T/src/$1/bad";; esac
	case " $* " in *" slow "*)
		echo 'sleep 0.3' >> "$T/src/$1/check.sh";; esac
	[ -z "${3-}" ] || [ "$3" = slow ] ||
	    head -c "$3" /dev/urandom > "$T/src/$1/ballast"
	pack_release "$1"
}

# How often a host was given that sha, whatever came of it; an upload that
# was cut off gave it nothing.
given() {	# name sha
	jq -r --arg s "$2" 'select(.sha == $s and .event == "update" and
	    .result != "dry_run" and .phase != "receive") | .sha' \
	    "$T/h/$1/agent/history.jsonl" 2>/dev/null | grep -c .
}

# The fleet's counts of it, in order: "1 1 0 0"
all_given() {	# sha
	for n in $FLEET; do given "$n" "$1"; done | tr '\n' ' ' |
	    sed 's/ $//'
}

# What the hosts have active: "r1 r1 r2"
all_active() {
	for n in $FLEET; do
		cat "$T/h/$n/agent/current/VERSION" 2>/dev/null || echo -
	done | tr '\n' ' ' | sed 's/ $//'
}
