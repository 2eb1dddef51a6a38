# What the live tests, the demo and the benchmarks share: POSIX sh, TAP.
#
# A test begins with
#	. "${0%/*}/../lib.sh"
# and ends with `finish`.  In between it has a directory of its own in $T
# with certificates in $T/certs, and whatever it asks for here.
#
# Each runs in a mount name space with an empty /run, in a network name space
# that has loopback and nothing else, and in a cgroup, of its own: so that
# two daemons with services of the same name can run at the same time,
# nobody takes the other's port, and mounts go away with the test, however
# it ends.  One that sets OWN_PIDS=yes before has a pid name space, too: for
# processes that cannot be seen to be ours, supervisors say.
#
# Processes are only ever killed by pids that were seen to be ours: their
# command line or program lies in $T.

if [ "$(id -u)" != 0 ]; then
	echo "1..0 # SKIP needs root"
	exit 0
fi
if [ -z "${UPD_NAMESPACE-}" ]; then
	UPD_NETWORK=own
	unshare --net true 2>/dev/null || UPD_NETWORK=
	if unshare --mount ${OWN_PIDS:+--pid --fork} true 2>/dev/null; then
		export UPD_NETWORK
		UPD_NAMESPACE=own exec unshare --mount --propagation private \
		    ${OWN_PIDS:+--pid --fork --kill-child --mount-proc} \
		    ${UPD_NETWORK:+--net} -- sh "$0" "$@"
	fi
	UPD_NAMESPACE=shared UPD_NETWORK=
fi

set -u
HERE=$(cd "${LIBDIR:-${0%/*}/..}" && pwd)	# regress/
TOP=${HERE%/*}
UPDATERD=${UPDATERD:-$TOP/updaterd/updaterd}
UPDATERCTL=${UPDATERCTL:-$TOP/updaterctl/updaterctl}
UPDATERMASTER=${UPDATERMASTER:-$TOP/updatermaster/updatermaster}
AGENT=$HERE/agent/agent
TESTS=0
FAILED=0
UPID=			# the daemon's parent
RUN_EXISTED=$(ls -d /run/updaterd 2>/dev/null)
PATH=$PATH:/usr/sbin:/sbin
export LC_ALL=C

T=$(mktemp -d "${TMPDIR:-/tmp}/updtest.XXXXXX") || exit 1
chmod 0755 "$T"
if [ "$UPD_NAMESPACE" = own ]; then
	mount -t tmpfs -o mode=0755 tmpfs /run || exit 1
	[ -z "$UPD_NETWORK" ] || "$AGENT" --loopback || exit 1
	if [ "$(stat -c %a /dev/null)" != 666 ]; then
		# Some machines have it unfit for unprivileged shells.
		mknod -m 0666 /run/null c 1 3 && chmod 0666 /run/null &&
		    mount --bind /run/null /dev/null
	fi
fi
CG=$(awk '$0 ~ / - cgroup2 / { print $5; exit }' /proc/self/mountinfo)
CGHOME=
if [ -n "$CG" ]; then
	CGHOME=$CG$(sed -n 's/^0:://p' /proc/self/cgroup)
	CG=${CGHOME%/}/${T##*/}
	if mkdir "$CG" 2>/dev/null; then
		echo $$ > "$CG/cgroup.procs" 2>/dev/null || rmdir "$CG"
	fi
fi

# --- TAP --------------------------------------------------------------

# A figure, or the like; and why something failed, which prove shows.
note() {
	printf '%s\n' "$*" | sed 's/^/# /'
}

diag() {
	note "$@" >&2
}

ok() {		# description
	TESTS=$((TESTS + 1))
	echo "ok $TESTS - $*"
}

not_ok() {	# description
	TESTS=$((TESTS + 1))
	FAILED=$((FAILED + 1))
	echo "not ok $TESTS - $*"
}

skip() {	# reason
	TESTS=$((TESTS + 1))
	echo "ok $TESTS # SKIP $*"
}

skip_all() {	# reason
	echo "1..0 # SKIP $*"
	exit 0
}
[ -z "${OWN_PIDS-}" ] || [ "$UPD_NAMESPACE" = own ] ||
    skip_all "needs name spaces of its own"

# t description command...: the command must succeed
t() {
	desc=$1
	shift
	if "$@" >"$T/t.out" 2>&1; then
		ok "$desc"
	else
		not_ok "$desc"
		diag "failed: $*"
		diag "$(tail -n 10 "$T/t.out")"
	fi
}

is() {		# got expected description
	if [ "$1" = "$2" ]; then
		ok "$3"
	else
		not_ok "$3"
		diag "     got: $1"
		diag "expected: $2"
	fi
}

like() {	# got pattern description (extended regular expression)
	if printf '%s\n' "$1" | grep -Eq -- "$2"; then
		ok "$3"
	else
		not_ok "$3"
		diag "     got: $1"
		diag "expected: /$2/"
	fi
}

unlike() {	# got pattern description
	if printf '%s\n' "$1" | grep -Eq -- "$2"; then
		not_ok "$3"
		diag "got: $1"
	else
		ok "$3"
	fi
}

finish() {
	stop_updaterd
	echo "1..$TESTS"
	[ $FAILED = 0 ] && exit 0
	if [ -s "$T/log" ]; then
		diag "the daemon's last words:"
		diag "$(tail -n 40 "$T/log")"
	fi
	exit 1
}

# --- waiting ----------------------------------------------------------

# wait_for seconds command...: until it succeeds; 1 when it did not, on a
# machine that may have four times as much to do as it can
wait_for() {
	end=$(($(date +%s) + $1 * 4))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -le $end ] || return 1
		sleep 0.02
	done
	return 0
}

# The date in the head of a signed archive: whole seconds, and of a clock that
# may be some milliseconds behind that of date(1).
signed_on() {	# file
	head -c 400 "$1" | grep -a '^date=' | cut -d= -f2
}
signed_after() {	# date file command...: sign until the date is later
	signed_than=$1 signed_file=$2
	shift 2
	"$@" && [ "$(signed_on "$signed_file")" \> "$signed_than" ]
}

alive() {	# pid: runs, and is no zombie
	case $1 in ''|0|1|null|*[!0-9]*) return 1;; esac
	[ -e "/proc/$1/stat" ] &&
	    ! grep -q '^State:[[:space:]]*[ZX]' "/proc/$1/status" 2>/dev/null
}

gone() {
	! alive "$1"
}

now_ms() {
	echo $(($(date +%s%N) / 1000000))
}

# --- processes --------------------------------------------------------

# Is this process one of ours?  Its program or an argument lies in $T.
ours() {	# pid
	case $1 in ''|0|1|*[!0-9]*) return 1;; esac
	case $(readlink "/proc/$1/exe" 2>/dev/null) in "$T"/*) return 0;; esac
	case $(readlink "/proc/$1/cwd" 2>/dev/null) in "$T"/*) return 0;; esac
	[ "$1" != $$ ] && tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline" |
	    grep -qF "$T/"
}

kill9() {	# pid: of ours, and never below 2
	if [ "${1:-0}" -gt 1 ] 2>/dev/null; then
		kill -KILL "$1"
	fi
}

sweep() {
	for dir in /proc/[0-9]*; do
		p=${dir#/proc/}
		[ "$p" != $$ ] && ours "$p" && kill9 "$p" 2>/dev/null
	done
}

cleanup() {
	trap - EXIT
	trap '' INT TERM HUP
	cd /
	if alive "${UPID:-0}"; then
		kill -TERM "$UPID"
		wait_for 15 gone "$UPID" || kill9 "$UPID"
	fi
	sweep
	for p in ${KILL_AT_EXIT-}; do
		alive "$p" && kill9 "$p" 2>/dev/null
	done
	if [ -n "$CG" ] && [ -d "$CG" ]; then
		echo $$ > "$CGHOME/cgroup.procs" 2>/dev/null
		wait_for 3 rmdir_cg
	fi
	if [ "$UPD_NAMESPACE" = own ]; then
		cut -d' ' -f2 /proc/self/mounts | grep "^$T/" | sort -r |
		    while read -r m; do
			umount "$m" 2>/dev/null || umount -l "$m"
		    done
	fi
	if [ -n "${REMOVE_USERS-}" ]; then
		for u in ${MADE_USERS-}; do
			userdel "$u" 2>/dev/null
			groupdel "$u" 2>/dev/null
		done
	fi
	if [ "$UPD_NAMESPACE" = shared ] && [ -z "$RUN_EXISTED" ]; then
		rm -rf /run/updaterd
	fi
	[ -n "${UPD_KEEP-}" ] && echo "# kept: $T" || rm -rf "$T"
}

rmdir_cg() {
	[ -d "$CG" ] || return 0
	find "$CG" -depth -type d -exec rmdir {} + 2>/dev/null
	[ ! -d "$CG" ]
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

# --- users, ports, certificates ---------------------------------------

make_users() {
	for u in _updaterd _updunpack _updagent; do
		id "$u" >/dev/null 2>&1 && continue
		# Two tests may try at once: one of them wins.
		useradd -r -U -d /nonexistent -s /usr/sbin/nologin "$u" \
		    >/dev/null 2>&1
		wait_for 10 id "$u" || {
			echo "Bail out! cannot create user $u"
			exit 1
		}
		MADE_USERS="${MADE_USERS-} $u"
	done
}

free_port() {
	"$AGENT" --free-port
}

make_certs() {
	sh "$HERE/certs.sh" "$T/certs" "$@" || {
		echo "Bail out! cannot make certificates"
		exit 1
	}
	chmod 0755 "$T/certs"
}

# --- configuration ----------------------------------------------------

# write_conf: to $T/conf.  What a test wants otherwise it sets before:
#	C_TOP C_TLS C_LIMITS C_PERMIT C_AGENT C_SERVICE C_HEALTH C_ARGS
#	C_MORE (more agents), C_KEEP, C_COMMAND, C_ROOT, C_STOP
write_conf() {
	C_ROOT=${C_ROOT:-$T/agent}
	: "${PORT:=$(free_port)}" "${APORT:=$(free_port)}"
	cat > "$T/conf.new" <<C
user "_updaterd"
unpack user "_updunpack"
chroot "$T/empty"
control "$T/updaterd.sock"
state "$T/state"
${C_TOP-}
listen on 127.0.0.1 port $PORT
tls {
	ca "$T/certs/ca.crt"
	certificate "$T/certs/updater.crt"
	key "$T/certs/updater.key"
	${C_TLS-}
}
${C_LIMITS-}
permit self from subject "updater-master"
permit read from subject "monitor"
permit control from subject "controller"
${C_PERMIT-}
agent "default" {
	root "$C_ROOT"
	keep ${C_KEEP:-3}
	${C_AGENT-}
	service "agent" {
		user "_updagent"
		command { ${C_COMMAND:-"\"bin/agent\" \"--port\" \"$APORT\"
		    \"--cert\" \"$T/certs/worker.crt\"
		    \"--key\" \"$T/certs/worker.key\"
		    \"--ca\" \"$T/certs/ca.crt\" ${C_ARGS-}"} }
		${C_HEALTH:-$(https_health)}
		stop TERM within ${C_STOP:-3s}
		${C_SERVICE-}
	}
	${C_SERVICES-}
}
${C_MORE-}
C
	chmod 0600 "$T/conf.new"
	mv "$T/conf.new" "$T/conf"
}

https_health() {	# [within [timeout]]
	cat <<C
health https 127.0.0.1 port $APORT path "/health" status 200 {
			ca "$T/certs/ca.crt"
			certificate "$T/certs/worker.crt"
			key "$T/certs/worker.key"
			within ${1:-3s} timeout ${2:-1s}
		}
C
}

# --- the daemon -------------------------------------------------------

listening() {
	[ -S "$T/updaterd.sock" ] && ctl status >/dev/null 2>&1 &&
	    [ "$(api GET /health)" = 200 ]
}

listening_or_gone() {
	gone "$UPID" || listening
}

start_updaterd() {	# [options]
	[ -f "$T/conf" ] || write_conf
	mkdir -p "$T/empty"
	"$UPDATERD" -d -f "$T/conf" "$@" >>"$T/log" 2>&1 </dev/null &
	UPID=$!
	wait_for 20 listening_or_gone
	if gone "$UPID" || ! listening; then
		echo "# the daemon does not listen"
		diag "$(tail -n 30 "$T/log")"
		echo "Bail out! updaterd did not start"
		exit 1
	fi
}

stop_updaterd() {
	alive "${UPID:-0}" || return 0
	kill -TERM "$UPID"
	wait_for 20 gone "$UPID" || {
		diag "updaterd does not end; killed"
		kill9 "$UPID"
	}
	wait "$UPID" 2>/dev/null
	UPID=
}

# What comes next is another run of the host: the boot id is another one.  In
# a mount name space of our own only.
new_boot_id() {
	umount /proc/sys/kernel/random/boot_id 2>/dev/null
	cat /proc/sys/kernel/random/uuid > "$T/boot_id"
	chmod 0444 "$T/boot_id"
	mount --bind "$T/boot_id" /proc/sys/kernel/random/boot_id
}

new_boot() {	# ... and no service survives
	for p in $(service pid); do
		alive "$p" && kill9 "$p"
	done
	new_boot_id
}

as_user() {	# command...: as who runs the services
	setpriv --reuid=_updagent --regid=_updagent --clear-groups \
	    --no-new-privs "$@"
}

# The daemon with all of its own processes, and its service.
setup() {
	make_users
	make_certs
	write_conf
	start_updaterd
}

ctl() {
	"$UPDATERCTL" -s "$T/updaterd.sock" "$@"
}

status() {	# jq filter
	ctl -j status 2>/dev/null | jq -r "$1"
}

process() {	# name: its pid, net or probe; or inflate, unpack in flight
	case $1 in
	parent)	echo "$UPID";;
	net|probe)
		status ".processes[] | select(.name == \"$1\") | .pid";;
	*)	pgrep -P "$UPID" -f "$1" | head -n 1;;
	esac
}

service() {	# field [name]
	status ".agents[].services[] |
	    select(.name == \"${2:-agent}\") | .$1"
}

# --- releases and requests --------------------------------------------

# mk_release NAME [behaviour...]: $T/NAME.tgz and its digest in
# $T/NAME.sha256.  Besides those of the agent: not-executable,
# install-fails (install.sh exits 3), install-slow=SECONDS, big=BYTES.
mk_release() {
	name=$1
	shift
	rm -rf "$T/src/$name"
	mkdir -p "$T/src/$name/bin" "$T/src/$name/share"
	cp "$AGENT" "$T/src/$name/bin/agent"
	chmod 0755 "$T/src/$name/bin/agent"
	echo "$name" > "$T/src/$name/VERSION"
	echo "release notes of $name" > "$T/src/$name/share/notes"
	cat > "$T/src/$name/install.sh" <<'I'
echo "install: checking"
echo done > installed
I
	: > "$T/src/$name/behaviour"
	for b; do
		case $b in
		not-executable)
			chmod 0644 "$T/src/$name/bin/agent";;
		install-fails)
			echo 'echo "install: cannot find libfoo.so.7" >&2' \
			    > "$T/src/$name/install.sh"
			echo 'exit 3' >> "$T/src/$name/install.sh";;
		install-slow=*)
			echo "sleep ${b#*=}" > "$T/src/$name/install.sh";;
		big=*)
			head -c "${b#*=}" /dev/urandom \
			    > "$T/src/$name/share/big";;
		*)
			echo "$b" >> "$T/src/$name/behaviour";;
		esac
	done
	pack_release "$name"
}

# Of what is in $T/src/NAME now.
pack_release() {
	tar -C "$T/src/$1" --owner=0 --group=0 --sort=name -cf - . |
	    gzip -1n > "$T/$1.tgz"
	digest "$T/$1.tgz" > "$T/$1.sha256"
}

digest() {	# file
	sha256sum "$1" | cut -d' ' -f1
}

# request curl-options...: as $CERT (master); prints the status, the body
# is in $T/body, curl's complaint in $T/curl.err.
request() {
	: > "$T/body"
	curl -sS --max-time 60 -o "$T/body" -w '%{http_code}' \
	    --cacert "$T/certs/ca.crt" \
	    --cert "$T/certs/${CERT:-master}.crt" \
	    --key "$T/certs/${CERT:-master}.key" "$@" 2>"$T/curl.err"
}

api() {		# method path [curl options]
	method=$1 path=$2
	shift 2
	request -X "$method" "https://127.0.0.1:$PORT$path" "$@"
}

push() {	# name [curl options]: prints the status
	name=$1
	shift
	request -F "sha=$name" -F "sha256=$(cat "$T/$name.sha256")" \
	    -F "tarball=@$T/$name.tgz" "$@" \
	    "https://127.0.0.1:$PORT/update"
}

body() {	# jq filter, of the last answer
	jq -r "$1" "$T/body" 2>/dev/null
}

# What the service itself says it is.
serving() {
	curl -sS --max-time 3 --cacert "$T/certs/ca.crt" \
	    --cert "$T/certs/worker.crt" --key "$T/certs/worker.key" \
	    "https://127.0.0.1:$APORT/health" 2>/dev/null |
	    jq -r .version 2>/dev/null
}

is_serving() {	# name
	[ "$(serving)" = "$1" ]
}

# Names of what is being staged or thrown away; nothing when at rest.
staging() {
	find "$C_ROOT/releases" -mindepth 1 -maxdepth 1 -name '.*' \
	    -printf '%f\n' 2>/dev/null
}

clean_staging() {
	[ -z "$(staging)" ] && [ ! -e "$C_ROOT/update.json" ]
}

idle() {	# no update in flight
	[ "$(status .update)" = null ]
}

current() {	# id of the active release
	readlink "$C_ROOT/current" | sed 's|^releases/||'
}

# The release under `current` is complete: metadata, manifest, and every
# file as the tarball of that name had it.
complete() {	# name
	id=$(current)
	[ -f "$C_ROOT/releases/$id.json" ] &&
	    [ -f "$C_ROOT/releases/$id.mtree" ] &&
	    [ "$(cat "$C_ROOT/current/VERSION")" = "$1" ] &&
	    diff -r --exclude=installed "$T/src/$1" "$C_ROOT/current/"
}
