#!/bin/sh
# Goal: under a real systemd, with the unit as shipped: started is when it
# serves; reload tells of errors; stop leaves nothing, `shutdown keep` the
# services; killed, it comes back and adopts them.
#
# systemd runs as PID 1 of name spaces of its own, on an overlay of / and
# with units of its own, so that nothing of this machine is touched.
. "${0%/*}/../lib.sh"

INIT=
for f in /usr/lib/systemd/systemd /lib/systemd/systemd; do
	[ ! -x "$f" ] || INIT=$f
done
[ -n "$INIT" ] && command -v systemctl >/dev/null ||
    skip_all "no systemd here"
[ "$UPD_NAMESPACE" = own ] && [ -n "$CG" ] && [ -d "$CG" ] ||
    skip_all "needs name spaces and cgroup2"

make_users
make_certs
write_conf
sed -i 's|^state .*|state "/var/lib/updaterd"|' "$T/conf"
mkdir -p "$T/sd" "$T/bin" "$T/empty" "$T/units/updaterd.service.d"
cp "$UPDATERD" "$UPDATERCTL" "$T/bin/"
for u in sysinit basic shutdown; do
	printf '[Unit]\nDefaultDependencies=no\n' > "$T/units/$u.target"
done
sed "s|/usr/local/sbin/|$T/bin/|; s|/etc/updaterd.conf|$T/conf|
    s|updaterctl reload|updaterctl -s $T/updaterd.sock reload|" \
    "$TOP/etc/updaterd.service" > "$T/units/updaterd.service"
cp "$HERE/lsan.supp" "$T/"
cat > "$T/units/updaterd.service.d/test.conf" <<U
[Service]
StandardOutput=append:$T/log
StandardError=append:$T/log
Environment=LSAN_OPTIONS=suppressions=$T/lsan.supp
U

cat > "$T/boot" <<B
set -e
R=$T/sd/root
mount -t tmpfs tmpfs "$T/sd"
mkdir "$T/sd/up" "$T/sd/work" "\$R"
mount -t overlay overlay \
    -o "lowerdir=/,upperdir=$T/sd/up,workdir=$T/sd/work" "\$R"
mount -t tmpfs -o mode=0755 tmpfs "\$R/run"
mount -t tmpfs tmpfs "\$R/tmp"
mount --rbind /dev "\$R/dev"
mkdir -p "\$R$T"
mount --bind "$T" "\$R$T"
mount -t proc proc "\$R/proc"
mount -t sysfs -o ro sysfs "\$R/sys"
mount -t cgroup2 cgroup2 "\$R/sys/fs/cgroup"
chroot "\$R" "$T/bin/updaterd" -n -f "$T/conf"
: > "$T/booted"
exec chroot "\$R" "$INIT" --system --unit=basic.target --show-status=no
B
env -i container=updtest PATH="$PATH" SYSTEMD_UNIT_PATH="$T/units" \
    SYSTEMD_LOG_TARGET=console unshare --mount --uts --ipc --cgroup --pid \
    --fork --kill-child sh "$T/boot" >"$T/boot.out" 2>&1 </dev/null &
BOOT=$!
KILL_AT_EXIT=$BOOT

sd() {
	nsenter -t "$PID1" -m -u -i -p --root --wd=/ systemctl "$@"
}
up() {
	PID1=$(pgrep -P "$BOOT") && [ -e "$T/booted" ] &&
	    sd is-active basic.target
}
up_or_gone() {
	gone "$BOOT" || up
}
wait_for 15 up_or_gone
if ! up >/dev/null 2>&1; then
	diag "$(tail -n 5 "$T/boot.out")"
	skip_all "systemd cannot be PID 1 of a name space here"
fi

show() {	# property
	sd show -p "$1" --value updaterd
}
procs() {	# how many the unit has
	find "$CG" -path '*/updaterd.service*' -name cgroup.procs \
	    -exec cat {} + | wc -l
}

mk_release r1
t "start" sd start updaterd
is "$(api GET /health)" 200 "started is when it serves"
is "$(push r1)" 200 "a push"
is "$(service containment)" cgroup "the service has a cgroup"
like "$(find "$CG" -type d -path '*/updaterd.service/*')" 'agent$' \
    "below the unit's own"

main=$(show MainPID) pid=$(service pid)
t "reload" sd reload updaterd
cp "$T/conf" "$T/good"
echo nonsense >> "$T/conf"
t "reload of a bad configuration fails" sh -c \
    "! nsenter -t '$PID1' -m -u -i -p --root systemctl reload updaterd"
cp "$T/good" "$T/conf"
is "$(show ActiveState) $(show MainPID) $(service pid)" \
    "active $main $pid" "and the old one is in use"

restarted() {
	[ "$(show NRestarts)" = 1 ] && sd is-active updaterd && listening
}
t "kill -9" sd kill --kill-who=main --signal=KILL updaterd
t "it serves again" wait_for 15 restarted
is "$(service pid)" "$pid" "the service is adopted"
is "$(serving)" r1 "and serves"

t "restart" sd restart updaterd
t "has stopped and started it" wait_for 10 is_serving r1
[ "$(service pid)" != "$pid" ]
is $? 0 "it is another process"
t "stop" sd stop updaterd
is "$(show ActiveState) $(procs)" "inactive 0" "leaves nothing"

echo 'shutdown keep' >> "$T/conf"
t "start with shutdown keep" sd start updaterd
t "the service runs" wait_for 10 is_serving r1
pid=$(service pid)
t "stop" sd stop updaterd
is "$(show ActiveState) $(serving)" "inactive r1" "leaves the service"
t "start" sd start updaterd
is "$(service pid)" "$pid" "adopts it"
t "restart" sd restart updaterd
is "$(service pid)" "$pid" "adopts it"
cp "$T/good" "$T/conf"
t "reload without keep" sd reload updaterd
t "stop" sd stop updaterd
is "$(procs)" 0 "leaves nothing"
finish
