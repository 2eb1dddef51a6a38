#!/bin/sh
# Goal: a full disk is a normal state: refused before the first byte where
# that can be known, on the way where not; nothing is left behind.
. "${0%/*}/../lib.sh"
[ "$UPD_NAMESPACE" = own ] || skip_all "no mount name space here"
mkdir "$T/disk"
mount -t tmpfs -o size=40m,nr_inodes=400,mode=0755 tmpfs "$T/disk" ||
    skip_all "cannot mount a tmpfs"
C_ROOT=$T/disk/agent
C_AGENT='limits { unpacked 1G files 100000 reserve 5% }'
setup
mk_release r1
mk_release big big=50000000
is "$(push r1)" 200 "a good release fits"
id=$(current)
used() {
	df --output=used,iused "$T/disk" | tail -n 1
}
at_rest() {
	[ "$(used)" = "$before" ]
}
before=$(used)

is "$(push big)" 507 "known to be too large: 507"
like "$(body '.detail | tostring')" '[0-9.]+ MB' "with the figures"
t "as it was" wait_for 10 at_rest

head -c 60000000 /dev/zero > "$T/zeros"
tar -C "$T" -czf "$T/bomb.tgz" zeros
digest "$T/bomb.tgz" > "$T/bomb.sha256"
is "$(push bomb)" 507 "full half way: 507"
like "$(body '.detail | tostring')" 'free' "with the figures"
t "as it was" wait_for 10 at_rest

mkdir "$T/many"
(cd "$T/many" && seq 1 1000 | xargs touch)
tar -C "$T" -czf "$T/inodes.tgz" many
digest "$T/inodes.tgz" > "$T/inodes.sha256"
is "$(push inodes)" 507 "no inodes: 507"
t "as it was" wait_for 10 at_rest
t "nothing is staged" wait_for 5 clean_staging
is "$(current) $(serving)" "$id r1" "the running release was not touched"

# The reserve is not for us, either.
head -c 38500000 /dev/zero > "$T/disk/filler"
mk_release r2 big=1500000
is "$(push r2)" 507 "into the reserve: 507"
rm "$T/disk/filler"
is "$(push r2)" 200 "with room again: 200"
is "$(serving)" r2 "serves"
finish
