#!/bin/sh
# Slots that somebody has removed under a running s6-svscan come back, with
# what was wanted to run, and only that, once; a logger comes and goes with
# restarts and updates.
OWN_PIDS=yes
. "${0%/*}/../lib.sh"
. "$HERE/s6.sh"

# Everything of the slots that is the same each time.
slots() {
	(cd "$SCAN" && find . \( -name '.*' -name '.?*' -o \
	    -path '*/supervise/*' -o -path '*/event/*' \) -prune -o \
	    -printf '%p %M %U %G\n' -type f -exec md5sum {} + |
	    grep -v '/down' | sort)
}
all_up() {
	for s in gw-a gw-b; do
		state_is $s up && [ "$(svpid $s)" -gt 1 ] || return 1
	done
}
wishes() {
	echo "$(wanted gw-a), $(wanted gw-b), $(wanted gw-c)"
}
is_back() {
	all_up && [ "$(s6-svstat -o up "$SCAN/gw-c")" = false ] && none_lost
}

# --- wiped ---------------------------------------------------------------

profile a
profile b
profile c stopped
MOUNT=mount
mkdir "$SCAN/other"
s6_conf optional
start_updaterd
t "a mount that hides a slot is warned of" \
    grep -q "hide what is in $SCAN (other is)" "$T/log"
start_svscan
s6_release r1
is "$(push r1)" 200 "push"
t "what is wanted runs" wait_for 10 all_up
before=$(wishes)
slots > "$T/slots"

rm -rf "$SCAN"/gw-*
ctl reconcile >/dev/null
t "what somebody removed comes back with a pass" wait_for 20 is_back
is "$(wishes)" "$before" "nobody has wished for anything"
t "never two of the same" nothing_twice
slots > "$T/slots.2"
t "the slots are what they were" diff "$T/slots" "$T/slots.2"

pids="$(svpid gw-a) $(svpid gw-b)"
rm -rf "$SCAN"/gw-*
profile d stopped
for p in $pids; do
	wait_for 20 gone "$p"
done
t "and by an event of a profile" wait_for 20 is_back
is "$(wishes)" "$before" "nobody has wished for anything"
t "never two of the same" nothing_twice
says_running() {
	[ "$(jq -r .gw_state "$P/a/gw_state.json")" = running ]
}
t "nor is that in the profile" wait_for 10 says_running

# --- a logger comes and goes -----------------------------------------------

logged() {	# 1 or 0
	[ -d "$SCAN/gw-a/log" ] && [ "$1" = 1 ] ||
	    { [ ! -d "$SCAN/gw-a/log" ] && [ "$1" = 0 ]; }
}
reload() {	# what is said of the service
	s6_conf "$1"
	ctl reload >/dev/null
	ctl reconcile >/dev/null	# that is behind it
}
LOG="log \"$T/logs/%p\""
OPTIONAL='optional
    '
for n in 1 2 3; do
	reload "$OPTIONAL$LOG"
	t "$n: a log is added, and it restarted" ctl restart gw-a
	t "it has it" logged 1
	reload "$OPTIONAL"
	t "$n: it is taken away, and it restarted" ctl restart gw-a
	t "it has none" logged 0
done
for n in 1 2; do
	reload "$LOG"
	s6_release add$n
	is "$(push add$n)" 200 "$n: a log is added by an update"
	reload ""
	s6_release drop$n
	is "$(push drop$n)" 200 "$n: and taken away"
done
t "never two of the same" nothing_twice
t "no supervisor has lost its slot" wait_for 10 none_lost

# --- taken out, while another of that name still is -------------------------

mkdir "$SCAN/.dead-0-gw-d"
as_user rm -r "$P/d"
t "a second one of the same name is taken out" wait_for 10 \
    test ! -e "$SCAN/gw-d"
rmdir "$SCAN/.dead-0-gw-d"

# --- s6-svstat does not work -------------------------------------------------

pid=$(svpid gw-a)
svstat=$(command -v s6-svstat)
: > "$T/svstat" && chmod 0644 "$T/svstat"
mount --bind "$T/svstat" "$svstat"
kill9 "$pid"
t "without s6-svstat it says what does not work" wait_for 10 \
    grep -q "lose sight of gw-a: s6-svstat does not say how it is" "$T/log"
umount "$svstat"
t "and with it all is well again" wait_for 15 state_is gw-a up

finish
