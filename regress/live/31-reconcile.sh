#!/bin/sh
# Goal: after all is killed, /run is emptied and the boot id has changed,
# the same set of 50 profiles runs as before, and only that, whatever kind
# of state each is in; the log explains each decision; a dry run touches
# nothing; updaterd -R makes a pass of its own.
# ROUNDS=10 is the whole of it.
. "${0%/*}/../lib.sh"
ROUNDS=${ROUNDS:-2}
N=${PROFILES:-50}

[ "$UPD_NAMESPACE" = own ] || skip_all "needs a mount name space"
make_users
make_certs
. "$HERE/profiles.sh"

boot() {	# another boot: another id, and nothing of the last one
	new_boot_id
	rm -rf /run/updaterd
}

# Every kind of state there is, and whether it is to run (+) or not (-).
kinds='running+ stopped- wanted+ unwanted- draining+ degraded+ starting-
failed- missing- nojson- array- bom+ dir- fifo- link- huge- crlf+ utf8-
newline- number- permanent- operator-'
want=
i=0
while [ $i -lt "$N" ]; do
	for k in $kinds; do
		[ $i -lt "$N" ] || break
		kind=${k%[+-]} n=$kind-$i f=$P/$kind-$i/gw_state.json
		mkdir "$P/$n"
		: >"$P/$n/SOUL.md"
		echo stale >"$P/$n/gw.pid"
		state_file $kind "$f"
		case $k in *+) want="$want gw-$n";; esac
		i=$((i + 1))
	done
done
want=$(printf '%s\n' $want | sort)
chown -hR _updagent "$H"

C_SERVICES="service \"gw\" {
		user \"_updagent\"
		home \"$H\"
		profiles \"$P\" marker \"SOUL.md\"
		runtime files { \"gw.pid\" }
		reconcile log \"$H/boot.log\"
		command { \"sh\" \"-c\" \"case %p in permanent*) exit 78;; esac; exec sleep 1000\" }
		optional
		stop TERM within 2s
	}"
write_conf
boot

# --- before the first daemon ------------------------------------------

tree() {	# a hash of all there is
	find "$T/home" "$T/state" /run -xdev 2>/dev/null -printf \
	    '%p %y %m %u %s %l %T@\n' | sort | sha256sum
}
before=$(tree)
"$UPDATERD" -Rn -f "$T/conf" >"$T/dry" 2>"$T/dry.err"
is "$?" 3 "updaterd -Rn says that something would change"
is "$(grep -c . "$T/dry")" $((N + 2)) "with a line for each"
is "$(tree)" "$before" "and touches nothing"
mkdir -p "$T/agent"
t "updaterd -R" "$UPDATERD" -R -f "$T/conf"
is "$(find "$P" -name gw.pid | wc -l)" 0 "sweeps stale runtime files"
is "$(grep -c 'action=registered' "$H/boot.log")" $((N + 1)) \
    "leaves native services to the daemon"
"$UPDATERD" -Rn -f "$T/conf" >"$T/dry"
is "$?" 0 "then nothing would change"

# --- the first start --------------------------------------------------

up() {
	ctl -j profiles | jq -r '.profiles[] | select(.state == "up" or
	    .state == "starting") | .name' | sort
}
all_up() {
	[ "$(ctl -j profiles | jq -r '.profiles[] | select(.state == "up") |
	    .name' | grep -v '^gw-op\|^gw-perm' | sort)" = "$want" ]
}
start_updaterd
mk_release one
is "$(push one)" 200 "push"
t "those run whose state says so" wait_for 20 all_up
ops=$(ctl -j profiles | jq -r '.profiles[].name' | grep operator)
for o in $ops; do
	ctl stop "$o" >/dev/null
done
parked() {
	[ "$(ctl -j profiles | jq '[.profiles[] | select(.state ==
	    "failed")] | length')" = \
	    "$(find "$P" -maxdepth 1 -name 'permanent*' | wc -l)" ]
}
t "a permanent failure parks" wait_for 10 parked
is "$(up)" "$want" "the set is what was asked for"
t "its files are the user's" test -z "$(find "$P" -name '*.json' -user root)"

# --- and again --------------------------------------------------------

r=1
while [ $r -le "$ROUNDS" ]; do
	# Not in order: nothing is told that it ends.
	pids=$(status '.agents[].services[].pid | select(. > 1)')
	kill9 "$UPID"
	wait "$UPID" 2>/dev/null
	UPID=
	for p in $pids; do
		ours "$p" && kill9 "$p"
	done
	boot
	: >"$H/boot.log"
	start_updaterd
	t "$r: the same set" wait_for 20 all_up
	is "$(up)" "$want" "$r: and only that"
	is "$(grep -c 'action=started' "$H/boot.log")" \
	    "$(echo "$want" | wc -l)" "$r: the log has them started"
	is "$(grep -c "boot=$(cat "$T/boot_id")" "$H/boot.log")" \
	    $((N + 1)) "$r: and a line for each"
	is "$(grep 'action=started' "$H/boot.log" |
	    grep -c 'prior_exit=unclean')" "$(echo "$want" | wc -l)" \
	    "$r: their end was not clean"
	t "$r: parked ones stay parked" parked
	is "$(grep -c 'reason="permanent failure"' "$H/boot.log")" \
	    "$(find "$P" -maxdepth 1 -name 'permanent*' | wc -l)" \
	    "$r: and the log says why"
	r=$((r + 1))
done

# A daemon that only restarts sweeps nothing that a living one owns.
sed -i 's/^user "_updaterd"/&\nshutdown keep/' "$T/conf"
ctl reload >/dev/null
one=$(echo "$want" | head -n 1)
pid=$(service pid "$one")
echo mine >"$P/${one#gw-}/gw.pid"
stop_updaterd
: >"$H/boot.log"
start_updaterd
is "$(service pid "$one")" "$pid" "a restarted daemon adopts"
t "and leaves the files of the living alone" test -e "$P/${one#gw-}/gw.pid"
is "$(grep -c 'action=adopted' "$H/boot.log")" "$(echo "$want" | wc -l)" \
    "the log says adopted"
# Configured no more while the daemon was away.
stop_updaterd
C_SERVICES=
write_conf
start_updaterd
t "what is no longer configured is stopped" wait_for 10 gone "$pid"
no_state() {
	[ -z "$(find "$T/state/services" -name 'gw-*.json')" ]
}
t "and forgotten" wait_for 10 no_state
finish
