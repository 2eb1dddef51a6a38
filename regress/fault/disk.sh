#!/bin/sh
# Goal: whatever the disk has run out of, and whenever: the one who pushes is
# told, what runs goes on running, the daemon serves and can be started
# again, nothing is left behind, and with room again all is as it was.
#
#	blocks	so many left, from none to enough, at a push and a rollback
#	inodes	likewise
#	ro	read-only at rest, and made so by an error amid an update
#	log	no room for the log of a service, nor for the daemon's own
#
# Root, state and history lie on an ext4 of their own.  FULL=1 tries every
# number of blocks and inodes.
. "${0%/*}/../lib.sh"
[ "$UPD_NAMESPACE" = own ] || skip_all "no mount name space here"
mkdir "$T/disk" "$T/logs" "$T/empty"
truncate -s 24M "$T/img"
mkfs.ext4 -q -F -m 0 -N 128 -b 4096 -O ^has_journal "$T/img" &&
    mount -o loop,errors=remount-ro "$T/img" "$T/disk" ||
    skip_all "no loop device, or no ext4"
mount -t tmpfs -o size=256k,mode=0755 tmpfs "$T/logs" ||
    skip_all "cannot mount a tmpfs"
C_ROOT=$T/disk/agent C_KEEP=2 C_STOP=2s
C_AGENT='limits { unpacked 1G files 100000 reserve 0% }'
C_SERVICE="log \"$T/logs/agent.log\" size 10M keep 2"
make_users
make_certs
write_conf
sed -i "s|^state .*|state \"$T/disk/state\"|" "$T/conf"
mk_release r1
mk_release r2
mk_release loud chatter=8000
start_updaterd
is "$(push r1)" 200 "a good release"
is "$(push r2)" 200 "and another"
is "$(push r1 -F force=true)" 200 "and the first again"
name=r1 tried=0 answers=

free_blocks() {
	stat -f -c %a "$T/disk"
}
free_inodes() {
	stat -f -c %d "$T/disk"
}
leave_blocks() {
	rm -f "$T"/disk/filler*
	sync -f "$T/disk"
	n=$(($(free_blocks) - $1 - 8))
	[ "$n" -le 0 ] || fallocate -l $((n * 4096)) "$T/disk/filler"
	n=0
	while [ "$(free_blocks)" -gt "$1" ] && [ $n -lt 32 ]; do
		fallocate -l 4096 "$T/disk/filler.$n" || break
		n=$((n + 1))
	done
}
leave_inodes() {
	rm -rf "$T/disk/many"
	mkdir "$T/disk/many"
	n=$(($(free_inodes) - $1))
	while [ "$n" -gt 0 ]; do
		: > "$T/disk/many/$n"
		n=$((n - 1))
	done
}
room() {
	rm -rf "$T"/disk/filler* "$T/disk/many"
}
other() {
	[ "$name" = r1 ] && echo r2 || echo r1
}
told() {	# status: an error, and one that says what
	case $1 in
	200)	return 0;;
	409|500|507);;
	*)	return 1;;
	esac
	body '.detail | if type == "object" then .error else . end' |
	    grep -Eiq 'space|inode|free|disk|read-only'
}
# After one try: of the name that is current now, whichever it is.
sound() {	# what
	tried=$((tried + 1))
	alive "$UPID" || odd="$odd; $1: the daemon is gone"
	now=$(cat "$C_ROOT/current/VERSION")
	wait_for 10 idle || odd="$odd; $1: busy"
	wait_for 10 is_serving "$now" || odd="$odd; $1: $now is not served"
	complete "$now" || odd="$odd; $1: $now is not complete"
	[ "$(api GET /health)" = 200 ] || odd="$odd; $1: /health"
}
try() {		# what: with the room that there is, then with all
	status=$(push "$(other)" -F force=true)
	answers="$answers $status"
	told "$status" || odd="$odd; $1: $status $(cat "$T/body")"
	case $status in
	200)	name=$(other);;
	*)	[ "$(cat "$C_ROOT/current/VERSION")" = "$name" ] ||
		    odd="$odd; $1: $status, and not $name";;
	esac
	sound "$1, push"
	status=$(api POST /rollback)
	answers="$answers/$status"
	told "$status" || odd="$odd; $1: rollback: $status $(cat "$T/body")"
	[ "$status" != 200 ] || name=$(cat "$C_ROOT/current/VERSION")
	sound "$1, rollback"
	room
	status=$(push "$(other)" -F force=true)
	[ "$status" = 200 ] || odd="$odd; $1: with room: $status"
	name=$(cat "$C_ROOT/current/VERSION")
	wait_for 10 clean_staging || odd="$odd; $1: left: $(staging)"
	sound "$1, with room"
}
steps="0 2 8 32" last=80
[ -z "${FULL-}" ] || steps=$(seq 0 $last)
odd=
for k in $steps; do
	leave_blocks "$k"
	try "$k blocks left"
done
is "$odd" "" "with 0, 1, .. blocks left:$answers"
odd= answers=
for k in $steps; do
	leave_inodes "$k"
	try "$k inodes left"
done
is "$odd" "" "with 0, 1, .. inodes left:$answers"

# None at all: what an operator does, and the next start.
leave_blocks 0
head -c 1000000 /dev/zero >> "$T/disk/filler2" 2>/dev/null
pid=$(service pid)
odd=
if ctl restart agent >"$T/out" 2>&1; then
	ok "full: restart of the service"
else
	like "$(cat "$T/out")" 'space' "full: restart is refused with the reason"
fi
t "it is served" wait_for 10 is_serving "$name"
pid=$(service pid)
kill9 "$UPID"
wait "$UPID" 2>/dev/null
start_updaterd
is "$(service pid)" "$pid" "full: the next start takes the service over"
stop_updaterd
start_updaterd
t "full: a start from nothing serves" wait_for 10 is_serving "$name"
room
is "$(push "$(other)" -F force=true)" 200 "with room: a push"
name=$(other)
odd= sound "with room"
is "$odd" "" "all is sound"

# Read-only.
t "the file system is made read-only" wait_for 10 mount -o remount,ro "$T/disk"
status=$(push "$(other)" -F force=true)
like "$status" '^50[07]$' "read-only: a push is refused"
like "$(body '.detail | tostring')" '[Rr]ead-only' "and says why"
status=$(api POST /rollback)
like "$status" '^500$' "read-only: a rollback is refused"
like "$(body '.detail | tostring')" '[Rr]ead-only' "and says why"
odd= sound "read-only"
is "$odd" "" "read-only: what runs goes on"
pid=$(service pid)
kill9 "$UPID"
wait "$UPID" 2>/dev/null
start_updaterd
is "$(service pid)" "$pid" "read-only: the next start takes the service over"
kill9 "$pid"
back() {
	is_serving "$name" && [ "$(service pid)" != "$pid" ]
}
t "read-only: a service that dies is started again" wait_for 10 back
t "it is made writable" mount -o remount,rw "$T/disk"
is "$(push "$(other)" -F force=true)" 200 "writable: a push"
name=$(other)

# An error while it receives: ext4 makes itself read-only.
dev=$(findmnt -no SOURCE "$T/disk")
trigger=/sys/fs/ext4/${dev#/dev/}/trigger_fs_error
if [ -w "$trigger" ]; then
	mk_release big big=6000000
	request --limit-rate 2M -F sha=big -F "sha256=$(cat "$T/big.sha256")" \
	    -F "tarball=@$T/big.tgz" "https://127.0.0.1:$PORT/update" \
	    >"$T/status" &
	job=$!
	receiving() {
		[ "$(status .update.state)" = receiving ]
	}
	wait_for 10 receiving
	echo 1 > "$trigger"
	wait $job
	like "$(cat "$T/status")" '^50[07]$' "read-only amid a push: refused"
	like "$(body '.detail | tostring')" '[Rr]ead-only' "and says why"
	odd= sound "read-only amid a push"
	is "$odd" "" "what runs goes on"
	# It takes a check and a new mount to be good again.
	stop_updaterd
	t "it can be unmounted" wait_for 10 umount "$T/disk"
	fsck.ext4 -fy "$T/img" >"$T/fsck" 2>&1
	t "mounted again" mount -o loop,errors=remount-ro "$T/img" "$T/disk"
	start_updaterd
	is "$(push "$(other)" -F force=true)" 200 "a push"
	name=$(other)
	t "nothing is left" wait_for 10 clean_staging
else
	skip "this kernel has no $trigger"
fi

# No room for what a service says, nor for what we say.
head -c 150000 /dev/zero > "$T/logs/filler"
is "$(push loud)" 200 "a service that says more than fits"
name=loud
full() {
	[ "$(stat -f -c %f "$T/logs")" = 0 ]
}
size() {
	stat -c %s "$T/logs/agent.log"
}
t "its log disk is full" wait_for 10 full
odd= sound "log disk full"
is "$odd" "" "it goes on"
rm "$T/logs/filler"
before=$(size)
is "$(push "$(other)" -F force=true)" 200 "with room there: a push"
name=$(cat "$C_ROOT/current/VERSION")
# Tried again after a second, with what comes then.
grown() {
	ctl restart agent && [ "$(size)" -gt "$before" ]
}
t "and it is written again" wait_for 10 grown
stop_updaterd
head -c 300000 /dev/zero > "$T/logs/filler" 2>/dev/null
ln -sf "$T/logs/updaterd" "$T/log.full"
"$UPDATERD" -d -v -f "$T/conf" >>"$T/log.full" 2>&1 </dev/null &
UPID=$!
t "its own log has no room: it starts" wait_for 20 listening
is "$(push "$(other)" -F force=true)" 200 "and takes a push"
name=$(cat "$C_ROOT/current/VERSION")
odd= sound "its own log disk full"
is "$odd" "" "all is sound"
note "tries with too little room: $tried"
stop_updaterd
wait_for 10 umount "$T/disk"
finish
