#!/bin/sh
# What a signature costs: the same tree, unsigned and without a release key,
# against signed and verified; through inflate and unpack alone, and as a
# whole push over TLS.  In turns, so that whatever else the machine does
# meets both.  Inflate and unpack write into memory (tmpfs) first: what the
# two themselves cost; then to a file system on a loop, whose own work takes
# part of the processors, too.  Figures, never a verdict.
#	BENCH_RUNS=5	runs of each kind
#	BENCH_RT=1	inflate and unpack at real-time priority: for a
#			machine that has other things to do
LIBDIR=${0%/*}/..
. "${0%/*}/../lib.sh"
[ "$UPD_NAMESPACE" = own ] || skip_all "no mount name space here"
RUNS=${BENCH_RUNS:-5}
RT=${BENCH_RT:+chrt -f 10}

truncate -s 4G "$T/disk.img"
mkfs.ext4 -q -F -E lazy_itable_init=0 "$T/disk.img"
mkdir "$T/disk"
mount -o loop "$T/disk.img" "$T/disk" || skip_all "cannot mount a loop image"
mkdir "$T/memory"
mount -t tmpfs -o size=1G none "$T/memory" || skip_all "cannot mount a tmpfs"
chmod 711 "$T/disk" "$T/memory"
C_ROOT=$T/disk/agent
C_KEEP=2
C_AGENT='limits { unpacked 8G files 200000 reserve 1% }'
M=$T/master
"$UPDATERMASTER" -d "$M" init -k >/dev/null 2>&1
chmod 0644 "$M/release.pub"
cp "$M/release.pub" "$T/release.pub"
setup
mk_release tree
python3 "$HERE/bench/measure.py" tree "$T/src/tree" 5000 100000000
tar -C "$T/src/tree" --owner=0 --group=0 --sort=name -cf - . |
    gzip -6n > "$T/tree.tgz"
digest "$T/tree.tgz" > "$T/tree.sha256"
DRIVE=$T/drive sh "$HERE/archive/build.sh"

median() {
	sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}
least() {
	sort -n | head -n 1
}
# drive directory [-k key] archive: ms, with syncfs, of processor time
drive() {
	dir=$1
	shift
	env TMPDIR="$dir" $RT "$T/drive" -b "$@" 1 |
	    awk '{ print $1, $1 + $5, $9 + $11 }'
}
settle() {
	wait_for 60 clean_staging
	sync -f "$T/disk"
}
sign() {
	"$UPDATERMASTER" -d "$M" sign "$T/tree.tgz" -o "$T/signed.tgz" \
	    >/dev/null
}
with_key() {	# or without
	C_TOP=${1-}
	write_conf
	ctl reload >/dev/null
}
report() {	# name unsigned-file signed-file
	a=$(median <"$2") b=$(median <"$3")
	awk "BEGIN { printf \"    %-34s %6.0f ms, signed %6.0f ms, \" \
	    \"ratio %.2f\", \"$1\", $a, $b, $b / $a }"
	echo "  (least: $(least <"$2"), $(least <"$3"))"
}

echo "$(uname -srm), $(nproc) cores; 100 MB tree of 5,000 files," \
    "$(($(stat -c %s "$T/tree.tgz") / 1000000)) MB .tar.gz, ext4 on a loop"
sign
# both directory: into $T/u and $T/s
both() {
	rm -f "$T/u" "$T/s"
	i=0
	while [ $i -lt "$RUNS" ]; do
		i=$((i + 1))
		drive "$1" "$UPDATERD" "$T/tree.tgz" >>"$T/u"
		drive "$1" -k "$T/release.pub" "$UPDATERD" "$T/signed.tgz" \
		    >>"$T/s"
	done
}
column() {	# number name
	cut -d' ' -f"$1" "$T/u" >"$T/u.col"
	cut -d' ' -f"$1" "$T/s" >"$T/s.col"
	report "$2" "$T/u.col" "$T/s.col"
}
both "$T/memory"
column 1 "inflate and unpack, in memory"
column 3 "    their processor time"
both "$T/disk"
column 1 "inflate and unpack, on ext4"
column 2 "    and until it is on disk"

i=0
while [ $i -lt "$RUNS" ]; do
	i=$((i + 1))
	with_key
	settle
	a=$(now_ms)
	s=$(push tree -F force=true)
	b=$(now_ms)
	[ "$s" = 200 ] || { echo "push: $s: $(cat "$T/body")"; exit 1; }
	echo $((b - a)) >>"$T/push.u"
	with_key "release key \"$T/release.pub\""
	sign
	settle
	a=$(now_ms)
	s=$(request -F sha=signed -F force=true -F "tarball=@$T/signed.tgz" \
	    "https://127.0.0.1:$PORT/update")
	b=$(now_ms)
	[ "$s" = 200 ] || { echo "push: $s: $(cat "$T/body")"; exit 1; }
	echo $((b - a)) >>"$T/push.s"
done
report "whole push, to the answer" "$T/push.u" "$T/push.s"
