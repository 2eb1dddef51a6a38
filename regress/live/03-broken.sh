#!/bin/sh
# Goal: six kinds of broken release; each time the old one goes on serving
# and the answer tells why, with the service's last words.
. "${0%/*}/../lib.sh"
C_AGENT='install { "sh" "install.sh" } user "_updagent" timeout 20s'
setup
mk_release r1
mk_release exits exit-at-once
mk_release errs answer-500
mk_release silent never-answer
mk_release uninstallable install-fails
mk_release noexec not-executable

is "$(push r1)" 200 "a good release"
t "its install step was run" test -s "$C_ROOT/current/installed"
is "$(stat -c %u "$C_ROOT/current/installed")" 0 "and sealed"
id=$(current)

broken() {	# name status what
	is "$(push "$1")" "$2" "$3: $2"
	is "$(body .detail.rolled_back)" "$4" "$3: rolled_back $4"
	t "$3: the old one serves" wait_for 5 is_serving r1
	is "$(current)" "$id" "$3: it is current"
	t "$3: at rest" wait_for 10 clean_staging
}
broken exits 409 "exits at once" true
like "$(body '.detail.error')" 'exit' "the error says that it exited"
like "$(body '.detail.stderr')" 'key "colour" is missing' \
    "and its last words are there"
mk_release forks
cat > "$T/src/forks/bin/agent" <<'S'
#!/bin/sh
sleep 300 &
S
tar -C "$T/src/forks" -czf "$T/forks.tgz" .
digest "$T/forks.tgz" > "$T/forks.sha256"
broken forks 409 "goes into the background" true
like "$(body '.detail.error')" 'exited 0 .*must stay in the foreground' \
    "the error says what to do"
broken errs 409 "answers 500" true
like "$(body '.detail | tostring')" '500' "the probe's answer is named"
like "$(body '.detail.stderr')" 'cannot open database' "with the output"
like "$(body '.detail | tostring')" 'version.{1,6}r1' \
    "and the old release's health, too"
broken silent 409 "never answers" true
like "$(body '.detail | tostring')" 'no answer|timed out|within' \
    "the probe's patience is named"
broken uninstallable 500 "install fails" false
like "$(body '.detail.stderr')" 'libfoo.so.7' "install's output is there"
like "$(body '.detail.error')" 'install.*3|exited 3' "and how it ended"
broken noexec 409 "not executable" true
like "$(body '.detail | tostring')" 'ermission denied' "exec's error is named"
is "$(status '.agents[0].release.sha')" r1 "status names the good one"
like "$(status '.agents[0].error')" . "and what went wrong last"
is "$(api GET /releases)" 200 "releases"
is "$(body '[.releases[] | select(.slot == "failed") | .sha] | join(" ")')" \
    noexec "only the newest failure is kept"

# The very first release of an agent: nothing to go back to.
stop_updaterd
C_ROOT=$T/fresh
write_conf
rm -rf "$T/state"
start_updaterd
is "$(push exits)" 500 "a broken first release: 500"
t "nothing is current" test ! -e "$C_ROOT/current"
is "$(push r1)" 200 "and a good one goes in"
finish
