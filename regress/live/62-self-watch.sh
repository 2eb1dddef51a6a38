#!/bin/sh
# Goal: what a new updaterd cannot do itself its watch does: one that hangs
# from its beginning is ended when its time is over, and with one that ends
# goes all that it has started.  Then the one before serves.
. "${0%/*}/../lib.sh"
. "$HERE/self.sh"

# Long for those that are to prove themselves, however busy the machine is.
SELF_WITHIN=60s
setup_self
cp -p "$T/conf" "$T/conf.long"
start_self
# It tells of its starts.
printf '#!/bin/sh\necho "$*" >> "%s"\nexec "%s" "$@"\n' "$T/starts" \
    "$T/bin/updaterd" > "$T/a.in"
mk_self a "$T/a.in"
is "$(push_self a)" 200 "a release of updaterd"
t "it runs" wait_for 30 runs a
wait_for 15 no_watchers

# --- it hangs before it has a clock of its own
cat > "$T/hangs.in" <<B
#!/bin/sh
case " \$* " in
*" -V "*|*" -n "*)	exec "$T/bin/updaterd" "\$@";;
esac
cp -p "$T/conf.long" "$T/conf.new" && mv "$T/conf.new" "$T/conf"
cd "$T/bin"
exec sleep 1000
B
mk_self hangs "$T/hangs.in"
sed 's/within 60s/within 5s/' "$T/conf.long" > "$T/conf.new"
chmod 0600 "$T/conf.new"
mv "$T/conf.new" "$T/conf"
t "the limit is a short one" ctl reload
is "$(push_self hangs)" 200 "for one that hangs"
t "the one before is back" wait_for 30 back_to a
like "$(last_self | jq -r .error)" 'started and did not prove itself' \
    "the history says why"
wait_for 15 no_watchers

# --- it ends, and leaves others behind
cat > "$T/leaves.in" <<B
#!/bin/sh
case " \$* " in
*" -V "*|*" -n "*)	exec "$T/bin/updaterd" "\$@";;
esac
cd "$T/bin"
for i in 1 2 3; do
	setsid sleep 1000 &
	echo \$! >> "$T/left"
done
exit 1
B
mk_self leaves "$T/leaves.in"
is "$(push_self leaves)" 200 "one that leaves others behind"
t "the one before is back" wait_for 30 back_to a
is "$(grep -c . "$T/left")" 3 "they were there"
left=
for p in $(cat "$T/left"); do
	gone "$p" || left="$left $p"
done
is "$left" "" "none of them is when the one before serves"
wait_for 15 no_watchers

# --- it is told to stop while it is on trial, as it is for as long as the net
# before it does not let go of its sockets
mk_slow
push_self slow >"$T/update.out" 2>&1 &
hold_trial
t "it is on trial" wait_for 15 on_trial
stop_self
kill -CONT "$old"
wait
t "its watch goes with it" wait_for 15 no_watchers
is "$(ctl status 2>&1 >/dev/null | grep -c .)" 1 "and has started nothing"
start_self
t "the next start is another attempt" wait_for 30 runs slow
wait_for 15 no_watchers
t "back to the one before" ctl rollback self
t "it runs" wait_for 30 runs a
wait_for 15 no_watchers

# --- a pass while the host was down with one on trial
stop_self
good=$(readlink "$T/self/current")
bad=$(basename "$T/self/releases/"*-leaves)
printf 'updaterd-self 1\nstarts 1\nto %s\nfrom %s\nprevious -\n' \
    "$bad" "${good#releases/}" > "$T/self/self.state"
: > "$T/starts"
t "a pass is made" "$T/bin/updaterd" -R -f "$T/conf"
is "$(cat "$T/starts")" "-R -f $T/conf" "by the one that is known to be good"
is "$(digest "$T/bin/updaterd")" "$base" "what is installed was not touched"
finish
