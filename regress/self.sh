# What the tests of self-update share: sourced after lib.sh.
#
# The base is a copy of the daemon in $T/bin: it is what "the package" has
# installed, and must never be written to.  A broken updater is a script in
# its place that passes -V and -n, and then does what its kind says; or one
# that becomes a real updaterd with something broken around it.

OTHER=${OTHER:-$TOP/regress/self/updaterd}
FAULTY=${FAULTY:-$TOP/regress/fault/updaterd}
SELF_WITHIN=${SELF_WITHIN:-3s}
MODE=bare		# bare: in the background; loop: a restarter; hand: -d

mk_self() {	# name program
	rm -rf "$T/src/$1"
	mkdir -p "$T/src/$1/sbin"
	cp "$2" "$T/src/$1/sbin/updaterd"
	chmod 0755 "$T/src/$1/sbin/updaterd"
	echo "$1" > "$T/src/$1/NAME"
	pack_release "$1"
}

last_self() {	# what history ends with
	ctl -j history self | jq -c '.history[0]'
}

push_self() {	# name [curl options]
	name=$1
	shift
	last_self >"$T/history.before" 2>&1
	request -F "sha=$name" -F "sha256=$(cat "$T/$name.sha256")" \
	    -F confirm_self=true -F "tarball=@$T/$name.tgz" "$@" \
	    "https://127.0.0.1:$PORT/update-self"
}

# A client that asks all the time, and is to be refused nothing.
loop_client() {
	python3 "$HERE/tight.py" --port "$PORT" --certs "$T/certs" \
	    --until "$T/enough" > "$T/client" 2>&1 &
	CLIENT=$!
	KILL_AT_EXIT="${KILL_AT_EXIT-} $CLIENT"
	wait_for 10 test -s "$T/client"
}

end_client() {
	: > "$T/enough"
	wait "$CLIENT"
	client=$?
	rm -f "$T/enough"
	note "$(tail -n 1 "$T/client")"
	return $client
}

setup_self() {
	make_users
	make_certs
	mkdir -p "$T/bin" "$T/empty"
	cp "$UPDATERD" "$T/bin/updaterd"
	chmod 0755 "$T/bin" "$T/bin/updaterd"
	base=$(digest "$T/bin/updaterd")
	C_TOP="self { root \"$T/self\" within $SELF_WITHIN }"
	write_conf
}

# Start by hand, by a restarter, or as rc does.
start_self() {
	case $MODE in
	bare)
		"$T/bin/updaterd" -f "$T/conf" >>"$T/log" 2>&1 </dev/null;;
	hand)
		"$T/bin/updaterd" -d -f "$T/conf" >>"$T/log" 2>&1 \
		    </dev/null &;;
	loop)
		: > "$T/loop"
		while [ -e "$T/loop" ]; do
			"$T/bin/updaterd" -d -f "$T/conf" >>"$T/log" 2>&1 \
			    </dev/null
			sleep 0.2
		done &
		KILL_AT_EXIT="${KILL_AT_EXIT-} $!";;
	esac
	wait_for 20 listening || {
		diag "$(tail -n 30 "$T/log")"
		echo "Bail out! updaterd did not start"
		exit 1
	}
	UPID=$(status .pid)
}

stop_self() {
	rm -f "$T/loop"
	UPID=$(status .pid)
	stop_updaterd
}

# The host goes down.  One round is not enough: a watch would start updaterd
# again while the others are being killed.
crash() {
	while
		found=
		for p in $(maybe_ours | sort -u); do
			[ "$p" != $$ ] && alive "$p" && ours "$p" || continue
			kill9 "$p"
			found=yes
		done
		[ -n "$found" ]
	do
		:
	done 2>/dev/null
}

maybe_ours() {	# quickly, where there are many processes
	find /proc -maxdepth 2 \( -name exe -o -name cwd \) -lname "$T/*" |
	    cut -d/ -f3
	grep -lsF "$T/" /proc/[0-9]*/cmdline | cut -d/ -f3
}

# 1: the version that answers, 2: "true" or "false", on trial
version_is() {
	api GET /health >/dev/null && [ "$(body .version)" = "$1" ] &&
	    [ "$(body .self.trial)" = "${2:-false}" ]
}

# The release that runs has this name, and is not on trial.
runs() {	# name, or null for the base
	api GET /health >/dev/null && [ "$(body .self.trial)" = false ] &&
	    [ "$(body '.self.release.sha')" = "$1" ]
}

# ... and it is the parent that says so, not the watch of the one before.
serves() {	# name
	runs "$1" && [ -n "$(service pid)" ]
}

# The last trial came to nothing, and NAME runs.
back_to() {	# name: after the last push, not the one before
	runs "$1" && last_self >"$T/history.now" &&
	    [ "$(jq -r .result "$T/history.now")" = rolled_back ] &&
	    ! cmp -s "$T/history.now" "$T/history.before"
}

watchers() {
	for dir in /proc/[0-9]*; do
		ours "${dir#/proc/}" && tr '\0' '\n' <"$dir/cmdline" |
		    grep -q '^updaterd: watch' && echo "${dir#/proc/}"
	done 2>/dev/null
}
no_watchers() {
	[ -z "$(watchers)" ]
}

# A release "slow", which is tried for as long as it takes to come to
# hold_trial, once it is pushed.
mk_slow() {
	cat > "$T/slow.in" <<B
#!/bin/sh
case " \$* " in
*" -n "*)
	: > "$T/trying"
	until [ -e "$T/go" ]; do sleep 0.02; done;;
esac
exec "$T/bin/updaterd" "\$@"
B
	mk_self slow "$T/slow.in"
}

# It is on trial for as long as the net before it, $old, sleeps and so does
# not let go of its sockets.
hold_trial() {
	t "a new one is being tried" wait_for 15 test -e "$T/trying"
	old=$(process net)
	KILL_AT_EXIT="${KILL_AT_EXIT-} $old"
	kill -STOP "$old"
	: > "$T/go"
}
on_trial() {
	[ "$(status .self.trial)" = true ]
}

# mk_broken KIND: $T/KIND.tgz
mk_broken() {
	kind=$1
	echo bad > "$T/$kind.in"
	: > "$T/$kind.do"
	sed "s|^	ca .*ca.crt|	ca \"$T/certs/other-ca.crt|" \
	    "$T/conf" > "$T/no-health.conf"
	sed "s|^	key .*|	key \"$T/certs/worker.key\"|" \
	    "$T/conf" > "$T/no-key.conf"
	echo nonsense > "$T/configuration.conf"
	chmod 0600 "$T"/*.conf
	real="exec \"$T/bin/updaterd\""
	faulty="exec \"$FAULTY\" \"\$@\""
	sleeper="$T/bin/sleeper"
	printf '#!/bin/sh\nexec sleep 1000\n' > "$sleeper"
	chmod 0755 "$sleeper"
	case $kind in
	exit-1)		what='exit 1';;
	exit-0)		what='exit 0';;
	segfault)	what='kill -SEGV $$';;
	library)	what='exit 127';;
	hang)		what="cd $T/bin; exec sleep 1000";;
	stopped)	what='kill -STOP $$';;
	busy)		what='while :; do :; done';;
	leaves-child)	what='sleep 1000 & exit 1';;
	leaves-many)	what='for i in 1 2 3 4 5 6 7 8 9; do
			    setsid sleep 1000 & done; exit 1';;
	runs-itself)	what='exec "$0" "$@"';;
	no-state)	what="rm -f $T/self/self.state; exit 1";;
	bad-state)	what="echo junk > $T/self/self.state; exit 1";;
	takes-control)	what="rm -f $T/updaterd.sock; python3 -c 'import socket
s = socket.socket(socket.AF_UNIX)
s.bind(\"$T/updaterd.sock\")'; exit 1";;
	no-current)	what="rm -f $T/self/current; exit 1";;
	no-sockets)	what="exec 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-
			    $real \"\$@\"";;
	configuration)	what="$real \"\$@\" -f $T/configuration.conf";;
	# The configuration is that only until it has been read.
	no-key|no-health)
		what="cp $T/conf $T/conf.good && cp $T/$kind.conf $T/conf
		(until grep -q '^updaterd: parent' /proc/\$\$/cmdline; do
			sleep 0.01; done; mv $T/conf.good $T/conf) &
		$real \"\$@\"";;
	no-net)		what="export UPDATERD_TEST_NET=/bin/false; $faulty";;
	net-hangs)	what="export UPDATERD_TEST_NET=$sleeper; $faulty";;
	no-probe)	what="export UPDATERD_TEST_PROBE=/bin/false; $faulty";;
	probe-hangs)	what="export UPDATERD_TEST_PROBE=$sleeper; $faulty";;
	*)		echo "Bail out! no kind $kind"; exit 1;;
	esac
	cat > "$T/$kind.in" <<B
#!/bin/sh
case " \$* " in
" -V "*|" -n "*)	exec "$T/bin/updaterd" "\$@";;
esac
$what
B
	mk_self "$kind" "$T/$kind.in"
}

KINDS="exit-1 exit-0 segfault library hang stopped busy leaves-child
    leaves-many runs-itself no-state bad-state takes-control no-current
    no-sockets configuration no-key no-health no-net net-hangs no-probe
    probe-hangs"
