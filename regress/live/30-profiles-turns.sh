#!/bin/sh
# Goal: what an operator said of a service holds, however its seats change
# right afterwards: a home or profiles are added or taken away by a reload,
# a profile goes and comes, the daemon ends.
. "${0%/*}/../lib.sh"

make_users
make_certs
. "$HERE/profiles.sh"
C_SERVICE=optional
C_HEALTH='health none'

turn() {	# lines of the service's block
	C_SERVICES="service \"x\" {
		user \"_updagent\"
		command { \"sleep\" \"1000\" }
		optional
		stop TERM within 2s
		${1-}
	}"
	write_conf
}
home="home \"$H\""
profiles="$home
		profiles \"$P\" marker \"SOUL.md\""

is_state() {	# name: state wanted
	[ "$(status ".agents[].services[] | select(.name == \"$1\") |
	    .state + \" \" + .wanted")" = "$2" ]
}
file_wants() {	# directory word
	[ "$(jq -r .desired_state "$1/x_state.json")" = "$2" ]
}
line_of() {	# name: the last pass saw it as it is
	ctl reconcile | grep "service=x "
}

turn
start_updaterd
mk_release one
is "$(push one)" 200 "a push"
t "it runs" wait_for 10 is_state x "up running"

# --- a home is added --------------------------------------------------

recorded() {	# state
	[ "$(jq -r .state "$T/state/services/x.json")" = "$1" ]
}
t "stop" ctl stop x
# Else the record itself, when it is written, reminds of the file.
t "it is on record" wait_for 5 recorded down
turn "$home"
t "a home is added" ctl reload
t "what was stopped is in the file of the home" wait_for 10 \
    file_wants "$H" stopped
like "$(line_of)" 'profile=default .*action=registered' \
    "and is not started"
t "nor wanted" is_state x "down stopped"
t "start" ctl start x
t "it is in the file" wait_for 10 file_wants "$H" running
pid=$(service pid x)
turn
t "the home is taken away" ctl reload
is "$(service pid x)" "$pid" "what ran goes on"
turn "$home"
t "and comes back" ctl reload
t "its line" line_of
is "$(service pid x)" "$pid" "what ran goes on, too"

# --- a change, and nobody has written it down yet ---------------------

t "stop" ctl stop x
turn "$profiles"
t "profiles are added at once" ctl reload
t "and one that comes while they are brought waits for that" ctl reload
t "the file has the stop" file_wants "$H" stopped
like "$(line_of)" 'profile=default .*action=registered' \
    "what is now the default profile stays down"
turn "$home"
t "and back" ctl reload
t "its line" line_of
t "start" ctl start x
t "it is in the file" wait_for 10 file_wants "$H" running
t "stop" ctl stop x
stop_updaterd
t "a stop and then the daemon's: the file has the first" \
    file_wants "$H" stopped
unlike "$(tail -n 3 "$T/log")" 'not waited for' "which was waited for"
start_updaterd
t "start" ctl start x
t "it is in the file" wait_for 10 file_wants "$H" running
stop_updaterd
t "the daemon's end is no stop" file_wants "$H" running
is "$(jq -r .x_state "$H/x_state.json")" running "nor another state"

# Only the home is kept over the daemon's end.
rm -rf "$T/state"
start_updaterd
t "it comes back as its file wants" wait_for 10 is_state x "up running"
t "stop" ctl stop x
stop_updaterd
rm -rf "$T/state"
start_updaterd
like "$(line_of)" 'profile=default .*action=registered' \
    "and stays down as its file wants"

# --- a profile goes and comes -----------------------------------------

as_user mkdir "$P/a"
as_user touch "$P/a/SOUL.md"
turn "$profiles"
t "profiles" ctl reload
t "its line" line_of
t "start" ctl start x-a
t "it is in the file" wait_for 10 file_wants "$P/a" running
t "stop" ctl stop x-a
as_user rm "$P/a/SOUL.md"
is_gone() {
	[ -z "$(service state x-a)" ]
}
t "a profile goes right after its stop" wait_for 10 is_gone
as_user touch "$P/a/SOUL.md"
t "it comes back as it was" wait_for 10 is_state x-a "down stopped"
finish
