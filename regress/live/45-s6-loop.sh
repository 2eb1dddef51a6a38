#!/bin/sh
# A service that dies over and over under s6, once a second for ever: the log
# follows the delays that a service of updaterd's own has, and tells how often
# it was.
OWN_PIDS=yes
. "${0%/*}/../lib.sh"
. "$HERE/s6.sh"

MOUNT=
C_SERVICES="service \"loop\" {
		user \"_updagent\"
		command { \"sh\" \"-c\" \"exit 3\" }
		supervise s6 \"$SCAN\" owner \"_updagent\"
		optional
		health none
	}"
write_conf
start_svscan
start_updaterd -v
mk_release one
is "$(push one)" 200 "push"
died() {
	[ "$(service deaths loop)" -ge "$1" ]
}
t "it dies, and again" wait_for 20 died 6
n=$(grep -c "lose loop" "$T/log")
m=$(grep -c "change loop from\|find loop" "$T/log")
[ "$n" -le 4 ] && ok "few lines say so" || not_ok "few lines say so: $n"
[ "$m" -le 6 ] && ok "a verbose log is no longer for it" ||
    not_ok "a verbose log is no longer for it: $m"
deaths=$(service deaths loop)
t "it is stopped" ctl stop loop
deaths=$(service deaths loop)
stop_updaterd
# lose loop: ..., or: lose loop 5 times more within ...
is "$(sed -n 's/.*lose loop\(.*\)/\1/p' "$T/log" |
    awk '/^:/ { n++ } /^ [0-9]/ { n += $1 } END { print n }')" "$deaths" \
    "all deaths are told of by the end"
finish
