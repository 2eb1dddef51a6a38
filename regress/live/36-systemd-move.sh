#!/bin/sh
# Goal: profiles as instances of a template unit that the release ships; a
# service moves from updaterd to systemd and back at a reload; what was taken
# out of the configuration while updaterd was away is not left behind; what
# was wanted down stays so over a reboot even if its unit is enabled.
. "${0%/*}/../lib.sh"
. "$HERE/systemd.sh"

PORT=$(free_port) APORT=$(free_port) C_ROOT=$T/agent

plain() {	# under updaterd itself
	cat <<C
	service "agent" {
		user "_updagent"
		command { "bin/agent" "--port" "$APORT"
		    "--cert" "$T/certs/worker.crt"
		    "--key" "$T/certs/worker.key" "--ca" "$T/certs/ca.crt" }
		$(https_health)
	}
C
}
unit() {	# under systemd
	cat <<C
	service "agent" {
		supervise systemd "agent.service"
		$(https_health)
	}
C
}
gateway() {
	cat <<C
	service "gw" {
		user "_updagent"
		home "$T/home"
		profiles "$T/home/profiles" marker "SOUL.md"
		supervise systemd "gw@%p.service" units install
	}
C
}
conf() {	# function...
	for f; do
		$f
	done | sd_conf
}
by() {	# supervisor
	[ "$(service supervisor)" = "$1" ] && healthy
}

make_users
make_certs
conf plain
sd_units
sd_unit "StandardOutput=null" "StandardError=null" "[Install]" \
    "WantedBy=basic.target" > "$T/units/agent.service"
mkdir -p "$T/home/profiles/a" "$T/home/profiles/b"
: > "$T/home/profiles/a/SOUL.md"
: > "$T/home/profiles/b/SOUL.md"
for p in a b; do
	echo '{"gw_state":"running","desired_state":"running"}' \
	    > "$T/home/profiles/$p/gw_state.json"
done
chown -R _updagent "$T/home"
sd_boot

with_gw() {	# release argument
	mkdir -p "$T/src/$1/etc/systemd/system"
	cat > "$T/src/$1/etc/systemd/system/gw@.service" <<U
[Unit]
DefaultDependencies=no
[Service]
User=_updagent
ExecStart=/bin/sleep $2
Restart=always
U
	pack_release "$1"
}
mk_release r1
mk_release r2
mk_release r3
with_gw r2 1002
with_gw r3 1003

# --- from one supervisor to another ---------------------------------------

t "start updaterd" sd start updaterd
is "$(push r1)" 200 "a push"
is "$(service supervisor) $(serving)" "native r1" "updaterd runs it"
conf unit
t "reload: it moves to systemd" sd reload updaterd
t "which runs it" wait_for 10 by systemd
is "$(service pid) $(serving)" "$(show MainPID agent) r1" "as its own"
conf plain
t "reload: it moves back" sd reload updaterd
t "updaterd runs it" wait_for 10 by native
is "$(show ActiveState agent) $(serving)" "inactive r1" "and systemd does not"

# --- profiles --------------------------------------------------------------

conf plain gateway
t "reload: profiles of a template" sd reload updaterd
pushed() {	# release; not while a reload is still being carried out
	[ "$(push "$1")" = 200 ]
}
t "a push with its unit" wait_for 20 pushed r2
sub() {	# instance
	show ExecStart "gw@$1" | sed 's/.*argv\[\]=\([^;]*[^ ;]\).*/\1/'
}
running() {	# argument of a and b
	for p in a b; do
		[ "$(show SubState gw@$p)" = running ] || return 1
		[ "$(sub $p)" = "/bin/sleep $1" ] || return 1
	done
}
t "runs those that are wanted" wait_for 10 running 1002
is "$(show ActiveState gw@default)" inactive "and no other"
is "$(service pid gw-a)" "$(show MainPID gw@a)" "each is an instance"
is "$(push r3)" 200 "another push"
t "restarts them with the unit of its release" running 1003
t "stop one" ctl stop gw-a
is "$(show ActiveState gw@a) $(show ActiveState gw@b)" "inactive active" \
    "stops one"

# --- what is not configured any more ---------------------------------------

t "stop updaterd" sd stop updaterd
is "$(show ActiveState gw@b)" active "leaves the units"
conf plain
t "start updaterd without them" sd start updaterd
orphan_gone() {
	[ "$(show ActiveState gw@b)" = inactive ] &&
	    ! inside test -e /run/systemd/system/gw@.service
}
t "they are stopped, and their file removed" wait_for 10 orphan_gone

# --- enabled, but wanted down -------------------------------------------------

conf unit
t "reload" sd reload updaterd
t "under systemd" wait_for 10 by systemd
t "stop" ctl stop agent
t "stop updaterd" sd stop updaterd
state=/var/lib/updaterd/services/agent.json
other=11111111-1111-1111-1111-111111111111
inside sed -i "s/\"boot\": *\"[^\"]*\"/\"boot\": \"$other\"/" $state
sd start agent
t "as if after a reboot" sd start updaterd
put_down() {
	[ "$(show ActiveState agent)" = inactive ]
}
t "what was wanted down is put down" wait_for 10 put_down
is "$(service wanted)" stopped "and wanted so"
finish
