#!/bin/sh
# Goal: what a new updaterd is judged by is its own net, not the one before
# it; a start that cannot be counted is none on trial; and who starts updaterd
# twice by mistake neither counts nor takes anything back.
. "${0%/*}/../lib.sh"
. "$HERE/self.sh"

[ -x "$OTHER" ] && [ -x "$FAULTY" ] ||
    skip_all "make regress/self/updaterd regress/fault/updaterd first"
[ "$UPD_NAMESPACE" = own ] || skip_all "no mount name space here"
SELF_WITHIN=${SELF_WITHIN:-5s}
setup_self
start_self
mk_self a "$UPDATERD"
mk_self b "$OTHER"
is "$(push_self a)" 200 "a release of updaterd"
t "it runs" wait_for 10 runs a
wait_for 15 no_watchers

# --- the old net does not let go of its sockets
mk_slow
push_self slow -F confirm=60 >"$T/update.out" 2>&1 &
hold_trial
t "it is on trial" wait_for 10 on_trial
like "$(ctl confirm self 2>&1)" 'is on trial' "which is no time to confirm it"
t "while the net before it hangs it cannot prove itself" \
    wait_for 20 back_to a
kill -CONT "$old"
wait
like "$(ctl -j history self | jq -r '.history[0].error')" \
    'did not let go of its sockets' "the history says why"
wait_for 15 no_watchers

# --- it is good, and that cannot be written down
cat > "$T/mute.in" <<B
#!/bin/sh
case " \$* " in
*" -V "*|*" -n "*)	;;
*)	d=\${0%/sbin/updaterd}
	mkdir "\${d%/*}/.\${d##*/}.json.tmp";;
esac
exec "$T/bin/updaterd" "\$@"
B
mk_self mute "$T/mute.in"
is "$(push_self mute)" 200 "one that is good"
t "but cannot be said to be so" wait_for 15 back_to a
like "$(ctl -j history self | jq -r '.history[0].error')" \
    'good, but that cannot be recorded' "the history says why"
rmdir "$T/self/releases/".*.json.tmp
wait_for 15 no_watchers

# --- it gives up, and goes back itself, before anybody has to see to it
main=$(status .pid)
mk_broken no-net
is "$(push_self no-net)" 200 "one that does not get as far as to serve"
t "is back" wait_for 15 back_to a
is "$(status .pid)" "$main" "in the same process"
wait_for 15 no_watchers

# --- started twice
cp "$T/self/self.state" "$T/state.was"
"$T/bin/updaterd" -d -f "$T/conf" >"$T/second" 2>&1 </dev/null
is "$?" 1 "a second updaterd ends"
like "$(cat "$T/second")" 'another updaterd works on' "and says why"
unlike "$(cat "$T/second")" 'become updaterd' "before it becomes another"
t "nothing was counted" cmp "$T/state.was" "$T/self/self.state"
t "and the first one serves on" runs a

# --- on trial, and its start cannot be counted
is "$(push_self b)" 200 "another one"
t "it runs" wait_for 10 runs b
wait_for 15 no_watchers
stop_self
to=$(readlink "$T/self/current") from=$(readlink "$T/self/previous")
printf 'updaterd-self 1\nstarts 0\nto %s\nfrom %s\nprevious -\n' \
    "${to#releases/}" "${from#releases/}" > "$T/self/self.state"
mount --bind "$T/self" "$T/self"
mount -o remount,ro,bind "$T/self"
: > "$T/log"
start_self
t "on a disk that is read-only what is installed serves" runs null
like "$(cat "$T/log")" 'count the start of updaterd .*-b: Read-only' \
    "since nobody could tell that it was tried"
unlike "$(cat "$T/log")" 'become updaterd .*-b$' "so it is not"
stop_self
umount "$T/self"
start_self
t "else it is tried, and stays" wait_for 10 runs b
is "$(sed -n 2,3p "$T/self/self.state" | tr '\n' ' ')" "starts 0 to - " \
    "with nothing on trial"
# --- what is current does not serve, and the next one fails, too
stop_self
chmod 0644 "$T/self/current/sbin/updaterd"
start_self
t "the one before serves" wait_for 10 runs a
chmod 0755 "$T/self/current/sbin/updaterd"
links() {
	echo "$(readlink "$T/self/current") $(readlink "$T/self/previous")"
}
was=$(links)
mk_broken exit-1
is "$(push_self exit-1)" 200 "the next one is no better"
t "the one that served is back" wait_for 15 back_to a
is "$(links)" "${was#* } ${was% *}" "and current; what was is previous"
stop_self
is "$(digest "$T/bin/updaterd")" "$base" "what is installed was not touched"
finish
