#!/bin/sh
# Goal: 1,000 slow or idle clients and 50 pushes a second that are refused
# keep no good push and no health check from its answer; memory stays
# bounded; descriptors may run out and come back; the monotonic clock may
# pass the edges of 32 bits.  10 s of each load; a minute with FULL=1.
. "${0%/*}/../lib.sh"
SECONDS_EACH=10
[ -z "${FULL-}" ] || SECONDS_EACH=60
C_KEEP=2
setup
mk_release r1
mk_release r2
is "$(push r1)" 200 "a good release"
t "at rest" wait_for 10 clean_staging
ulimit -n 4096 2>/dev/null

fds() {		# pid
	find "/proc/$1/fd" -mindepth 1 2>/dev/null | wc -l
}
as_before() {
	[ "$(fds "$UPID")" -le "$pfds" ] &&
	    [ "$(fds "$(process net)")" -le "$nfds" ]
}
load() {	# title limit-in-kB; the rest for load.py
	title=$1 max=$2
	shift 2
	net=$(process net)
	pfds=$(fds "$UPID") nfds=$(fds "$net")
	python3 "$HERE/fault/load.py" --port "$PORT" --certs "$T/certs" \
	    --parent "$UPID" --program "$UPDATERD" \
	    --seconds "$SECONDS_EACH" "$@" >"$T/load" 2>"$T/load.err" ||
	    diag "$(tail -n 5 "$T/load.err")"
	note "$title: $(cat "$T/load")"
	# A push may meet a bad one that holds the lock until it is refused.
	like "$(jq -r 'keys | map(select(test("^(push|health) ") and
	    (test("slowest|423") | not))) | join(", ")' "$T/load")" \
	    "^health 200(, push 200)?\$" \
	    "$title: every good request is answered 200"
	is "$(jq '.["not refused rightly"] // 0' "$T/load")" 0 \
	    "$title: every other is refused for what it is"
	like "$(jq .held "$T/load")" '[0-9]' \
	    "$title: $(jq .held "$T/load") slow ones at once"
	case $(nm -D "$UPDATERD" 2>/dev/null) in
	*__asan*)	skip "memory under the address sanitizer";;
	*)		t "$title: $(jq '.["peak kB"]' "$T/load") of $max kB" \
			    test "$(jq '.["peak kB"]' "$T/load")" -lt "$max";;
	esac
	is "$(process net)" "$net" "$title: net lives"
	t "$title: descriptors as before" wait_for 10 as_before
	t "$title: at rest" wait_for 10 clean_staging
}

load "default limits" 24576 --release "$T/r2.tgz" --release "$T/r1.tgz"

# So many are let in that none of them is thrown out.
C_LIMITS='limits { connections 1500 per-address 16 }'
rate=5
[ -z "${FULL-}" ] || rate=50
write_conf
t "more are let in" ctl reload
load "1,500 connections" 131072 --dial 200 --refused "$rate" \
    --release "$T/r2.tgz" --release "$T/r1.tgz"
is "$(jq 'keys | map(select(test("thrown out"))) | length' "$T/load")" 0 \
    "nobody who got to the point was thrown out"
t "at least 990 were held" test "$(jq .held "$T/load")" -ge 990
# What they took is used again, not taken anew.
if [ -n "${FULL-}" ]; then
	before=$(jq '.["after kB"]' "$T/load")
	load "the same again" 131072 --refused 5
	t "again: $(jq '.["peak kB"]' "$T/load") kB, after the first time $before kB" \
	    test "$(jq '.["peak kB"]' "$T/load")" -lt $((before + 16384))
fi
C_LIMITS=
write_conf
t "as it was" ctl reload

# Descriptors run out, of net and of the parent, and come back.
name=$(serving)
net=$(process net)
limit() {	# pid soft
	hard=$(awk '/^Max open files/ { print $5 }' "/proc/$1/limits")
	# As its user, where root may not do that to another's process.
	prlimit --pid "$1" --nofile="$2:$hard" 2>/dev/null ||
	    setpriv --reuid _updaterd --regid _updaterd --clear-groups \
	    prlimit --pid "$1" --nofile="$2:$hard"
}
healthy() {
	[ "$(api GET /health)" = 200 ]
}
soft=$(awk '/^Max open files/ { print $4 }' "/proc/$net/limits")
t "net gets no more descriptors" limit "$net" "$(fds "$net")"
for i in 1 2 3; do
	curl -sk --max-time 1 "https://127.0.0.1:$PORT/health" >/dev/null
done
# One for the connection, none for the pipe that a push needs.
limit "$net" "$(($(fds "$net") + 1))"
note "net has one descriptor left; a push waits: $(push r2 -F force=true \
    --max-time 2)"
limit "$net" "$soft"
t "it gets them again" wait_for 10 healthy
t "and all is at rest" wait_for 10 idle
name=$(cat "$C_ROOT/current/VERSION")
is "$(serving)" "$name" "serves"

soft=$(awk '/^Max open files/ { print $4 }' "/proc/$UPID/limits")
answers= odd= i=0
while [ $i -lt 24 ]; do
	pfds=$(fds "$UPID")
	limit "$UPID" "$((pfds + i))"
	s=$(push r2 -F force=true --max-time 30)
	limit "$UPID" "$soft"
	answers="$answers $s"
	case $s in
	200|409|5??)	;;
	*)		odd="$odd $i:$s";;
	esac
	wait_for 10 idle
	wait_for 10 healthy
	wait_for 10 clean_staging || odd="$odd $i:left"
	[ "$s" = 200 ] && name=r2
	wait_for 10 is_serving "$name" || odd="$odd $i:serves:$(serving)"
	[ "$s" = 200 ] && break
	i=$((i + 1))
done
note "with 0, 1, .. descriptors left to the parent:$answers"
is "$odd" "" "the parent without descriptors: an answer, and all is sound"
is "$(push r1 -F force=true)" 200 "with them: a push"
is "$(serving)" r1 "serves"
stop_updaterd

# A clock that jumps.  What we wait for goes by the monotonic one: pushes
# while it passes 2^31 and 2^32 ms.  Steps of the wall clock: clock.sh.
for bits in 31 32; do
	if ! unshare --time --fork true 2>/dev/null; then
		skip "no time name spaces here"
		continue
	fi
	edge=$(((1 << bits) / 1000))
	up=$(cut -d. -f1 /proc/uptime)
	unshare --time --monotonic $((edge - up - 1)) \
	    "$UPDATERD" -d -f "$T/conf" >>"$T/log" 2>&1 </dev/null &
	UPID=$!
	# unshare(1) becomes the program: no fork, it keeps the pid.
	t "2^$bits ms: starts" wait_for 20 listening
	end=$(($(date +%s) + 3)) n=0 bad=
	while [ "$(date +%s)" -lt $end ]; do
		for r in r2 r1; do
			s=$(push $r)
			[ "$s" = 200 ] || bad="$bad $s"
			n=$((n + 1))
		done
	done
	is "$bad" "" "2^$bits ms: $n pushes while it passes"
	t "2^$bits ms: at rest" wait_for 10 clean_staging
	is "$(serving)" r1 "2^$bits ms: serves"
	stop_updaterd
done
finish
