#!/bin/sh
# Goal: a release that was healthy at first and then crashes, parks or falls
# ill within its probation goes back; one that keeps well stays, and nothing
# is asked of it any more.  Also with the window of a confirmation.
. "${0%/*}/../lib.sh"
C_AGENT='probation 2s'
C_SERVICE='restart backoff 100ms max 300ms permanent { 78 }'
PORT=$(free_port) APORT=$(free_port)
C_HEALTH=$(https_health 2s 1s)
setup
mk_release r1
mk_release r2
mk_release r3
mk_release crash crash-after=600
mk_release once crash-after=600
mk_release sick sick-after=500

last() {	# field of the newest line of the history
	ctl -j history | jq -r ".history[0].$1"
}
state_is() {
	[ "$(status .agents[0].state)" = "$1" ]
}
back_to() {	# name
	is_serving "$1" && complete "$1" && clean_staging
}
again() {	# seconds: the probation of what is pushed from now on
	C_AGENT="probation $1"
	write_conf
	ctl reload >/dev/null
}

is "$(push r1)" 200 "first release"
like "$(body .probation)" '^[12]$' "the answer says that it is watched"
is "$(status .agents[0].state)" probation "status, too"
like "$(status .agents[0].trial.probation)" '^[12]$' "with the time left"
t "updaterctl status tells" sh -c "'$UPDATERCTL' -s '$T/updaterd.sock' \
    status | grep -q 'probation, [12]s left'"
is "$(api POST /confirm)" 404 "there is nothing to confirm"
pid=$(service pid)
t "it passes" wait_for 10 state_is idle
is "$(last event) $(last result)" "trial passed" "the history knows"
is "$(service pid)" "$pid" "the service did not notice"
t "nothing is left" clean_staging

again 30s
is "$(push crash)" 200 "one that crashes"
bad=$(body .release.id)
t "goes back" wait_for 15 back_to r1
like "$(status .agents[0].error)" \
    "$bad failed in its probation: service agent died 3 times" "status says why"
is "$(last event) $(last result) $(last phase)" \
    "trial rolled_back probation" "the history, too"
is "$(jq -r .state "$C_ROOT/releases/$bad.json")" failed "it counts as failed"
is "$(push sick)" 200 "one that falls ill"
t "goes back" wait_for 15 back_to r1
like "$(last error)" 'service agent is not healthy: .*500' "for that reason"
is "$(push r2)" 200 "a good one"
pid=$(service pid)
kill9 "$pid"
new_pid() {
	p=$(service pid)
	[ "$p" != "$pid" ] && alive "$p" && is_serving r2
}
t "that dies once" wait_for 10 new_pid
is "$(status .agents[0].state)" probation "is watched still"
pid=$(service pid)
is "$(push r2)" 200 "the same archive"
is "$(body .unchanged) $(service pid)" "true $pid" "changes nothing"
is "$(push r3)" 200 "another push ends the probation"
is "$(ctl -j history | jq -r '[.history[] | select(.event == "trial") |
    .result][0]')" superseded "the history knows"
is "$(status .agents[0].trial.back_to)" \
    "$(readlink "$C_ROOT/previous" | sed 's|.*/||')" "and has its own"
printf 'x' > "$T/bad.tgz"
digest "$T/bad.tgz" > "$T/bad.sha256"
is "$(push bad)" 422 "one that is refused"
is "$(status .agents[0].state)" probation "ends nothing"
is "$(api POST /services/agent/stop)" 200 "an operator stops the service"
is "$(status .agents[0].state)" probation "that is no failure"
is "$(api POST /services/agent/start)" 200 "and starts it"
is "$(api POST /rollback)" 200 "an operator goes back"
is "$(serving)" r2 "to the one before"
t "that is no trial" state_is idle

# --- the daemon's end, and confirmation -----------------------------------
is "$(push sick -F confirm=30)" 200 "ill, and to be confirmed"
like "$(body .confirm)/$(body .probation)" '^(30|29)/(30|29)$' "both are told"
is "$(api POST /confirm)" 200 "confirmed"
like "$(body .probation)" '^(30|29|28)$' "is watched still"
is "$(jq -r .phase "$C_ROOT/update.json")" trial "it is on disk"
kill9 "$UPID"
wait "$UPID" 2>/dev/null
start_updaterd
t "goes back, also when the daemon was killed" wait_for 15 back_to r2
like "$(last error)" 'not healthy' "for its illness"
is "$(push sick -F confirm=1)" 200 "ill, and never confirmed"
t "goes back" wait_for 15 back_to r2
like "$(last error)" 'not confirmed' "for what came first"
echo more >>"$C_ROOT/releases/$(current)/share/notes"
is "$(push sick -F confirm=1)" 200 "once more, and what was before is altered"
t "goes back all the same" wait_for 15 sh -c "'$UPDATERCTL' -j -s \
    '$T/updaterd.sock' status | grep -q 'went back all the same'"
t "to the one before" wait_for 5 is_serving r2
like "$(status .agents[0].error)" 'not confirmed.*all the same.*differs from' \
    "and status says so"
like "$(last damage)" 'differs from its manifest' "history, too"
again 2s
is "$(push r3 -F confirm=30)" 200 "well, and to be confirmed"
no_probation() {
	[ "$(status .agents[0].trial.probation)" = null ]
}
t "passes its probation" wait_for 10 no_probation
is "$(status .agents[0].state)" unconfirmed "and awaits the other"
is "$(api POST /confirm)" 200 "and is confirmed"
t "it stays" back_to r3
finish
