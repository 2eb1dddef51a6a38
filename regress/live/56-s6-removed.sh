#!/bin/sh
# A slot that somebody removes under a running s6-svscan comes back by itself,
# as it was, without a second process of its service and without a word from
# anybody; who removes it all the time gets it back more and more rarely.
OWN_PIDS=yes
. "${0%/*}/../lib.sh"
. "$HERE/s6.sh"

all_up() {
	for s in gw-a gw-b; do
		state_is $s up && [ "$(svpid $s)" -gt 1 ] || return 1
	done
}
wishes() {
	echo "$(wanted gw-a), $(wanted gw-b), $(wanted gw-c)"
}
is_down() {	# slot
	[ "$(s6-svstat -o up "$SCAN/$1")" = false ] && [ -e "$SCAN/$1/down" ]
}
made() {	# slot: how often again
	grep -c "make slot $1 of $SCAN again" "$T/log"
}
made_again() {	# slot times
	[ "$(made "$1")" -ge "$2" ]
}

profile a
profile b
profile c stopped
s6_conf optional
start_svscan
start_updaterd
s6_release r1
is "$(push r1)" 200 "push"
t "what is wanted runs" wait_for 10 all_up
t "what is not does not" wait_for 10 is_down gw-c
before=$(wishes)
b=$(svpid gw-b)
is "$(made gw-)" 0 "nothing was made again so far"

# --- removed, and moved away -------------------------------------------------

rm -rf "$SCAN/gw-a" "$SCAN/gw-c"
back() {
	all_up && is_down gw-c && none_lost
}
t "two that were removed come back, each as it was" wait_for 20 back
is "$(made gw-a) $(made gw-c)" "1 1" "each was made once"
is "$(svpid gw-b)" "$b" "others were left alone"
mv "$SCAN/gw-b" "$SCAN/.mine"
moved() {
	all_up && [ "$(svpid gw-b)" != "$b" ]
}
t "so does one that was moved away" wait_for 20 moved
t "of which nobody supervises what was moved" wait_for 10 \
    sh -c "! s6-svok $SCAN/.mine"
rm -rf "$SCAN/.mine"
t "never two of the same" nothing_twice
is "$(wishes)" "$before" "nobody has wished for anything"

# --- all the time ------------------------------------------------------------

(while [ ! -e "$T/enough" ]; do
	rm -rf "$SCAN/gw-b"
	sleep 0.02
done) &
t "who removes it over and over gets it back" wait_for 20 made_again gw-b 3
touch "$T/enough"
wait $!
is "$(sed -n "s/.*make slot gw-b of.* once more in \([0-9]*\) s.*/\1/p" \
    "$T/log" | sed -n 2,3p | tr '\n' ' ')" "2 4 " "later each time"
# Where its supervisor wrote into what rm(1) was removing, a part without a
# mark is left, which could be anybody's: he ends what he began.
for_good() {
	[ -e "$SCAN/gw-b/data/updaterd" ] || rm -rf "$SCAN/gw-b"
	all_up
}
t "and for good when he has stopped" wait_for 20 for_good
t "never two of the same" nothing_twice
is "$(wishes)" "$before" "nobody has wished for anything"

# --- without s6-svscan -------------------------------------------------------

n=$(made gw-)
stop_svscan
rm -rf "$SCAN"/gw-*
profile d
waits() {
	[ "$(service state gw-d)" = down ] && [ -e "$SCAN/gw-d/run" ]
}
t "without s6-svscan one that comes waits for it" wait_for 10 waits
is "$(made gw-)" "$n" "what was removed is not made for nobody"
start_svscan
t "with s6-svscan all come back" wait_for 20 all_up
t "never two of the same" nothing_twice

finish
