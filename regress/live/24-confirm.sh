#!/bin/sh
# Goal: a release that nobody confirms in time goes back by itself, also over
# restarts of the daemon and of the host; one that is confirmed stays.
. "${0%/*}/../lib.sh"
C_KEEP=2
setup
for r in r1 r2 r3 r4; do
	mk_release $r
done

trial() {	# field of the trial in status
	status ".agents[0].trial.$1"
}
restart() {
	stop_updaterd
	start_updaterd
}
crash() {
	kill9 "$UPID"
	wait "$UPID" 2>/dev/null
	start_updaterd
}
# The journal names the end of the window by the clock of this boot.
window_over() {
	python3 -c 'import sys, time
sys.exit(time.monotonic() * 1000 < float(sys.argv[1]))' \
	    "$(jq .confirm_at "$C_ROOT/update.json")"
}
last() {	# field of the newest line of the history
	ctl -j history | jq -r ".history[0].$1"
}
back_to() {	# name: current is complete and of it, and nothing is open
	is_serving "$1" && complete "$1" && clean_staging
}
no_trial() {
	[ "$(trial release)" = null ] && idle
}

is "$(push r1)" 200 "first release"
is "$(body .confirm)" null "nothing is to be confirmed"
is "$(api POST /confirm)" 404 "so there is nothing to confirm"
id1=$(current)
is "$(push r2 -F confirm=30)" 200 "one that is to be confirmed"
id2=$(current)
like "$(body .confirm)" '^(30|29)$' "the answer says how long there is"
is "$(status .agents[0].state)" unconfirmed "status says so"
is "$(trial release) $(trial back_to)" "$id2 $id1" "and of what"
is "$(jq -r .phase "$C_ROOT/update.json")" trial "it is on disk"
is "$(push r3)" 423 "another push has to wait"
like "$(body .detail)" "$id2.*confirm" "and is told for what"
is "$(push r2)" 423 "the same archive, too"
is "$(api POST "/rollback?to=$id2")" 423 "as has another rollback"
is "$(CERT=controller api POST /confirm)" 403 "it takes the role push"
is "$(api POST "/confirm?id=$id1")" 404 "and, where it is named, that release"
like "$(body .detail)" "not $id1 that awaits .* but $id2" "which is named"
is "$(api POST "/confirm?id=../x")" 400 "which has to be one"
is "$(api POST "/confirm?to=x")" 400 "no other option"
# A directory in the place of the journal cannot be removed as a file is.
mv "$C_ROOT/update.json" "$T/update.json"
mkdir "$C_ROOT/update.json"
is "$(api POST "/confirm?id=$id2")" 500 "what cannot be recorded"
like "$(body .detail)" "it is not confirmed" "is not confirmed"
is "$(status '.agents[0].state')" unconfirmed "and is still waited for"
rmdir "$C_ROOT/update.json"
mv "$T/update.json" "$C_ROOT/update.json"
is "$(api POST "/confirm?id=$id2")" 200 "confirmed"
is "$(body .status) $(body .release.id)" "confirmed $id2" "it says so"
is "$(status .agents[0].state)" idle "at rest"
t "and nothing is left" clean_staging
is "$(last event) $(last result)" "trial confirmed" "the history knows"
is "$(api POST /confirm)" 404 "once is enough"
is "$(push r3 -F confirm=0)" 200 "0 is none"
is "$(api POST /confirm)" 404 "nothing to confirm"
is "$(push r4 -F confirm=86401)" 400 "a day at most"
is "$(push r4 -F confirm=1s)" 400 "in seconds"
is "$(push r2 -F dry_run=true -F confirm=9)" 200 "a dry run"
is "$(status .agents[0].state)" idle "is on no trial"
id3=$(current)

# --- not confirmed -------------------------------------------------------
is "$(push r4 -F confirm=1)" 200 "one that nobody confirms"
id4=$(body .release.id)
t "goes back" wait_for 10 back_to r3
is "$(current)" "$id3" "to the one before"
is "$(readlink "$C_ROOT/previous")" "releases/$id2" \
    "and previous is what it was"
is "$(jq -r .state "$C_ROOT/releases/$id4.json")" failed \
    "it counts as failed"
like "$(status .agents[0].error)" "$id4 was not confirmed in time" \
    "status says why"
is "$(last event) $(last result) $(last phase)" "trial rolled_back confirm" \
    "the history, too"
is "$(last by)" updaterd "and who did it"
is "$(api POST /confirm)" 404 "too late"
is "$(push r4)" 200 "without it stays"
t "operator" ctl rollback
is "$(push r4 -F force=true -F confirm=20)" 200 "one that is to be confirmed"
t "updaterctl status tells" sh -c "'$UPDATERCTL' -s '$T/updaterd.sock' \
    status | grep -q 'updaterctl confirm default'"
t "updaterctl confirm" ctl confirm
t "and again" sh -c "! '$UPDATERCTL' -s '$T/updaterd.sock' confirm"
is "$(push r2 -F confirm=20)" 200 "one that is to be confirmed"
bad=$(current)
is "$(api POST /rollback)" 200 "an operator has seen enough"
is "$(body .status) $(body .release.sha)" "rolled_back r4" "it goes back"
is "$(serving)" r4 "to the one before"
like "$(last error)" "$bad was rolled back by updater-master" \
    "the history knows"
is "$(readlink "$C_ROOT/previous")" "releases/$id3" \
    "previous is what it was"

# --- over restarts of the daemon -----------------------------------------
is "$(push r2 -F confirm=30)" 200 "the daemon ends in the window"
pid=$(service pid)
restart
is "$(status .agents[0].state)" unconfirmed "the next one knows"
crash
is "$(status .agents[0].state)" unconfirmed "also after a crash"
is "$(api POST /confirm)" 200 "confirmed"
t "it stays" back_to r2
is "$(push r3 -F confirm=2)" 200 "the time runs on while it is away"
kill9 "$UPID"
wait "$UPID" 2>/dev/null
wait_for 10 window_over
start_updaterd
t "so it goes back at once" wait_for 10 back_to r2
like "$(last error)" 'not confirmed in time' "for that reason"
is "$(push r3 -F confirm=2)" 200 "or later"
crash
t "by the one that came after a crash" wait_for 10 back_to r2

# --- over restarts of the host -------------------------------------------
if [ "$UPD_NAMESPACE" = own ]; then
	is "$(push r3 -F confirm=3)" 200 "the host is restarted in good order"
	stop_updaterd
	left=$(jq -r .confirm_ms "$C_ROOT/update.json")
	t "what is left is on disk ($left ms)" test "$left" -le 3001
	new_boot
	jq '.confirm_ms = 1000' "$C_ROOT/update.json" > "$T/j" &&
	    cat "$T/j" > "$C_ROOT/update.json"
	start_updaterd
	is "$(trial confirm)" 1 "and is left to the next"
	t "when that is over it goes back" wait_for 10 back_to r2
	is "$(push r3 -F confirm=30)" 200 "the host goes down hard"
	new_boot
	crash
	is "$(trial confirm)" 30 "the time begins anew"
	t "and the release runs" wait_for 10 is_serving r3
	new_boot
	crash
	t "but not a second time" wait_for 10 back_to r2
	like "$(last error)" 'went down again' "it says why"
	is "$(push r3 -F confirm=30)" 200 "hard, and once more in good order"
	new_boot
	crash
	stop_updaterd
	new_boot
	start_updaterd
	t "is still on trial" test "$(trial release)" = "$(current)"
	is "$(api POST /confirm)" 200 "and can be confirmed"
	t "it stays" wait_for 5 back_to r3
	umount /proc/sys/kernel/random/boot_id
else
	skip "no mount name space: no other boot"
fi

# --- what it goes before, and nothing to go back to -----------------------
mk_release big big=3000000
is "$(push r2 -F confirm=5 -F force=true)" 200 "one that nobody confirms"
C_MORE="agent \"other\" {
	root \"$T/other\"
	service \"sleeper\" {
		command { \"/bin/sleep\" \"1000\" }
		health none
	}
}"
write_conf
t "a second agent" ctl reload
is "$(trial release)" "$(current)" "a reload leaves the trial alone"
python3 "$HERE/push.py" --port "$PORT" --certs "$T/certs" \
    --file "$T/big.tgz" --sha big --stall 2000000 --timeout 30 \
    --target /agents/other/update >"$T/held" 2>&1 &
held=$!
t "a slow push to another agent" wait_for 10 sh -c \
    "'$UPDATERCTL' -j -s '$T/updaterd.sock' status |
	jq -e '.update.state == \"receiving\"'"
t "does not keep it from going back" wait_for 15 back_to r3
wait $held
like "$(cat "$T/held")" '423' "it is told to come again"
is "$(api PUT "/agents/other/update?sha=r1&sha256=$(cat "$T/r1.sha256")&confirm=1" \
    -T "$T/r1.tgz")" 200 "the first release of an agent, not confirmed"
t "has nothing to go back to" wait_for 10 sh -c \
    "'$UPDATERCTL' -j -s '$T/updaterd.sock' status |
	jq -e '.agents[1] | .trial == null and .release.sha == \"r1\"'"
like "$(status .agents[1].error)" 'no release to go back to' "and stays"
is "$(service state sleeper)" up "it runs"
t "at rest" wait_for 5 clean_staging
finish
