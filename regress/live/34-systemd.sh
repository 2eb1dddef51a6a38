#!/bin/sh
# Goal: a service that systemd runs is updated as one of our own: push, a
# bad push rolled back, the release's unit file put in place and back; what
# others do with systemctl is seen and taken as their wish, a crash is a
# crash; and neither restart nor death of updaterd touches it.
#
# The real systemd, with updaterd.service as shipped; see systemd.sh.
. "${0%/*}/../lib.sh"
. "$HERE/systemd.sh"

PORT=$(free_port) APORT=$(free_port)

conf() {	# what follows "supervise systemd", more of the service
	sd_conf <<C
	service "agent" {
		supervise systemd $1
		$(https_health)
		stop within 3s
		restart backoff 100ms
		${2-}
	}
	${C_SERVICES-}
C
}

unit() {	# line of [Service]...: the unit of the agent
	sd_unit "StandardOutput=append:$T/agent.log" \
	    "StandardError=append:$T/agent.log" "TimeoutStopSec=20s" "$@"
}

with_unit() {	# release line...: the release ships the unit
	name=$1
	shift
	mkdir -p "$T/src/$name/etc/systemd/system"
	unit "$@" > "$T/src/$name/etc/systemd/system/agent.service"
	# One that nobody asked for.
	unit > "$T/src/$name/etc/systemd/system/other.service"
	pack_release "$name"
}

main() {	# MainPID of the agent
	show MainPID agent
}
another() {	# pid: it runs and is another one
	p=$(main)
	alive_inside "$p" && [ "$p" != "$1" ] && [ "$(service pid)" = "$p" ]
}
alive_inside() {
	[ "${1:-0}" -gt 1 ] && inside test -e "/proc/$1"
}
deaths() {
	service deaths
}

C_ROOT=$T/agent
make_users
make_certs
conf '"agent.service"'
sd_units
unit Restart=no > "$T/units/agent.service"
sd_boot
for r in 1 2 3 4 5; do
	mk_release r$r
done
mk_release bad exit-at-once=3
mk_release sick answer-500

# --- the operator's own unit, which does not restart by itself -----------

t "updaterd starts" sd start updaterd
is "$(service state)" down "without a release it is down"
is "$(push r1)" 200 "a push starts the unit"
is "$(serving)" r1 "it serves"
is "$(service pid)" "$(main)" "the pid is systemd's"
is "$(service supervisor) $(service containment)" "systemd cgroup" "by systemd"
pid=$(main)
is "$(push r2)" 200 "a push restarts it"
note "ms of it: $(body '.timings | tojson')"
is "$(serving)" r2 "with the new release"
unlike "$(main)" "^($pid|0)$" "as another process"

is "$(push bad)" 409 "a release that exits is rolled back"
is "$(serving)" r2 "the old one serves"
like "$(body .detail.error)" 'exited 3' "the answer says how it ended"
is "$(push sick)" 409 "one that is not healthy, too"
is "$(serving)" r2 "the old one serves"
is "$(service state) $(show ActiveState agent)" "up active" "and is up"

t "updaterctl stop" ctl stop agent
is "$(show ActiveState agent) $(service wanted)" "inactive stopped" \
    "stops the unit"
t "updaterctl start" ctl start agent
is "$(show ActiveState agent) $(service wanted) $(serving)" \
    "active running r2" "starts it"

n=$(deaths)
sd stop agent
t "systemctl stop: seen, and taken as a wish" \
    wait_for 10 state_is down stopped
like "$(service wanted_by)" systemd "of somebody who used systemd"
is "$(deaths) $(show ActiveState agent)" "$n inactive" \
    "it is neither a crash nor fought"
is "$(push r3)" 200 "a push while it is wanted down"
is "$(show ActiveState agent)" inactive "leaves it so"
sd start agent
t "systemctl start: seen, and taken as a wish" wait_for 10 healthy
is "$(service wanted) $(serving)" "running r3" "it runs the new release"
pid=$(main)
sd restart agent
t "systemctl restart: followed" wait_for 10 another "$pid"
t "healthy again" wait_for 10 healthy
is "$(service wanted) $(deaths)" "running $n" "no crash"

pid=$(main)
inside kill -KILL "$pid"
t "a crash of a unit without Restart=: we start it" \
    wait_for 10 another "$pid"
t "healthy again" wait_for 10 healthy
is "$(deaths)" $((n + 1)) "a crash it was"
pid=$(main)
inside kill -TERM "$pid"
t "an end of its own, exit 0: we start it" wait_for 10 another "$pid"
t "healthy again" wait_for 10 healthy
is "$(service wanted)" running "no wish is read from an exit code"

# --- updaterd comes and goes ---------------------------------------------

pid=$(main)
t "updaterd restarts" sd restart updaterd
is "$(main) $(serving)" "$pid r3" "the service is not touched"
t "and is taken over" wait_for 10 healthy
is "$(service pid)" "$pid" "as it is"
sd kill --kill-who=main --signal=KILL updaterd
back() {
	[ "$(show NRestarts)" = 1 ] && sd is-active updaterd && listening
}
t "killed, updaterd comes back" wait_for 10 back
t "the service is taken over" wait_for 10 healthy
is "$(service pid)" "$pid" "as it is"
sd stop updaterd
is "$(main)" "$pid" "a stop of updaterd leaves it alone"
sd stop agent
t "start updaterd" sd start updaterd
t "a stop while it was away is a wish" wait_for 10 state_is down stopped

# --- a unit that systemd restarts, shipped by the release ----------------

rm "$T/units/agent.service"
conf '"agent.service" units install'
t "reload" sd reload updaterd
RUNUNIT=/run/systemd/system/agent.service
with_unit r4 Restart=always RestartSec=100ms RestartPreventExitStatus=78
with_unit r5 Restart=always RestartSec=200ms RestartPreventExitStatus=78
sd daemon-reload
is "$(push r4)" 200 "a push of a release with its unit"
t "start" ctl start agent
is "$(show FragmentPath agent)" "$RUNUNIT" "it is installed"
t "as shipped" inside cmp "$RUNUNIT" \
    "$C_ROOT/current/etc/systemd/system/agent.service"
is "$(inside ls /run/systemd/system | grep -c other)" 0 "and no other one"
stamp=$(inside stat -c '%i %Z' "$RUNUNIT")
t "restart" ctl restart agent
is "$(inside stat -c '%i %Z' "$RUNUNIT")" "$stamp" \
    "the same bytes are left alone"
is "$(push r5)" 200 "a push with another unit"
is "$(show RestartUSec agent)" 200ms "systemd has loaded it"
mk_release bad exit-at-once=3
with_unit bad Restart=always RestartSec=700ms
is "$(push bad)" 409 "a bad push with a unit"
is "$(show RestartUSec agent) $(serving)" "200ms r5" \
    "the unit is put back with the release"
mk_release none
is "$(push none)" 409 "a release without its unit is refused"
like "$(body .detail.error)" 'has no etc/systemd/system/agent.service' \
    "and told why"
is "$(serving)" r5 "the old one serves"

n=$(deaths) pid=$(main)
inside kill -KILL "$pid"
t "a crash: systemd starts it again" wait_for 10 another "$pid"
t "healthy again" wait_for 10 healthy
is "$(deaths) $(show NRestarts agent)" "$((n + 1)) 1" "the death is counted"
mk_release park exit-at-once=78
with_unit park Restart=always RestartSec=100ms RestartPreventExitStatus=78
is "$(push park)" 409 "a release that exits 78"
is "$(serving)" r5 "the old one serves"

pid=$(main)
inside mkdir -p /etc/systemd/system
unit | inside tee /etc/systemd/system/agent.service >/dev/null
t "a unit of the operator's that hides ours" sh -c "! '$UPDATERCTL' -s \
    '$T/updaterd.sock' restart agent"
like "$(service why)" 'hides the unit' "is said to be in the way"
inside rm /etc/systemd/system/agent.service
t "without it" ctl start agent

cp "$T/conf" "$T/conf.with"
sed -i '/service "agent" {/,/^	}/d' "$T/conf"
t "taken out of the configuration" sd reload updaterd
unit_gone() {
	[ "$(show ActiveState agent)" = inactive ] &&
	    ! inside test -e "$RUNUNIT"
}
t "it is stopped and its unit removed" wait_for 10 unit_gone
cp "$T/conf.with" "$T/conf"
t "put in again" sd reload updaterd
t "start" ctl start agent

# --- the end of the host --------------------------------------------------

# agent goes at once, linger when it is told to, updaterd after both.
cat > "$T/units/linger.service" <<U
[Unit]
DefaultDependencies=no
Conflicts=shutdown.target
Before=shutdown.target
After=updaterd.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=true
ExecStop=sh -c 'while [ ! -e $T/done ]; do sleep 0.05; done'
U
mkdir -p "$T/units/agent.service.d"
printf '[Unit]\nConflicts=shutdown.target\nBefore=shutdown.target\n%s' \
    'After=updaterd.service' > "$T/units/agent.service.d/down.conf"
sd daemon-reload
sd start linger
t "it runs" wait_for 10 healthy
sd --no-block start shutdown.target
down() {
	[ "$(show ActiveState agent)" = inactive ]
}
t "the host goes down, and with it the service" wait_for 10 down
settled() {
	[ "$(grep -c 'take down that agent is wanted stopped' "$T/log")" \
	    -gt "$wishes" ]
}
wishes=$(grep -c 'take down that agent is wanted stopped' "$T/log")
wait_for 2 settled
is "$(service wanted)" running "which is nobody's wish"
: > "$T/done"
finish
