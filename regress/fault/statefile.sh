#!/bin/sh
# Goal: an error that passes, at the one moment when a profile's state file is
# read, does not make what is wanted running stopped: nothing is recorded
# because of it, the log says why, and the file is read again.  What is on
# record holds meanwhile, and what cannot be read is not written over.
# FULL=1 has more kinds of errors.
. "${0%/*}/../lib.sh"
TRACER=$HERE/fault/tracer
make_users
make_certs
. "$HERE/profiles.sh"
C_SERVICE=optional
C_HEALTH='health none'
C_SERVICES="service \"gw\" {
		user \"_updagent\"
		home \"$H\"
		profiles \"$P\" marker \"SOUL.md\"
		command { \"sleep\" \"1000\" }
		optional
		stop TERM within 2s
	}"
write_conf
start_updaterd
mk_release one
is "$(push one)" 200 "a push"

record() {	# profile key
	jq -r ".$2" "$T/state/services/gw-$1.json"
}
is_state() {	# profile state
	[ "$(service state "gw-$1")" = "$2" ]
}
file_says() {	# profile key value
	[ "$(jq -r ".$2" "$P/$1/gw_state.json")" = "$3" ]
}
settled() {	# profile: all is written that is to be
	file_says "$1" desired_state running && file_says "$1" gw_state running
}
# All at once: a pass is not to see half of it.
come() {	# profile state-file
	mkdir "$H/$1"
	printf '%s' "$2" >"$H/$1/gw_state.json"
	: >"$H/$1/SOUL.md"
	chown -R _updagent "$H/$1"
	mv "$H/$1" "$P/$1"
}
# The Nth such call of a profile process, on a state file, fails once.
failing() {	# errno call N [command...]
	e=$1 call=$2 n=$3
	shift 3
	[ $# -gt 0 ] || set -- -p "$UPID"
	rm -f "$T/traced"
	"$TRACER" -t profile -e "$e" -f "$call" -m gw_state.json -n "$n" \
	    "$@" >"$T/traced" 2>>"$T/log" </dev/null &
	tracer=$!
	wait_for 10 grep -q ^ready "$T/traced"
}
failed() {	# what
	wait_for 20 grep -q '^failed' "$T/traced"
	kill "$tracer" 2>/dev/null
	wait "$tracer" 2>/dev/null
	like "$(cat "$T/traced")" '^failed .*gw_state' "$1: it failed"
}
lines() {	# profile: what became of it, pass by pass
	sed -n "s/.*reconcile profile=$1 .*action=\([a-z]*\) .*/\1/p" \
	    "$T/log" | sed '/^adopted$/d' | paste -sd ' '
}
starts_under() {	# errno call N: the daemon
	failing "$1" "$2" "$3" "$UPDATERD" -d -v -f "$T/conf"
	UPID=$(sed -n 's/^ready //p' "$T/traced")
	wait_for 20 listening
}

# --- a profile that comes ---------------------------------------------

stop_updaterd
start_updaterd -v
default_there() {
	[ "$(jq -r .desired_state "$H/gw_state.json")" = stopped ]
}
t "default is there, and has its file" wait_for 10 default_there
# Behind default's own, which has a time in it and needs none of the file's.
one() {		# profile errno call N words
	failing "$2" "$3" "$4"
	come "$1" '{"gw_state":"running"}'
	failed "$1, $3, $5"
	t "it runs all the same" wait_for 20 is_state "$1" up
	is "$(lines "$1")" "failed started" \
	    "what it is to do was not decided before it could be read"
	t "the log says why" grep -q \
	    "state file of profile $1 of gw: $5.*tried again" "$T/log"
	is "$(record "$1" desired)/$(record "$1" desired_by)" running/import \
	    "nothing else was recorded"
}
all=
try() {		# the same
	all="$1 $all"
	one "$@"
	t "and its file says so" wait_for 20 settled "$1"
}
try p9 5 openat 2 Input/output
if [ -n "${FULL-}" ]; then
	try p8 24 openat 2 "Too many"
	try p7 12 openat 2 "Cannot allocate"
fi
try p6 5 newfstatat 1 Input/output

# --- at the first start -----------------------------------------------

stop_updaterd
rm -r "$T/state/services"
rm "$H/gw_state.json"
for k in $all; do
	printf '{"gw_state":"running"}' >"$P/$k/gw_state.json"
done
: >"$T/log"
starts_under 5 openat 2
failed "first start"
t "who was wanted runs" wait_for 20 is_state p6 up
is "$(lines p6)/$(lines p9)" "failed started/started" "nobody else waited"
for k in $all; do
	t "$k: its file says so" wait_for 10 settled "$k"
done
stop_updaterd
rm -r "$T/state/services"
: >"$T/log"
starts_under 24 openat 1
failed "first start, default"
default_known() {
	[ "$(lines default)" = "failed registered" ]
}
t "default is known when its file was read" wait_for 20 default_known
t "it is down" is_state default down

# --- what is on record ------------------------------------------------

# Somebody used other tools while it was away.
for k in $all; do
	t "$k runs" wait_for 20 is_state "$k" up
	wait_for 10 settled "$k"
done
stop_updaterd
is "$(record p6 desired)" running "p6 is on record as wanted"
printf '{"gw_state":"stopped","desired_state":"stopped","timestamp":%s}' \
    "$(date +%s.%N)" >"$P/p6/gw_state.json"
: >"$T/log"
starts_under 5 openat 2
failed "what is on record"
taken() {
	is_state p6 down && [ "$(record p6 desired)" = stopped ]
}
t "what is newer is taken when it can be read" wait_for 20 taken
is "$(lines p6)" "started stopped" "what was on record held until then"
is "$(jq -r .desired_state "$P/p6/gw_state.json")" stopped \
    "it was not written over meanwhile"

# --- writing ----------------------------------------------------------

written() {
	file_says p6 gw_state stopped && file_says p6 desired_state stopped
}
t "its file is as it is" wait_for 10 written
failing 5 openat 1
t "start" ctl start gw-p6
failed "writing"
told() {
	grep -q 'keep profiles of gw: 1 failed.*Input/output' "$T/log"
}
t "the log says so" wait_for 20 told
t "a good file is not put aside" test ! -e "$P/p6/gw_state.json.bad"
is "$(jq -r .desired_state "$P/p6/gw_state.json")" stopped "nor lost"
t "the next pass" ctl reconcile
t "has it written" wait_for 10 settled p6
finish
