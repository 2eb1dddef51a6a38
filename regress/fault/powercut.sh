#!/bin/sh
# Goal: the power fails at any moment of an update, of a rollback, or 0, 7
# and 40 s after success was reported, on ext4, xfs and btrfs: the next
# start finds a complete release, serves it, leaves nothing behind, tells no
# lie, and what was answered 200 is still there.
#
# What a disk would hold at a moment is a reflink copy of the image behind
# the loop device, made on another file system; and on ext4 and xfs the file
# system itself is shut down under the daemon without flushing its log.
# Root, state and history all lie on it.  FULL=1 tries hundreds of moments.
. "${0%/*}/lab"

# The copies share blocks: nothing is written twice for them.
mkdir "$T/outer" "$T/disk" "$T/empty"
truncate -s 8G "$T/outer.img"
if ! { mkfs.xfs -q -m reflink=1 "$T/outer.img" &&
    mount -o loop "$T/outer.img" "$T/outer"; } >"$T/mkfs.out" 2>&1; then
	note "no copies, no xfs here: $(tail -n 1 "$T/mkfs.out")"
	set -- --copies 0 "$@"
fi
make_users
make_certs
C_KEEP=2 C_STOP=2s C_ROOT=$T/disk/agent
PORT=$(free_port) APORT=$(free_port)
write_conf
sed -i "s|^state .*|state \"$T/disk/state\"|" "$T/conf"
mk_release r1 big=300000
mk_release r2 big=2000000
mk_release r3
mk_release bad exit-at-once
# Many small files: what delayed allocation leaves empty.
i=0
while [ $i -lt 300 ]; do
	i=$((i + 1))
	echo "file $i of r3" > "$T/src/r3/share/f$i"
done
pack_release r3
lab_env
python3 "$HERE/fault/powercut.py" ${FULL:+--full} "$@"
rc=$?
umount /proc/sys/kernel/random/boot_id 2>/dev/null
exit $rc
