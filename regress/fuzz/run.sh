#!/bin/sh
# `make fuzz T=60`: each harness under libFuzzer with the sanitizers, T
# seconds long, from the seeds and from what earlier runs found.  A table at
# the end; the inputs that broke something are kept in regress/fuzz/crash.
#	run.sh [name ...]
# Of the environment: T (seconds), FUZZ_DIR (build and corpora; not in git),
# FUZZ_CFLAGS, FUZZ_LIBS, YACC.
set -u
cd "$(dirname "$0")/../.." || exit 1
: "${T:=60}" "${FUZZ_DIR:=$PWD/regress/fuzz/build}"
here=$PWD/regress/fuzz
[ $# -gt 0 ] || set -- $(ls "$here"/fuzz_*.c | sed 's|.*/fuzz_\(.*\)\.c|\1|')
for name in "$@"; do
	[ -e "$here/fuzz_$name.c" ] || {
		echo "no harness $name; there is:" \
		    "$(ls "$here"/fuzz_*.c | sed 's|.*/fuzz_\(.*\)\.c|\1|' |
		    tr '\n' ' ')" >&2
		exit 2
	}
done
mkdir -p "$FUZZ_DIR"
case " $* " in
*" llhttp "*)
	sh "$here/llhttp/get.sh" "$FUZZ_DIR/llhttp" || exit 1
	;;
esac
export FUZZ_DIR
sh "$here/build.sh" libfuzzer "$FUZZ_DIR" "$@" || exit 1
rm -rf "$FUZZ_DIR/seeds"
python3 "$here/seeds.py" "$FUZZ_DIR/seeds" || exit 1

export ASAN_OPTIONS="detect_leaks=1:allocator_may_return_null=1"
export UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1"
bad=0 table=$FUZZ_DIR/table
{
	printf '%-10s %7s %12s %8s %8s %7s %8s\n' harness seconds executions \
	    coverage features inputs findings
} > "$table"
: > "$table.notes"
for name in "$@"; do
	log=$FUZZ_DIR/$name.log corpus=$FUZZ_DIR/corpus/$name
	mkdir -p "$corpus" "$here/crash"
	before=$(ls "$here/crash" | wc -l)
	echo "fuzz $name for $T s"
	begun=$(date +%s)
	set -- "$corpus" "$FUZZ_DIR/seeds/$name"
	[ ! -d "$here/corpus/$name" ] || set -- "$@" "$here/corpus/$name"
	nice -n 19 "$FUZZ_DIR/bin/$name" -max_total_time="$T" -timeout=20 \
	    -rss_limit_mb=2048 -malloc_limit_mb=1024 -max_len=20480 \
	    -print_final_stats=1 -verbosity=1 \
	    -artifact_prefix="$here/crash/$name-" "$@" > "$log" 2>&1
	status=$?
	found=$(($(ls "$here/crash" | wc -l) - before))
	[ $status = 0 ] || [ $found -gt 0 ] || found="exit $status"
	last=$(grep -a ' cov: ' "$log" | tail -n 1)
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
	printf '%-10s %7s %12s %8s %8s %7s %8s\n' "$name" \
	    $(($(date +%s) - begun)) "${runs:-?}" \
	    "$(echo "$last" | sed 's/.* cov: \([0-9]*\).*/\1/')" \
	    "$(echo "$last" | sed 's/.* ft: \([0-9]*\).*/\1/')" \
	    "$(ls "$corpus" | wc -l)" "$found" >> "$table"
	if [ "$name" = llhttp ]; then
		# The same corpus against the current llhttp.
		rm -f "$FUZZ_DIR/accepted"
		LLHTTP_DUMP=$FUZZ_DIR/accepted "$FUZZ_DIR/bin/llhttp" -runs=0 \
		    "$@" >/dev/null 2>&1
		node "$here/llhttp/batch.js" "$FUZZ_DIR/llhttp" \
		    "$FUZZ_DIR/accepted" >> "$table.notes" || bad=1
	fi
	if [ "$found" != 0 ]; then
		bad=1
		echo "$name: see $log" >&2
		grep -a -m 3 -E 'ERROR|SUMMARY|runtime error' "$log" >&2
	fi
done
cat "$table" "$table.notes"
rmdir "$here/crash" 2>/dev/null
exit $bad
