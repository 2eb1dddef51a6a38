#!/bin/sh
# Profiles under a real s6-svscan, as a container has them: all is killed in
# any order, the tmpfs is gone, the boot id is another one; then one pass of
# updaterd -R, and s6-svscan: the same set runs as before, and only that,
# whatever kind of state each profile is in; updaterd comes to it and
# restarts none.  ROUNDS=10 COPIES=3, so often with 62 profiles, is the whole
# of it.
#
# In a pid name space of its own: s6-supervise is killed here.
OWN_PIDS=yes
. "${0%/*}/../lib.sh"
. "$HERE/svscan.sh"

ROUNDS=${ROUNDS:-1} COPIES=${COPIES:-1}
. "$HERE/profiles.sh"
mkdir -p "$T/agent" "$SCAN"

boot() {	# another boot: another id, and nothing of the last one
	new_boot_id
	rm -rf /run/updaterd
}

want=
kind() {	# kind, and whether it is to run (+) or not (-) at the end; name
	mkdir "$P/$2"
	: >"$P/$2/SOUL.md"
	state_file "${1%[+-]}" "$P/$2/gw_state.json"
	case $1 in *+) want="$want gw-$2";; esac
}

# Each kind of file that the user may have there; and what becomes of a
# service while it runs.
i=1
while [ $i -le "$COPIES" ]; do
	for k in running+ wanted+ draining+ degraded+ crlf+ bom+ stopped- \
	    unwanted- starting- failed- missing- nojson- array- dir- fifo- \
	    link- huge- utf8- number-; do
		kind $k "${k%[+-]}$i"
	done
	i=$((i + 1))
done
for k in crashes+ back+ permanent- operator- owner-; do
	kind $k "${k%[+-]}"
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

up() {		# what s6 runs
	for s in "$SCAN"/gw-*; do
		[ "$(s6-svstat -o up "$s" 2>/dev/null)" != true ] ||
		    echo "${s##*/}"
	done | sort
}

same() {
	[ "$(up)" = "$want" ]
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
	    wants "gw-$n" "stopped s6"
done
t "and started again, the one" as_user s6-svc -wu -T 5000 -u "$SCAN/gw-back"
t "that, too" wait_for 10 wants gw-back "running s6"
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
