#!/bin/sh
# Goal: at rest no process of ours wakes up, and all of them together need
# less than 16 MiB (PSS).
. "${0%/*}/../lib.sh"
setup
mk_release r1
is "$(push r1)" 200 "a good release"
t "at rest" wait_for 10 clean_staging
mine() {
	echo "$UPID"
	pgrep -P "$UPID" | while read -r p; do
		case $(readlink "/proc/$p/exe") in
		"$UPDATERD") echo "$p";;
		esac
	done
}
# curl's connections are kept alive for a moment by nobody: let net close.
sleep 1
pids=$(mine)
args=
for p in $pids; do
	args="$args -p $p"
done
is "$(echo "$pids" | wc -l)" 3 "parent, net and probe"
# shellcheck disable=SC2086
timeout -s INT 5 strace -f -qq -o "$T/trace" $args 2>"$T/strace.err"
if [ -s "$T/strace.err" ] && grep -qi 'not permitted' "$T/strace.err"; then
	skip "strace is not permitted here"
else
	# What a call returns to when strace lets go is not a wake-up.
	n=$(grep -vEc 'strace: |<detached|epoll_p?wait|resumed|restart' \
	    "$T/trace")
	is "$n" 0 "no system call in 5 s"
	[ "$n" = 0 ] || diag "$(head -n 10 "$T/trace")"
fi
sum=0
for p in $pids; do
	pss=$(awk '/^Pss:/ { print $2 }' "/proc/$p/smaps_rollup")
	note "$(tr '\0' ' ' <"/proc/$p/cmdline" | cut -c1-40): $pss kB"
	sum=$((sum + pss))
done
case $(nm -D "$UPDATERD" 2>/dev/null) in
*__asan*)	skip "memory under the address sanitizer";;
*)		t "$sum kB of 16384 kB PSS" test "$sum" -lt 16384;;
esac
finish
