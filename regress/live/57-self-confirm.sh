#!/bin/sh
# Goal: a new updaterd that nobody confirms in time goes back by itself: to
# the release before, or to the program that was installed; also over a
# restart of updaterd, a crash, and another boot of the host.  One that is
# confirmed stays.  Services and clients do not notice.
. "${0%/*}/../lib.sh"
. "$HERE/self.sh"

[ -x "$OTHER" ] || skip_all "make regress/self/updaterd first"
[ "$UPD_NAMESPACE" = own ] || skip_all "no mount name space here"
SELF_WITHIN=${SELF_WITHIN:-5s}
setup_self
V1=$("$UPDATERD" -V | cut -d' ' -f2)
V2=$("$OTHER" -V | cut -d' ' -f2)
start_self
mk_release r1
mk_self a "$UPDATERD"
mk_self b "$OTHER"
is "$(push r1)" 200 "a service"
pid=$(service pid) main=$(status .pid)

left() {	# seconds that are left to confirm it, or null
	api GET /health >/dev/null
	body .self.confirm
}
waits() {	# name: it has proved itself, and waits
	runs "$1" && [ "$(body .self.confirm)" != null ]
}
stays() {	# name: it runs, and nothing is left of a trial
	serves "$1" && [ "$(body .self.confirm)" = null ] &&
	    [ ! -e "$T/self/update.json" ]
}
confirm_self() {
	api POST "/agents/self/confirm${1-}"
}
last() {	# field of the newest line of its history
	ctl -j history self | jq -r ".history[0].$1"
}
state() {	# of the newest release of that name
	jq -rs "map(select(.sha == \"$1\")) | max_by(.installed_at).state" \
	    "$T"/self/releases/*.json
}

# --- confirmed
mk_release stubborn ignore-term
loop_client
is "$(push_self b -F confirm=60)" 200 "a new updaterd that is to be confirmed"
is "$(body .status) $(body .confirm)" "self_update_queued 60" "the answer"
t "it runs, and waits" wait_for 10 waits b
like "$(left)" '^(60|5[0-9])$' "for as long as was said"
id=$(body .self.id)
like "$(ctl status)" 'itself .*b' "status"
like "$(ctl status)" 'within .*: updaterctl confirm self' "says what to do"
is "$(push_self a)" 423 "another one has to wait"
like "$(body .detail)" "$id.*confirm" "and is told for what"
is "$(push r1 -F force=true)" 200 "an agent's push has not"
pid=$(service pid)
is "$(CERT=controller confirm_self)" 403 "it takes the role self"
is "$(confirm_self "?id=20200101T000000Z-none")" 404 "and that release"
is "$(api POST /confirm)" 404 "of updaterd, not of an agent"
is "$(confirm_self "?id=$id")" 200 "confirmed"
is "$(body .status) $(body .release.id)" "confirmed $id" "it says so"
t "and stays" wait_for 5 stays b
is "$(last event) $(last result)" "trial confirmed" "the history knows"
is "$(confirm_self)" 404 "once is enough"

# --- not confirmed
is "$(push_self a -F confirm=60)" 200 "another one"
t "it waits" wait_for 10 waits a
is "$(confirm_self)" 200 "confirmed"
is "$(push_self b -F force=true)" 200 "and one without"
t "it runs" wait_for 10 stays b
before=$(readlink "$T/self/previous") id=$(status .self.id)
is "$(push_self a -F confirm=1)" 200 "one that nobody confirms"
bad=$(body .release.id)
t "goes back" wait_for 15 back_to b
is "$(readlink "$T/self/previous")" "$before" "and previous is what it was"
t "nothing is left of it" wait_for 5 stays b
is "$(status .self.current) $(state a)" "$id failed" "it counts as failed"
like "$(ctl status)" "$bad failed: .*not confirmed in time" "status says why"
like "$(last error)" "$bad was not confirmed in time" "the history, too"
is "$(status .pid) $(service pid)" "$main $pid" \
    "in the same process, and the service did not notice"
t "nor did a client" end_client
t "no watch is left" wait_for 15 no_watchers
is "$(push_self a -F confirm=60)" 200 "one that an operator does not want"
t "it waits" wait_for 10 waits a
t "goes back" ctl rollback self
t "to the one before" wait_for 10 back_to b
like "$(last error)" "rolled back by root" "the history knows"
t "nothing is left of it" wait_for 5 stays b
is "$(push_self a -F confirm=60)" 200 "and from where he sits"
t "it waits" wait_for 10 waits a
t "updaterctl confirm self" ctl confirm self
t "it stays" wait_for 5 stays a

# --- who waits for a service is told before it goes back
is "$(push stubborn)" 200 "a service that takes its time to stop"
is "$(push_self b -F confirm=60)" 200 "one that is not wanted"
t "it waits" wait_for 10 waits b
ctl restart agent >"$T/restart" 2>&1 &
restart=$!
stopping() {
	[ "$(service state)" = stopping ]
}
t "the service is being stopped" wait_for 5 stopping
t "it is rolled back meanwhile" ctl rollback self
is "$(push_self a -F force=true)" 423 "so no other may come"
like "$(body .detail)" 'being replaced' "and is told why"
wait $restart
is "$?" 0 "who waits for the service is told: $(cat "$T/restart")"
t "and then it goes back" wait_for 10 back_to a

# --- over restarts
is "$(push_self b -F confirm=60)" 200 "updaterd is restarted in the window"
t "it waits" wait_for 10 waits b
stop_self
is "$(jq -c '[.at_rest, .outages]' "$T/self/update.json")" '[true,0]' \
    "what is left is on disk"
start_self
t "it still waits" wait_for 10 waits b
main=$(status .pid)
kill9 "$main"
wait_for 10 gone "$main"
start_self
t "also after a crash" wait_for 10 waits b
like "$(left)" '^(60|[345][0-9])$' "and the time runs on"
is "$(confirm_self)" 200 "confirmed"
t "it stays" wait_for 10 stays b
is "$(push_self a -F confirm=2)" 200 "the time is over while it is away"
t "it waits" wait_for 10 waits a
until_over() {
	python3 -c 'import sys, time
sys.exit(time.monotonic() * 1000 < float(sys.argv[1]))' \
	    "$(jq .confirm_at "$T/self/update.json")"
}
kill9 "$(status .pid)"
wait_for 10 until_over
start_self
t "so it goes back at once" wait_for 10 back_to b
t "and nothing is left" wait_for 10 stays b

# --- over another boot
is "$(push_self a -F confirm=30)" 200 "the host goes down hard"
t "it waits" wait_for 10 waits a
crash
new_boot_id
start_self
t "the time begins anew" wait_for 10 waits a
crash
new_boot_id
start_self
t "but not a second time" wait_for 10 back_to b
like "$(last error)" 'went down again' "it says why"
t "nothing is left" wait_for 10 stays b

# --- good, confirmed by nobody, and then it does not start any more
is "$(push_self a -F confirm=60)" 200 "one that waits"
t "it waits" wait_for 10 waits a
stop_self
chmod 0644 "$T/self/current/sbin/updaterd"
start_self
t "does not start any more: the one before serves" wait_for 10 back_to b
like "$(last error)" 'does not start any more' "it says why"
t "and nothing is left" wait_for 10 stays b

# --- the newest that failed is so by its time: ids of one second tell nothing
bad=$(status .self.failed.id) first=20200101T000000Z-a
like "$(ctl status)" "$bad failed: .*does not start any more" "status says it"
stop_self
for f in "$T/self/releases/$bad"*; do
	mv "$f" "$T/self/releases/$first${f#"$T/self/releases/$bad"}"
done
sed -i "s/$bad/$first/g" "$T/self/releases/$first.json"
start_self
like "$(ctl status)" "$first failed: .*does not start any more" \
    "also of one whose id is before that of what runs"

# --- back to the program that was installed
stop_self
rm -rf "$T/self"
start_self
is "$(push_self b -F confirm=1)" 200 "the first release of updaterd"
t "goes back to what was installed" wait_for 15 back_to null
is "$(readlink "$T/self/current")" "" "no link is left"
like "$(readlink "/proc/$(status .pid)/exe")" "$T/bin/updaterd" "it runs"
t "nothing is left" wait_for 10 stays null
stop_self
is "$(digest "$T/bin/updaterd")" "$base" "what is installed was not touched"
finish
