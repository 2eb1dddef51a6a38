#!/bin/sh
# Figures of updatermaster, never a verdict: many real daemons on loopback.
#	BENCH_HOSTS=200		daemons
#	BENCH_ARCHIVE=20M	bytes of the archive
LIBDIR=${0%/*}/..
. "${0%/*}/../lib.sh"
. "$HERE/fleet.sh"
[ "$UPD_NAMESPACE" = own ] || skip_all "no mount name space here"
HOSTS=${BENCH_HOSTS:-200}
ARCHIVE=${BENCH_ARCHIVE:-20M}

# On a disk, so that what is read from one can be counted.
truncate -s 1G "$T/disk.img"
mkfs.ext4 -q -F "$T/disk.img"
mkdir "$T/disk"
mount -o loop "$T/disk.img" "$T/disk" || skip_all "cannot mount a loop image"

# usage.py OUT command...: time, memory and reads of it alone
cat > "$T/usage.py" <<'P'
import json, os, subprocess, sys, time, resource
a = time.monotonic()
with open(sys.argv[1] + ".out", "w") as out:
    rc = subprocess.call(sys.argv[2:], stdout=out)
u = resource.getrusage(resource.RUSAGE_CHILDREN)
json.dump({"rc": rc, "s": time.monotonic() - a, "kib": u.ru_maxrss,
    "disk": u.ru_inblock * 512, "cpu": u.ru_utime + u.ru_stime},
    open(sys.argv[1], "w"))
P
measured() {	# name command...
	f=$T/$1
	shift
	python3 "$T/usage.py" "$f" "$@"
}
get() {		# name filter
	jq -r "$2" "$T/$1"
}

began=$(now_ms)
fleet "$HOSTS"
ready=$(now_ms)
echo "(m) $HOSTS daemons on this machine, made, enrolled, started:" \
    "$(((ready - began) / 1000)) s"
free -m | awk '/^Mem:/ { print "    memory in use: " $3 " of " $2 " MB" }'

mk_fleet_release small
mk_fleet_release again
mk_fleet_release bad bad
mk_fleet_release large - "$ARCHIVE"
cp "$T/large.tgz" "$T/disk/"

push_all() {	# name release [options]
	n=$1 r=$2
	shift 2
	measured "$n" "$UPDATERMASTER" -d "$M" push --all --json \
	    --tarball "$r" "$@"
}
line() {	# name: what came of it, and how fast
	echo "    $(get "$1.out" '[.counts | to_entries[] | select(.value > 0)
	    | "\(.value) \(.key)"] | join(", ")');" \
	    "$(get "$1" '.s * 10 | floor / 10') s," \
	    "$(jq -s '([.[0].counts | to_entries[] |
	    select(.key != "not begun") | .value] | add) / .[1].s * 10 |
	    floor / 10' "$T/$1.out" "$T/$1") hosts/s," \
	    "cpu of the master $(get "$1" '.cpu * 10 | floor / 10') s"
}
echo "    a canary that fails, --canary 5:"
push_all bad "$T/bad.tgz" --sha bad --canary 5
line bad
echo "    a small release, --canary 5 --parallel 32:"
push_all small "$T/small.tgz" --sha small --canary 5
line small
echo "    the same, unchanged:"
push_all same "$T/small.tgz" --sha small
line same

echo "    memory at the master (largest resident size):"
measured one "$UPDATERMASTER" -d "$M" push --host h001 --json --sha large \
    --tarball "$T/large.tgz"
sync -f "$T/disk"
echo 3 > /proc/sys/vm/drop_caches 2>/dev/null
push_all large "$T/disk/large.tgz" --sha large --force \
    --parallel "$HOSTS" --rollback-on-fail --max-fail "$HOSTS"
line large
echo "    one host: $(get one .kib) KiB; $HOSTS at the same time:" \
    "$(get large .kib) KiB; per host:" \
    "$((($(get large .kib) - $(get one .kib)) / HOSTS)) KiB"
size=$(stat -c %s "$T/large.tgz")
echo "    archive $((size / 1000)) kB, sent to each; sent in all" \
    "$((size * HOSTS / 1000000)) MB; read from the disk by the master:" \
    "$(($(get large .disk) / 1000)) kB"

echo "    status --all:"
measured status "$UPDATERMASTER" -d "$M" status --all
echo "    $(get status '.s * 100 | floor / 100') s"
for n in $FLEET; do stop_host "$n"; done
