#!/bin/sh
# A power cut has left slots on a disk with files that are empty, or full of
# zeros, or half: the next pass writes them as they should be, before
# s6-svscan runs and while it does; and a slot of somebody else's is no such.
#
# In a pid name space of its own, as all with s6 are.
OWN_PIDS=yes
. "${0%/*}/../lib.sh"
. "$HERE/s6.sh"

tear() {	# slot how
	for f in run finish type timeout-kill down-signal data/updaterd \
	    log/run log/type; do
		f=$SCAN/$1/$f
		n=$(stat -c %s "$f")
		case $2 in
		empty)	: > "$f";;
		zeros)	head -c "$n" /dev/zero > "$f.0"
			cat "$f.0" > "$f"
			rm "$f.0";;
		half)	case $f in */data/*) : > "$f";; *)
			truncate -s $((n / 2)) "$f";; esac;;
		esac
	done
}
look() {	# slot: all that we write there
	(cd "$SCAN/$1" && find . -type f ! -path '*/supervise/*' \
	    ! -path '*/event/*' ! -name down | LC_ALL=C sort |
	    while read -r f; do
		echo "$f $(stat -c '%a %U' "$f") $(md5sum <"$f")"
	done)
}

MOUNT=
profile a
profile b
mkdir -p "$T/logs"
s6_conf "optional
	log \"$T/logs/%p\""
start_svscan
start_updaterd
s6_release r1
is "$(push r1)" 200 "push"
t "a runs" wait_for 10 state_is gw-a up
t "b runs" wait_for 10 state_is gw-b up
a=$(look gw-a) b=$(look gw-b)

for how in empty zeros half; do
	pid=$(svpid gw-a)
	stop_updaterd
	tear gw-a $how
	start_updaterd
	ctl reconcile >/dev/null
	is "$(look gw-a)" "$a" "$how: while it runs it is mended"
	is "$(svpid gw-a) $(service pid gw-a)" "$pid $pid" \
	    "and goes on undisturbed"
done
like "$(cat "$T/log")" "mend slot gw-a" "the log says so"
chmod 0755 "$SCAN/gw-a/run"
echo 3 > "$SCAN/gw-a/notification-fd"
ctl reconcile >/dev/null
is "$(look gw-a)" "$a" "a mode and a file that were not ours go as well"

stop_updaterd
s6-svscanctl -t "$SCAN"
wait_for 10 gone "$SVSCAN"
wait "$SVSCAN" 2>/dev/null
for how in empty zeros half; do
	tear gw-a $how
	tear gw-b $how
	rm -rf /run/updaterd
	"$UPDATERD" -R -f "$T/conf" >"$T/once" 2>>"$T/log"
	is "$(look gw-a)$(look gw-b)" "$a$b" \
	    "$how: -R mends them after a power cut"
	is "$(grep -c action=started "$T/once")" 2 "and they are to start"
done
wish() {	# what is wanted of b, by other tools
	echo "{\"gw_state\":\"$1\",\"desired_state\":\"$1\"}" |
	    as_user tee "$P/b/gw_state.json" >/dev/null
	"$UPDATERD" -R -f "$T/conf" >/dev/null 2>>"$T/log"
}
wish stopped
t "one that is no longer wanted is down in its slot" test -e "$SCAN/gw-b/down"
wish running
t "and up when it is" test ! -e "$SCAN/gw-b/down"
mkdir "$SCAN/.updaterd.new"
start_svscan
start_updaterd
t "what was half built goes at a start" wait_for 5 \
    test ! -e "$SCAN/.updaterd.new"
t "they run" wait_for 10 state_is gw-a up
t "both" wait_for 10 state_is gw-b up

# Somebody else's.
profile c stopped
mkdir -p "$SCAN/gw-d/data" "$SCAN/gw-d/log"
echo /elsewhere > "$SCAN/gw-d/data/updaterd"
before=$(look gw-d)
profile d
known() {
	[ -n "$(service state gw-d)" ]
}
wait_for 10 known
ctl reconcile >/dev/null
is "$(look gw-d)" "$before" "one that has another mark is left alone"
echo /run/updaterd/too > "$SCAN/gw-d/data/updaterd"
before=$(look gw-d)
ctl reconcile >/dev/null
is "$(look gw-d)" "$before" "one that only begins as ours does, too"
: > "$SCAN/gw-d/data/updaterd"
chown _updagent "$SCAN/gw-d/data/updaterd"
before=$(look gw-d)
ctl reconcile >/dev/null
is "$(look gw-d)" "$before" "as is one whose mark is not root's"
finish
