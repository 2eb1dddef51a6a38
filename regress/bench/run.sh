#!/bin/sh
# `make bench`: figures, never a verdict.
#	BENCH_RUNS=5	runs of each kind
#	BENCH_LARGE=1G	size of the large tarball; 0 leaves it out
LIBDIR=${0%/*}/..
. "${0%/*}/../lib.sh"
[ "$UPD_NAMESPACE" = own ] || skip_all "no mount name space here"
RUNS=${BENCH_RUNS:-5}
LARGE=${BENCH_LARGE:-1G}

# A journalled file system, as hosts have it.
truncate -s 6G "$T/disk.img"
mkfs.ext4 -q -F -E lazy_itable_init=0 "$T/disk.img"
mkdir "$T/disk"
mount -o loop "$T/disk.img" "$T/disk" || skip_all "cannot mount a loop image"
C_ROOT=$T/disk/agent
C_KEEP=2
C_LIMITS='limits { body 4G }'
C_AGENT='limits { unpacked 8G files 200000 reserve 1% }'
C_SERVICE="log \"$T/agent.log\" size 64M keep 1"
setup
mkdir "$T/files"
fport=$(free_port)
(cd "$T" && exec "$AGENT" --port "$fport" --cert "$T/certs/updater.crt" \
    --key "$T/certs/updater.key" --ca "$T/certs/ca.crt" \
    --files "$T/files") 2>"$T/files.log" &
KILL_AT_EXIT=$!

measure() {
	python3 "$HERE/bench/measure.py" "$@"
}
median() {
	sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}
settle() {
	wait_for 60 clean_staging
	sync -f "$T/disk"
}

echo "$(uname -srm), $(nproc) cores"
echo
echo "(a) 100 MB tree of 5,000 files, .tar.gz, mutual TLS, ext4 on a loop"
mk_release tree
measure tree "$T/src/tree" 5000 100000000
tar -C "$T/src/tree" --owner=0 --group=0 --sort=name -cf - . |
    gzip -6n > "$T/tree.tgz"
digest "$T/tree.tgz" > "$T/tree.sha256"
cp "$T/tree.tgz" "$T/files/"
echo "    tarball: $(($(stat -c %s "$T/tree.tgz") / 1000000)) MB"
i=0
: > "$T/push.ms"
: > "$T/tar.ms"
: > "$T/tarsync.ms"
while [ $i -lt "$RUNS" ]; do
	i=$((i + 1))
	settle
	a=$(now_ms)
	s=$(push tree -F force=true)
	b=$(now_ms)
	[ "$s" = 200 ] || { echo "push: $s: $(cat "$T/body")"; exit 1; }
	echo $((b - a)) >> "$T/push.ms"
	body '.timings | tojson' >> "$T/timings"
	settle
	mkdir "$T/disk/base"
	a=$(now_ms)
	curl -sS --cacert "$T/certs/ca.crt" --cert "$T/certs/master.crt" \
	    --key "$T/certs/master.key" \
	    "https://127.0.0.1:$fport/file/tree.tgz" |
	    tar -C "$T/disk/base" -xzf -
	b=$(now_ms)
	sync -f "$T/disk"
	c=$(now_ms)
	echo $((b - a)) >> "$T/tar.ms"
	echo $((c - a)) >> "$T/tarsync.ms"
	rm -rf "$T/disk/base"
done
p=$(median < "$T/push.ms")
q=$(median < "$T/tar.ms")
r=$(median < "$T/tarsync.ms")
echo "    push, verified and durable, to the answer: $p ms" \
    "($(sort -n "$T/push.ms" | tr '\n' ' '))"
echo "    curl | tar xz, nothing synced:             $q ms" \
    "($(sort -n "$T/tar.ms" | tr '\n' ' '))"
echo "    curl | tar xz; sync:                       $r ms"
awk "BEGIN { printf \"    ratio: %.2f, against the synced one %.2f\n\",
    $p / $q, $p / $r }"
echo "    timings of the last push: $(tail -n 1 "$T/timings")"

echo
echo "(b) downtime of the service, ms (stop signal to listening again)"
mk_release b1
mk_release b2
push b1 >/dev/null
own=$(cd "$T/src/b1" && measure own 15 bin/agent --port "$(free_port)" \
    --cert "$T/certs/worker.crt" --key "$T/certs/worker.key" \
    --ca "$T/certs/ca.crt")
: > "$T/agent.log"
kill -USR1 "$UPID"
i=0
while [ $i -lt "$RUNS" ]; do
	i=$((i + 1))
	settle
	push b2 >/dev/null
	settle
	push b1 >/dev/null
done
measure downtime "$T/agent.log" "$own" push
: > "$T/agent.log"
i=0
while [ $i -lt $((RUNS * 2)) ]; do
	i=$((i + 1))
	settle
	api POST /rollback >/dev/null
done
measure downtime "$T/agent.log" "$own" rollback

echo
echo "(c) memory of all processes together, peak PSS during a push"
peak() {	# name
	measure peak "$UPID" "$UPDATERD" "$T/peak" &
	m=$!
	s=$(push "$1")
	: > "$T/peak.stop"
	wait $m
	rm -f "$T/peak.stop"
	echo "    $1: $(cat "$T/peak"), HTTP $s"
}
mk_release 100MB big=100000000
peak 100MB
settle
if [ "$LARGE" != 0 ]; then
	mk_release "$LARGE" "big=$LARGE"
	peak "$LARGE"
	settle
fi

echo
echo "(d) at rest, over 10 s"
sleep 1
measure idle "$UPID" "$UPDATERD" 10
