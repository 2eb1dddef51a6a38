#!/bin/sh
# Goal: each kind of health check says yes to a good release and no, with a
# reason, to a bad one.
. "${0%/*}/../lib.sh"
make_users
make_certs
mk_release good
mk_release late slow-start=300
mk_release bad exit-at-once
mk_release err answer-500
mk_release never slow-start=20000

: "${PORT:=$(free_port)}" "${APORT:=$(free_port)}"
kind() {	# name health args
	C_HEALTH=$2
	C_ARGS=$3
	C_ROOT=$T/root-$1
	write_conf
	start_updaterd
	is "$(push good)" 200 "$1: good"
	is "$(service health.kind)" "$1" "$1: is the kind"
	is "$(push late)" 200 "$1: good after a while"
	is "$(push bad)" 409 "$1: one that exits"
	is "$(body .detail.rolled_back)" true "$1: rolled back"
}
kind https "$(https_health)" ""
is "$(push err)" 409 "https: one that answers 500"
stop_updaterd
kind http "health http 127.0.0.1 port $APORT path \"/health\" {
	within 2s timeout 1s }" '"--http"'
is "$(push err)" 409 "http: one that answers 500"
is "$(push never)" 409 "http: one that never listens"
like "$(body '.detail | tostring')" 'refused' "http: says refused"
stop_updaterd
kind tcp "health tcp 127.0.0.1 port $APORT { within 2s timeout 1s }" '"--http"'
is "$(push err)" 200 "tcp: sees no answers"
is "$(push never)" 409 "tcp: one that never listens"
stop_updaterd
# The check must need the service: one that always says yes can be quicker
# than a service that exits at once.
kind exec "health exec { \"curl\" \"-sfo\" \"/dev/null\"
	\"http://127.0.0.1:$APORT/health\" } { within 2s timeout 1s }" '"--http"'
is "$(push err)" 409 "exec: a check that fails"
stop_updaterd
kind notify 'health notify { within 2s }' '"--http"'
is "$(push never)" 409 "notify: one that never says so"
stop_updaterd
kind none 'health none' '"--http"'
stop_updaterd
# Another CA than the agent's: the reason must be the certificate.
C_ROOT=$T/root-ca
C_ARGS=
C_HEALTH="health https 127.0.0.1 port $APORT path \"/health\" {
	ca \"$T/certs/other-ca.crt\" within 1s timeout 1s }"
write_conf
start_updaterd
is "$(push good)" 500 "https: another CA"
like "$(body '.detail | tostring')" 'certificate' "https: says certificate"
finish
