#!/bin/sh
# Goal: a self-update while an agent is on trial: neither ends the other, and
# both end as they should, also when the host goes down in the middle.  A
# pass (-R) is made by the release that serves, and changes nothing of it.
# In the foreground, where nobody starts updaterd again, the watch does.
. "${0%/*}/../lib.sh"
. "$HERE/self.sh"

[ -x "$OTHER" ] && [ -x "$FAULTY" ] ||
    skip_all "make regress/self/updaterd regress/fault/updaterd first"
[ "$UPD_NAMESPACE" = own ] || skip_all "no mount name space here"
SELF_WITHIN=3s
MODE=hand
C_AGENT='probation 30s'
C_SERVICE='restart backoff 100ms max 300ms'
PORT=$(free_port) APORT=$(free_port)
C_HEALTH=$(https_health 2s 1s)
setup_self
start_self
for r in r1 r2; do
	mk_release $r
done
mk_release sick sick-after=800
mk_self a "$UPDATERD"
mk_self b "$OTHER"
for k in net-hangs hang segfault; do
	mk_broken $k
done
trial() {	# field of the agent's trial in status
	status ".agents[0].trial.$1"
}
back_at() {	# name: the agent is there, and nothing is open
	is_serving "$1" && complete "$1" && clean_staging
}
results() {	# of the agent's last lines of history
	ctl -j history | jq -r "[.history[0:$1][].result] | join(\" \")"
}

is "$(push r1)" 200 "a service"
is "$(push r2 -F confirm=30)" 200 "a release that waits for a confirmation"
pid=$(service pid) id=$(current)
is "$(push_self b)" 200 "a self-update meanwhile"
t "it runs" wait_for 10 serves b
is "$(service pid) $(trial release)" "$pid $id" "the trial goes on"
like "$(trial confirm)/$(trial probation)" '^(2[0-9]|30)/(2[0-9]|30)$' \
    "the time of both, too"
is "$(push_self net-hangs)" 200 "one that does not prove itself"
t "is back" wait_for 15 back_to b
is "$(service pid) $(trial release)" "$pid $id" "the trial goes on"
is "$(api POST /confirm)" 200 "confirmed"
is "$(status .agents[0].state)" probation "and still watched"

# --- it ends in the middle of a self-update
is "$(push r1 -F confirm=1)" 200 "one that nobody confirms"
is "$(push_self net-hangs)" 200 "and a self-update that outlasts it"
t "the agent is back" wait_for 15 back_at r2
t "updaterd, too" wait_for 15 back_to b
like "$(results 2)" '^(rolled_back|undone) updated$' "the history knows, once"
is "$(pgrep -c -f "$C_ROOT/releases/.*/bin/agent")" 1 "one service runs"
is "$(push sick)" 200 "one that falls ill in its probation"
is "$(push_self a)" 200 "and a self-update"
t "the agent is back" wait_for 15 back_at r2
t "the new updaterd has come" wait_for 10 serves a

# --- the host goes down in the middle of both
is "$(push r1 -F confirm=30)" 200 "one that waits for a confirmation"
id=$(current)
is "$(push_self hang)" 200 "a self-update that hangs"
wait_for 10 grep -q '^starts 1$' "$T/self/self.state"
crash
cp "$T/self/self.state" "$T/state.was"
new_boot
printf '#!/bin/sh\necho "$*" >> "%s"\nexec "%s" "$@"\n' "$T/once" \
    "$T/bin/updaterd" > "$T/a.sh"
t "a pass in the middle" "$T/bin/updaterd" -R -f "$T/conf"
is "$(cat "$T/self/self.state")" "$(cat "$T/state.was")" "leaves it alone"
start_self
t "the updaterd before" wait_for 10 back_to a
like "$(trial release) $(trial confirm)" "^$id (30|2[0-9])\$" \
    "the agent's trial begins anew, once"
t "and it runs" wait_for 10 is_serving r1
is "$(api POST /confirm)" 200 "confirmed"

# --- a pass is made by what serves
mk_self c "$T/a.sh"
is "$(push_self c)" 200 "one that tells of its starts"
t "it runs" wait_for 10 serves c
stop_self
: > "$T/once"
before=$(find "$T/self" -printf '%p %T@\n' | sort)
"$T/bin/updaterd" -Rn -f "$T/conf" >"$T/dry" 2>&1
is "$?" 0 "-Rn"
like "$(cat "$T/dry")" 'action=registered .*service=agent' "says what it would do"
like "$(cat "$T/once")" "^-Rn -f $T/conf\$" "the release was asked"
is "$(find "$T/self" -printf '%p %T@\n' | sort)" "$before" "and not touched"
t "-R" "$T/bin/updaterd" -R -v -f "$T/conf"
like "$(tail -n 1 "$T/once")" "^-v -R -f $T/conf\$" "by the same"
{ echo 'newfangled { thing "x" }'; cat "$T/conf"; } > "$T/conf.new"
chmod 0600 "$T/conf.new"
"$T/bin/updaterd" -R -f "$T/conf.new" >/dev/null 2>&1
is "$(tail -n 1 "$T/once")" "-R -f $T/conf.new" \
    "also where the base does not understand the configuration"
chmod 0644 "$T/self/current/sbin/updaterd"
t "or by the base, where it cannot be executed" \
    "$T/bin/updaterd" -R -f "$T/conf"
chmod 0755 "$T/self/current/sbin/updaterd"

# --- in the foreground, and nobody starts it again
start_self
t "it starts" wait_for 10 serves c
pid=$(service pid)
is "$(push_self segfault)" 200 "one that ends at once"
t "the watch waits, and then goes back" wait_for 25 serves c
is "$(service pid)" "$pid" "the service did not notice"
stop_self
is "$(digest "$T/bin/updaterd")" "$base" "what is installed was not touched"
finish
