# What the live tests with a real systemd share; after lib.sh.
#
# systemd runs as PID 1 of name spaces of its own, on an overlay of / and
# with units of its own, so that nothing of this machine is touched.  $T is
# the same inside as outside.
#
#	sd_units	$T/units, with the targets that systemd needs and our
#			updaterd.service; the programs are in $T/bin
#	sd_conf		$T/conf, with an agent of what standard input says
#	sd_unit line...	a unit for the agent, with these in its [Service]
#	sd_boot		start it, or skip the test
#	sd verb ...	systemctl in there
#	inside cmd ...	a command in there

INIT=
for f in /usr/lib/systemd/systemd /lib/systemd/systemd; do
	[ ! -x "$f" ] || INIT=$f
done
[ -n "$INIT" ] && command -v systemctl >/dev/null ||
    skip_all "no systemd here"
[ "$UPD_NAMESPACE" = own ] && [ -n "$CG" ] && [ -d "$CG" ] ||
    skip_all "needs name spaces and cgroup2"

sd_conf() {
	{
		cat <<C
user "_updaterd"
unpack user "_updunpack"
chroot "$T/empty"
control "$T/updaterd.sock"
state "/var/lib/updaterd"
listen on 127.0.0.1 port $PORT
tls {
	ca "$T/certs/ca.crt"
	certificate "$T/certs/updater.crt"
	key "$T/certs/updater.key"
}
permit self from subject "updater-master"
agent "default" {
	root "$C_ROOT"
C
		cat
		echo "}"
	} > "$T/conf.new"
	chmod 0600 "$T/conf.new"
	mv "$T/conf.new" "$T/conf"
}

sd_unit() {	# line...
	cat <<U
[Unit]
DefaultDependencies=no
[Service]
User=_updagent
WorkingDirectory=$C_ROOT/current
ExecStart=$C_ROOT/current/bin/agent --port $APORT \\
    --cert $T/certs/worker.crt --key $T/certs/worker.key --ca $T/certs/ca.crt
U
	printf '%s\n' "$@"
}

sd_units() {
	mkdir -p "$T/sd" "$T/bin" "$T/empty" "$T/units/updaterd.service.d"
	cp "$UPDATERD" "$UPDATERCTL" "$T/bin/"
	cp "$HERE/lsan.supp" "$T/"
	for u in sysinit basic shutdown; do
		printf '[Unit]\nDefaultDependencies=no\n' > \
		    "$T/units/$u.target"
	done
	sed "s|/usr/local/sbin/|$T/bin/|; s|/etc/updaterd.conf|$T/conf|
	    s|updaterctl reload|updaterctl -s $T/updaterd.sock reload|" \
	    "$TOP/etc/updaterd.service" > "$T/units/updaterd.service"
	cat > "$T/units/updaterd.service.d/test.conf" <<U
[Service]
StandardOutput=append:$T/log
StandardError=append:$T/log
Environment=LSAN_OPTIONS=suppressions=$T/lsan.supp
U
}

sd() {
	inside systemctl "$@"
}

inside() {
	nsenter -t "$PID1" -m -u -i -p --root --wd=/ "$@"
}

sd_up() {
	PID1=$(pgrep -P "$BOOT") && [ -e "$T/booted" ] &&
	    sd is-active basic.target
}

sd_up_or_gone() {
	gone "$BOOT" || sd_up
}

sd_boot() {
	rm -f "$T/booted"
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
	env -i container=updtest PATH="$PATH" \
	    SYSTEMD_UNIT_PATH="$T/units:/etc/systemd/system:\
/run/systemd/system" SYSTEMD_LOG_TARGET=console \
	    unshare --mount --uts --ipc --cgroup --pid --fork --kill-child \
	    sh "$T/boot" >"$T/boot.out" 2>&1 </dev/null &
	BOOT=$!
	KILL_AT_EXIT="${KILL_AT_EXIT-} $BOOT"
	wait_for 15 sd_up_or_gone
	if ! sd_up >/dev/null 2>&1; then
		diag "$(tail -n 5 "$T/boot.out")"
		skip_all "systemd cannot be PID 1 of a name space here"
	fi
}

show() {	# property [unit]
	sd show -p "$1" --value "${2:-updaterd}"
}

state_is() {	# state [wanted]: of the agent
	[ "$(service state)" = "$1" ] &&
	    { [ -z "${2-}" ] || [ "$(service wanted)" = "$2" ]; }
}
healthy() {
	state_is up && [ "$(service health.healthy)" = true ]
}

# --- a service x that is moved; its program says in $T/locks if it ran twice -

ran_twice() {
	cat "$T/locks/twice" 2>/dev/null | wc -l
}
runs_by() {	# supervisor
	[ "$(service supervisor x)" = "$1" ] &&
	    [ "$(service state x)" = up ] &&
	    [ "$(service health.healthy x)" = true ]
}
killed_and_back() {	# starts before
	[ "$(show NRestarts)" -gt "$1" ] && sd is-active updaterd && listening
}
kill_updaterd() {
	n=$(show NRestarts)
	sd kill --kill-who=main --signal=KILL updaterd
	t "updaterd is killed and comes back" wait_for 10 killed_and_back "$n"
}
