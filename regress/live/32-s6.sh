#!/bin/sh
# Services under a real s6-svscan: what was running comes up, and only that;
# their owner controls them without being root, and cannot make root write,
# empty or create anything; what he does is seen and remembered; the end of
# any of them, in any order, leaves each service running once.
#
# In a pid name space of its own: s6-supervise is killed here.
OWN_PIDS=yes
. "${0%/*}/../lib.sh"
. "$HERE/svscan.sh"

touch "$T/victim" && chmod 0600 "$T/victim"
echo "root's own" > "$T/victim"
mkdir -m 0777 "$T/flags"

# Programs of the lab: stays; exits 78 once told to.
mk_lab_release() {	# name
	mk_release "$1"
	cat > "$T/src/$1/bin/stay" <<S
#!/bin/sh
echo "stay: \$(id -u) \$PWD \$#"
exec sleep 1000
S
	cat > "$T/src/$1/bin/parks" <<S
#!/bin/sh
[ ! -e "$T/flags/park" ] || exit 78
exec sleep 1000
S
	chmod 0755 "$T/src/$1/bin/stay" "$T/src/$1/bin/parks"
	pack_release "$1"
}

lab_service() {	# name program [more]
	cat <<C
	service "$1" {
		optional
		user "_updagent"
		command { "$2" }
		supervise s6 "$SCAN" owner "_updagent" ${MOUNT-}
		stop TERM within 2s
		${3-}
	}
C
}

lab_conf() {
	C_SERVICE="supervise s6 \"$SCAN\" owner \"_updagent\" ${MOUNT-}
	    log \"$T/logs/agent\" size 64K keep 2"
	C_SERVICES="$(lab_service one bin/stay)
	    $(lab_service two bin/stay)
	    $(lab_service parks bin/parks)
	    ${FIXED-}"
	write_conf
}

all_up() {
	for s in agent one two parks; do
		state_is "$s" up || return 1
	done
}

new_pid() {	# name old
	p=$(svpid "$1") && [ "$p" -gt 1 ] && [ "$p" != "$2" ]
}

# Everything of the slots that is the same each time: not what s6 writes.
slots() {
	(cd "$SCAN" && find . \( -name '.s6-svscan' -o -path '*/supervise/*' \
	    -o -path '*/event/*' \) -prune -o -printf '%p %M %U %G\n' -type f \
	    -exec md5sum {} + | sort)
}

untouched() {
	[ "$(cat "$T/victim")" = "root's own" ] &&
	    [ "$(stat -c '%a %U' "$T/victim")" = "600 root" ] &&
	    [ ! -e "$T/created" ]
}

# --- 1. a tmpfs of our own ---------------------------------------------

MOUNT=mount
install -d -m 0755 "$T/logs"
lab_conf
start_updaterd
t "the scan directory is mounted nosymfollow" \
    grep -q " $SCAN tmpfs .*nosymfollow" /proc/self/mounts
is "$(s6-svok "$SCAN/agent" 2>/dev/null; echo $?)" 1 \
    "slots are there before s6-svscan, and nobody listens"
start_svscan
mk_lab_release r1
is "$(push r1)" 200 "a push starts the services under s6"
t "all of them run" wait_for 10 all_up
is "$(service pid one)" "$(svpid one)" "status names the process s6 runs"
is "$(stat -c %U "/proc/$(svpid one)")" _updagent \
    "it is of the service's user"
is "$(readlink "/proc/$(svpid one)/cwd")" "$C_ROOT/releases/$(current)" \
    "in the release, not in the link to it"
is "$(tr '\0' '\n' < "/proc/$(svpid agent)/environ" | sed 's/=.*//' |
    sort | tr '\n' ' ')" "HOME LOGNAME PATH SHELL UPDATERD_INSTANCE USER " \
    "with an environment that was made for it"
is "$(readlink "/proc/$(svpid agent)/fd/0")" /dev/null \
    "and nothing to read"
t "the logger writes as the user" wait_for 5 sh -c \
    "[ \"\$(stat -c %U '$T/logs/agent/current')\" = _updagent ]"

# --- 2. the owner ------------------------------------------------------

for slot in one agent agent/log; do
	t "owner: s6-svok, s6-svstat, s6-svdt $slot" as_user sh -c \
	    "s6-svok $SCAN/$slot && s6-svstat $SCAN/$slot &&
	    s6-svdt $SCAN/$slot"
done
t "owner: s6-svc -wd -d, s6-svwait" as_user sh -c \
    "s6-svc -wd -T 5000 -d $SCAN/one && s6-svwait -D -t 5000 $SCAN/one"
t "it is seen" wait_for 5 state_is one down
t "and taken down as what is wanted" wait_for 5 wants one "stopped s6"
t "owner: s6-svc -wu -u" as_user s6-svc -wu -T 5000 -u "$SCAN/one"
t "it is seen" wait_for 5 state_is one up
t "and taken down as what is wanted" wait_for 5 wants one "running s6"
t "owner: the logger" as_user sh -c "s6-svc -wd -T 5000 -d $SCAN/agent/log &&
    s6-svc -wu -T 5000 -u $SCAN/agent/log"

# --- 3. deaths ---------------------------------------------------------

old=$(svpid two)
kill9 "$old"
t "s6 restarts what dies" wait_for 5 new_pid two "$old"
t "which is seen" wait_for 5 state_is two up
is "$(service deaths two)" 1 "and counted"
old=$(svpid two)
kill9 "$(supervise_pid two)"
t "a supervisor that is killed comes again" wait_for 5 new_pid two "$old"
t "and the process that it left ends" wait_for 10 gone "$old"
t "one of it runs" wait_for 5 state_is two up

touch "$T/flags/park"
kill9 "$(svpid parks)"
t "an exit with 78 is final" wait_for 10 state_is parks failed
t "for s6, too" sh -c "s6-svstat -o up,wantedup $SCAN/parks |
    grep -qx 'false false'"
kill9 "$(supervise_pid parks)"
t "also for its next supervisor" wait_for 5 s6-svok "$SCAN/parks"
is "$(s6-svstat -o up "$SCAN/parks")" false "which does not start it"
is "$(service state parks)" failed "it is still failed"

# --- 4. planted links --------------------------------------------------

for d in one agent/log; do
	as_user sh -c "cd $SCAN/$d &&
	    ln -s $T/victim supervise/status.new
	    ln -s $T/victim supervise/death_tally.new
	    rm -f supervise/death_tally supervise/lock
	    ln -s $T/victim supervise/death_tally
	    ln -s $T/created supervise/lock
	    ln -s $T/victim event/ftrig1:@4000000000000000000000000000000
	    ln -s $T/victim supervise/event/ftrig1:@400000000000000000000000000
	    ln $T/victim supervise/hard" >/dev/null 2>&1
	as_user s6-svc -d "$SCAN/$d"
	as_user s6-svc -u "$SCAN/$d"
done
meets() {	# slot: whoever supervises it goes, until the next one meets them
	for p in $(supervise_pid "$1"); do
		kill9 "$p"
	done
	grep -q "s6-supervise $1: .*lock" "$T/svscan.out"
}
for d in one agent/log; do
	t "the next s6-supervise of $d meets the planted links" \
	    wait_for 15 meets $d
done
t "nothing of root's was written, emptied or made" untouched
t "no hard link was made either" test ! -e "$SCAN/one/supervise/hard"
as_user sh -c "cd $SCAN/one/supervise && rm -f control status &&
    ln -s $T/victim control; mkfifo status; rm -f $T/logs/agent/current"
ctl stop one >/dev/null 2>&1 &
c1=$!
wait_for 15 gone $c1
as_user sh -c "cd $SCAN/one/supervise && rm -f control && cat >control" \
    </dev/null
ctl start one >/dev/null 2>&1 &
c1=$!
wait_for 5 grep -q "start one for root" "$T/log"
as_user sh -c "cd $SCAN/one/supervise && rm -f control lock death_tally"
as_user rm -f "$SCAN/agent/log/supervise/lock"
t "nor by updaterd itself" untouched
t "which is still there" listening
kill9 $c1

# --- 5. wiped, and come back -------------------------------------------

ctl stop two >/dev/null
stop_updaterd
t "the services outlive updaterd" alive "$(svpid agent)"
stop_svscan
wait_for 5 umount "$SCAN"
start_updaterd
start_svscan
t "after a wipe what was wanted comes up" wait_for 15 state_is agent up
is "$(s6-svstat -o up "$SCAN/two")" false "what was stopped does not"
is "$(s6-svstat -o up "$SCAN/parks")" false "nor what had failed"
is "$(service state parks)" failed "and is still failed"
t "what the links had kept down is started" ctl start one
slots > "$T/slots.1"
restarts=$(service restarts one)
pids="$(svpid agent) $(svpid one)"
inode=$(stat -c %i "$SCAN/agent" "$SCAN/one")

stop_updaterd
start_updaterd
t "updaterd comes back to services that run" wait_for 10 state_is agent up
is "$(svpid agent) $(svpid one)" "$pids" "which are the same processes"
is "$(stat -c %i "$SCAN/agent" "$SCAN/one")" "$inode" "in the same slots"
is "$(service pid one)" "$(svpid one)" "and known"
is "$(service restarts one)" "$restarts" "not restarted"

stop_svscan
t "the end of s6-svscan is seen" wait_for 10 grep -q "lose sight of one" \
    "$T/log"
sleep 1.5	# longer than a stop takes to be a wish
is "$(wanted one)" "running root" "and is nobody's wish"
stop_updaterd
wait_for 5 umount "$SCAN"

# As a container's init has it: one pass, then s6-svscan, then updaterd.
once() {	# [n]: exit code
	"$UPDATERD" -f "$T/conf" "-R${1-}" >"$T/once" 2>>"$T/log"
	echo $?
}
up_as_before() {
	[ "$(s6-svstat -o up "$SCAN/agent")" = true ] &&
	    [ "$(s6-svstat -o up "$SCAN/one")" = true ] &&
	    [ "$(s6-svstat -o up "$SCAN/two")" = false ] &&
	    [ "$(s6-svstat -o up "$SCAN/parks")" = false ]
}
is "$(once n)" 3 "updaterd -Rn says that there is something to do"
is "$(ls -A "$SCAN")" "" "and does nothing"
is "$(once)" 0 "updaterd -R"
start_svscan
t "s6-svscan brings up what ran, and only that" wait_for 10 up_as_before
pids="$(svpid agent) $(svpid one)"
is "$(once)" 0 "updaterd -R again, while s6-svscan runs"
is "$(grep -c "action=adopted" "$T/once")" 2 "finds them running"
is "$(svpid agent) $(svpid one)" "$pids" "and leaves them alone"
start_updaterd
t "once more: the same come up" wait_for 15 state_is one up
slots > "$T/slots.2"
t "and the slots are identical" diff "$T/slots.1" "$T/slots.2"

# --- 6. no longer configured -------------------------------------------

C_SERVICES="$(lab_service two bin/stay)"
write_conf
ctl reload >/dev/null
slot_gone() {
	[ ! -e "$SCAN/one" ] && [ -z "$(supervise_pid one)" ] &&
	    [ -z "$(find "$SCAN" -maxdepth 1 -name '.dead-*')" ]
}
t "a slot that is no longer configured goes" wait_for 10 slot_gone
deleted() {
	for p in $(pgrep s6-supervise); do
		case $(readlink "/proc/$p/cwd") in
		*deleted*|*/.dead-*) return 0;;
		esac
	done
	return 1
}
deleted && not_ok "a supervisor has lost its slot" ||
    ok "no supervisor has lost its slot"

# While updaterd is away: one service goes, the other moves.
stop_updaterd
C_SERVICES=
C_SERVICE=
write_conf
start_updaterd
slots_gone() {
	[ -z "$(find "$SCAN" -mindepth 1 -maxdepth 1 ! -name .s6-svscan)" ] &&
	    [ -z "$(pgrep s6-supervise)" ]
}
t "slots of services configured otherwise go at the next start" \
    wait_for 15 slots_gone
t "and what has moved to updaterd itself runs there" \
    wait_for 15 is_serving r1
is "$(service supervisor)" native "as its own"
stop_updaterd
stop_svscan
wait_for 5 umount "$SCAN"

# --- 7. a scan directory of somebody else's, with links in it -----------

# As s6-rc has them: slots elsewhere, linked; one of them with a logger.
mkdir -p "$SCAN" /run/rc/web/log
for d in web web/log; do
	printf '#!/bin/sh\nexec sleep 1000\n' > "/run/rc/$d/run"
	chmod 0755 "/run/rc/$d/run"
done
ln -s /run/rc/web "$SCAN/web"
MOUNT=
C_SERVICE="supervise s6 \"$SCAN\" owner \"_updagent\" static { \"web\" \"late\" }
    log \"$T/logs/agent\""
C_SERVICES=$(lab_service two bin/stay)
write_conf
start_svscan -c 5
start_updaterd
t "on a file system with symlinks they run as well" \
    wait_for 10 state_is agent up
modes() {	# slot
	stat -c '%a %U:%G' "$SCAN/$1/supervise" "$SCAN/$1/supervise/control" |
	    tr '\n' ' '
}
has_modes() {	# slot
	[ "$(modes "$1")" = "711 root:root 620 root:_updagent " ]
}
for slot in agent agent/log two web web/log; do
	t "$slot: supervise/ is root's, its group has the control FIFO" \
	    wait_for 5 has_modes "$slot"
	t "$slot: s6-svok, s6-svstat, s6-svdt, s6-svc as the owner" \
	    as_user sh -c "s6-svok $SCAN/$slot && s6-svstat $SCAN/$slot &&
	    s6-svdt $SCAN/$slot && s6-svc -u $SCAN/$slot"
	as_user sh -c "cd $SCAN/$slot
	    ln -s $T/victim supervise/status.new
	    ln -s $T/victim event/ftrig1:@4000000000000000000000000000000
	    rm -f supervise/status; mv supervise/control supervise/c
	    mkdir supervise/x; touch down x" >/dev/null 2>&1
	is "$(find "$SCAN/$slot/" -user _updagent -print)" "" \
	    "$slot: nothing can be planted"
done
mkdir "/run/rc/late" && cp /run/rc/web/run /run/rc/late/run
ln -s /run/rc/late "$SCAN/late"
s6-svscanctl -a "$SCAN"
t "a static slot that comes later is given, too" wait_for 10 has_modes late
t "nothing of root's was touched" untouched

# Six, and it takes five.
C_SERVICES="$(lab_service two bin/stay)
$(lab_service three bin/stay)
$(lab_service four bin/stay)"
write_conf
ctl reload >/dev/null
like "$(ctl start four 2>&1; ctl start three 2>&1; ctl start two 2>&1)" \
    "does not supervise it; it takes so many services only: see its -c" \
    "a slot that s6-svscan does not take is reported"

finish
