#!/bin/sh
# An update of an agent whose services run under s6: stopped, flipped,
# started and probed as any other; what is not healthy goes back, and the
# answer holds what it wrote; nobody's wish is changed by it.
OWN_PIDS=yes
. "${0%/*}/../lib.sh"
. "$HERE/svscan.sh"

install -d -m 0755 "$T/logs"
C_SERVICE="supervise s6 \"$SCAN\" owner \"_updagent\"
    log \"$T/logs/agent\" size 64K keep 2"
C_SERVICES="service \"says\" {
		user \"_updagent\"
		command { \"bin/says\" }
		health notify { within 5s }
		supervise s6 \"$SCAN\" owner \"_updagent\"
	}
	service \"idle\" {
		user \"_updagent\"
		command { \"bin/says\" }
		supervise s6 \"$SCAN\" owner \"_updagent\"
	}"

# A release with a service that says when it is ready, unless told not to,
# and perhaps another agent.
mk_lab_release() {	# name [script]
	mk_release "$1"
	[ -z "${2-}" ] || printf '#!/bin/sh\n%s\n' "$2" > "$T/src/$1/bin/agent"
	cat > "$T/src/$1/bin/says" <<'S'
#!/bin/sh
# Nobody listens where readiness is not asked for.
[ -n "${NOTIFY_FD-}" ] && echo >&3
exec 3>&- sleep 1000
S
	chmod 0755 "$T/src/$1/bin/says"
	[ ! -e "$T/mute" ] || sed -i '/echo/d' "$T/src/$1/bin/says"
	pack_release "$1"
}

inodes() {
	stat -c '%i %n' "$SCAN"/*/ "$SCAN"/*/run
}

mkdir -p "$SCAN"
s6-svscan "$SCAN" >"$T/svscan.out" 2>&1 </dev/null &
wait_for 10 test -p "$SCAN/.s6-svscan/control"
write_conf
start_updaterd
mk_lab_release r1
is "$(push r1)" 200 "the first release"
is_serving r1 && ok "serves" || not_ok "serves"
is "$(service '| .health.detail' says)" "said that it is ready" \
    "one says by itself that it is ready"
t "one is stopped" ctl stop idle
inodes > "$T/inodes"

mk_lab_release r2
is "$(push r2)" 200 "another release"
is "$(serving)" r2 "serves"
is "$(readlink "/proc/$(svpid says)/cwd")" "$C_ROOT/releases/$(current)" \
    "the other service is of it, too"
is "$(s6-svstat -o up "$SCAN/idle")" false "what is wanted down stays down"
is "$(body '[.timings.stop < 900, .timings.start < 5000] | all')" true \
    "nobody waited for s6's second"
is "$(service deaths)" 0 "a planned stop is no death"
is "$(wanted agent)" "running config" "and no wish"

mk_lab_release bad "echo last-words >&2; exit 3"
is "$(push bad)" 409 "a release that dies is rolled back"
is "$(body .detail.rolled_back)" true "it says so"
# On a busy machine s6 may have it up again before its end is seen.
like "$(body .detail.error)" "exited( 3|, how is not known)" "and why"
like "$(body .detail.stderr)" "last-words" \
    "with what its logger has of it"
is "$(serving)" r2 "the old one serves"
is "$(s6-svstat -o up,wantedup "$SCAN/agent")" "true true" "under s6"

mk_lab_release deaf "exec sleep 1000"
is "$(push deaf)" 409 "one that is not healthy is rolled back"
unlike "$(body .detail.stderr)" "last-words" \
    "the answer holds what was written since"
is "$(serving)" r2 "the old one serves"

# Its log is rotated meanwhile, and the new file is the shorter one.
head -c 40000 /dev/zero | tr '\0' '\n' >> "$T/logs/agent/current"
mk_lab_release chatty "yes \$(head -c 1000 /dev/zero | tr '\\0' x) |
    head -c 66000; echo; echo after-that; sleep 0.3; exit 3"
is "$(push chatty)" 409 "one that writes a lot and dies"
like "$(body .detail.stderr)" "after-that" "has its last words in the answer"

# What has the name of its log, and is root's: its user may have linked it.
mv "$T/logs/agent/current" "$T/logs/agent/mine"
install -m 0600 /dev/null "$T/logs/agent/current"
mk_lab_release bad2 "exit 3"
(until [ -e "$T/enough" ]; do
	echo secret >> "$T/logs/agent/current"
	sleep 0.02
done) &
is "$(push bad2)" 409 "one that dies beside a file of root's"
touch "$T/enough"
wait $!
unlike "$(body .detail.stderr)" "secret" "of which the answer holds nothing"
mv "$T/logs/agent/mine" "$T/logs/agent/current"

touch "$T/mute"
mk_lab_release mute
is "$(push mute)" 409 "one that does not say that it is ready as well"
rm -f "$T/mute"

mk_lab_release parks "exit 78"
is "$(push parks)" 409 "one that exits 78 is rolled back"
is "$(serving)" r2 "and does not stay parked with it"
t "nor is there a down file" test ! -e "$SCAN/agent/down"

inodes > "$T/inodes.2"
t "no update has touched a slot" diff "$T/inodes" "$T/inodes.2"
is "$(wanted agent) $(wanted idle)" "running config stopped root" \
    "what is wanted is what it was"
is "$(pgrep -c -f "^s6-supervise ")" 4 "each slot has one supervisor"

# No supervisor, no service: and it says what is missing.
s6-svscanctl -t "$SCAN"
wait_for 10 sh -c "! pgrep s6-svscan"
mk_lab_release r3
is "$(push r3)" 500 "without s6-svscan nothing can be started"
like "$(body .detail.error)" "s6-svscan, which does not run on $SCAN" \
    "and it says so"
s6-svscan "$SCAN" >>"$T/svscan.out" 2>&1 </dev/null &
t "with it the services come up" wait_for 15 is_serving r2

finish
