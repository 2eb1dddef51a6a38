#!/bin/sh
# Goal: what systemd refuses to do is told to whoever asked for it, with the
# unit's name: a stop, a start, a push that cannot stop what runs and has
# switched nothing then; and it is done as soon as systemd can be brought to.
. "${0%/*}/../lib.sh"
. "$HERE/systemd.sh"

PORT=$(free_port) APORT=$(free_port) C_ROOT=$T/agent

unit() {	# line...
	{
		printf '[Unit]\nDefaultDependencies=no\n'
		printf '%s\n' "$@" '[Service]' Restart=always \
		    RestartSec=50ms "ExecStart=/bin/sleep infinity"
	} > "$T/units/a.service"
}
make_users
make_certs
sd_conf <<'C'
	service "x" {
		supervise systemd "a.service"
		stop within 200ms
	}
C
sd_units
unit
mk_release r1
mk_release r2
sd_boot

t "start updaterd" sd start updaterd
is "$(push r1)" 200 "a push"
is "$(service state x)" up "it runs"

# --- it cannot be stopped ------------------------------------------------

unit RefuseManualStop=yes
sd daemon-reload
ctl stop x >"$T/out" 2>&1
is "$?" 1 "updaterctl stop fails"
like "$(tr -s '\n ' ' ' < "$T/out")" \
    'systemctl status a.service: .*Operation refused' "and says why"
is "$(service state x) $(service wanted x)" "stopping stopped" \
    "it is to stop all the same"
is "$(push r2)" 409 "a push, which cannot stop it either"
like "$(body .detail.error)" \
    'service x: .*systemctl status a.service: .*Operation refused' \
    "is told why"
is "$(cat "$C_ROOT/current/VERSION")" r1 "nothing was switched"
t "and nothing is in flight any more" wait_for 10 idle
unit
sd daemon-reload
down() {
	[ "$(service state x)" = down ] &&
	    [ "$(show ActiveState a)" = inactive ]
}
t "once it can be stopped it is" wait_for 10 down
is "$(service wanted x)" stopped "as it is wanted"

# --- it cannot be started ------------------------------------------------

unit RefuseManualStart=yes
sd daemon-reload
ctl start x >"$T/out" 2>&1
is "$?" 1 "updaterctl start fails"
like "$(tr -s '\n ' ' ' < "$T/out")" \
    'systemctl status a.service: .*Operation refused' "and says why"
is "$(push r2)" 500 "a push, of which nothing can be started"
like "$(body .detail.error)" \
    'service x: .*systemctl status a.service: .*Operation refused' \
    "is told why"
unit
sd daemon-reload
up() {
	[ "$(service state x)" = up ]
}
t "once it can be started it is" wait_for 15 up
is "$(push r2)" 200 "and a push is none the worse"
finish
