#!/bin/sh
# Profiles under a real s6-svscan, as a container has them: all is killed in
# any order, the tmpfs is gone, the boot id is another one; then one pass of
# updaterd -R, and s6-svscan: the same set runs as before, and only that,
# whatever kind of state each profile is in; updaterd comes to it and
# restarts none.  ROUNDS=10 is the whole of it.
#
# In a pid name space of its own: s6-supervise is killed here.
if [ -z "${UPD_NAMESPACE-}" ] && [ "$(id -u)" = 0 ] &&
    unshare --mount --pid --fork true 2>/dev/null; then
	UPD_NAMESPACE=own exec unshare --mount --propagation private --pid \
	    --fork --kill-child --mount-proc -- sh "$0" "$@"
fi
. "${0%/*}/../lib.sh"
[ "$UPD_NAMESPACE" = own ] || skip_all "needs name spaces of its own"
command -v s6-svscan >/dev/null || skip_all "needs s6"

ROUNDS=${ROUNDS:-1}
SCAN=/run/service
H=$T/home
P=$H/profiles
make_users
make_certs
mkdir -p "$P" "$T/agent" "$SCAN"

as_user() {
	setpriv --reuid=_updagent --regid=_updagent --clear-groups \
	    --no-new-privs "$@"
}

boot() {	# another boot: another id, and nothing of the last one
	cat /proc/sys/kernel/random/uuid >"$T/boot_id.new"
	umount /proc/sys/kernel/random/boot_id 2>/dev/null
	mv "$T/boot_id.new" "$T/boot_id"
	mount --bind "$T/boot_id" /proc/sys/kernel/random/boot_id
	rm -rf /run/updaterd
}

# A profile of each kind, and whether it is to run (+) or not (-) at the
# end.  Three become what they are while they run.
want=
for k in running+ wanted+ draining+ degraded+ crlf+ bom+ crashes+ back+ \
    stopped- unwanted- starting- failed- missing- nojson- array- dir- fifo- \
    link- huge- utf8- number- permanent- operator- owner-; do
	n=${k%[+-]}
	f=$P/$n/gw_state.json
	mkdir "$P/$n"
	: >"$P/$n/SOUL.md"
	case $n in
	running|draining|degraded|starting|stopped)
		echo "{\"gw_state\":\"$n\",\"timestamp\":1}" >"$f";;
	crashes|back|permanent|operator|owner)
		echo '{"gw_state":"running"}' >"$f";;
	wanted)	echo '{"gw_state":"startup_failed",
		    "desired_state":"running"}' >"$f";;
	unwanted) echo '{"gw_state":"running",
		    "desired_state":"stopped"}' >"$f";;
	failed)	echo '{"gw_state":"startup_failed"}' >"$f";;
	crlf)	printf '{\r\n"gw_state":\r\n"running"}\r\n' >"$f";;
	bom)	printf '\357\273\277{"gw_state":"running"}' >"$f";;
	nojson)	echo 'gw_state: running' >"$f";;
	array)	echo '[]' >"$f";;
	dir)	mkdir "$f";;
	fifo)	mkfifo "$f";;
	link)	ln -s ../running/gw_state.json "$f";;
	huge)	echo '{"gw_state":"running"}' >"$f"
		truncate -s 1G "$f";;
	utf8)	printf '{"x":"\377","gw_state":"running"}' >"$f";;
	number)	echo '{"gw_state":1}' >"$f";;
	esac
	case $k in *+) want="$want gw-$n";; esac
done
want=$(printf '%s\n' $want | sort)
chown -hR _updagent "$H"

C_SERVICES="service \"gw\" {
		user \"_updagent\"
		home \"$H\"
		profiles \"$P\" marker \"SOUL.md\"
		reconcile log \"$H/boot.log\"
		command { \"sh\" \"-c\" \"case %p in permanent) exit 78;; esac; exec sleep 1000\" }
		supervise s6 \"$SCAN\" owner \"_updagent\" mount
		optional
		stop TERM within 2s
	}"
write_conf
boot

start_svscan() {
	s6-svscan "$SCAN" >>"$T/svscan.out" 2>&1 </dev/null &
	SVSCAN=$!
	wait_for 10 test -p "$SCAN/.s6-svscan/control"
}

up() {		# what s6 runs
	for s in "$SCAN"/gw-*; do
		[ "$(s6-svstat -o up "$s" 2>/dev/null)" != true ] ||
		    echo "${s##*/}"
	done | sort
}

same() {
	[ "$(up)" = "$want" ]
}

wanted() {	# name what
	[ "$(status ".agents[].services[] | select(.name == \"$1\") |
	    \"\\(.wanted) \\(.wanted_by)\"")" = "$2" ]
}

slots() {
	find "$SCAN" -mindepth 1 -maxdepth 1 -name 'gw-*' | wc -l
}

# The services, their supervisors, s6-svscan and updaterd, in no order.
pids() {
	{ echo "$UPID $SVSCAN"; pgrep -x s6-supervise
	    for s in $(up); do s6-svstat -o pid "$SCAN/$s"; done; } |
	    tr ' ' '\n' | grep . | shuf
}

crash() {
	for p in $(pids); do
		[ "$p" -le 1 ] || kill9 "$p" 2>/dev/null
	done
	# What was started again meanwhile.
	while p=$(pgrep -x "s6-svscan|s6-supervise|sleep" 2>&1); do
		for p in $p; do
			kill9 "$p" 2>/dev/null
		done
	done
	wait "$UPID" "$SVSCAN" 2>/dev/null
	UPID=
	wait_for 5 umount "$SCAN"
	boot
}

# --- how they come to be what they are ---------------------------------

t "updaterd -R, before all" "$UPDATERD" -R -f "$T/conf"
start_svscan
start_updaterd
mk_release one
is "$(push one)" 200 "push"
N=$(find "$P" -mindepth 1 -maxdepth 1 | wc -l)
is "$(slots)" $((N + 1)) "a slot for each of $N profiles, and the default one"
t "the permanent failure parks" wait_for 15 sh -c \
    "s6-svstat -o up,wantedup $SCAN/gw-permanent | grep -qx 'false false'"
is_up() {
	[ "$(service state "$1")" = up ]
}
wait_for 15 is_up gw-operator
t "one is stopped by root" ctl stop gw-operator
for n in owner back; do
	t "$n: is stopped by the owner" as_user s6-svc -wd -T 5000 -d \
	    "$SCAN/gw-$n"
	t "$n: which becomes what is wanted" wait_for 10 \
	    wanted "gw-$n" "stopped s6"
done
t "and started again, the one" as_user s6-svc -wu -T 5000 -u "$SCAN/gw-back"
t "that, too" wait_for 10 wanted gw-back "running s6"
kill9 "$(s6-svstat -o pid "$SCAN/gw-crashes")"
t "the set" wait_for 20 same

# --- and again ---------------------------------------------------------

r=1
while [ $r -le "$ROUNDS" ]; do
	crash
	is "$(ls -A "$SCAN")" "" "$r: nothing is left"
	: >"$H/boot.log"
	"$UPDATERD" -R -f "$T/conf" >"$T/once" 2>>"$T/log"
	is "$?" 0 "$r: updaterd -R"
	is "$(slots)" $((N + 1)) "$r: makes all slots"
	is "$(grep -c "backend=s6 boot=$(cat "$T/boot_id")" "$H/boot.log")" \
	    $((N + 1)) "$r: with a line for each"
	is "$(grep -c 'action=started' "$H/boot.log")" \
	    "$(echo "$want" | wc -l)" "$r: and those to be started"
	start_svscan
	t "$r: s6-svscan: the same set" wait_for 20 same
	before=$(for s in $want; do s6-svstat -o pid "$SCAN/$s"; done)
	start_updaterd
	t "$r: updaterd knows them" wait_for 20 sh -c \
	    "grep -c action=adopted '$H/boot.log' |
	    grep -qx $(echo "$want" | wc -l)"
	is "$(for s in $want; do s6-svstat -o pid "$SCAN/$s"; done)" \
	    "$before" "$r: and restarts none"
	is "$(up)" "$want" "$r: still that set, and only that"
	is "$(service state gw-permanent)" failed "$r: what is parked stays so"
	r=$((r + 1))
done
finish
