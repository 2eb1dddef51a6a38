#!/bin/sh
# updaterd -R takes out what is no longer there, and leaves nothing of it
# behind when it ends: neither where s6-svscan runs nor where it does not.
OWN_PIDS=yes
. "${0%/*}/../lib.sh"
. "$HERE/s6.sh"

left() {
	ls -A "$SCAN" | grep '^\.[du]'
}

MOUNT=
for p in a b c d; do
	profile $p
done
s6_conf "optional
	log \"$T/logs/%p\""
mkdir -p "$T/logs"
start_svscan
start_updaterd
s6_release r1
is "$(push r1)" 200 "push"
for p in a b c d; do
	t "$p runs" wait_for 10 state_is gw-$p up
done
stop_updaterd

as_user rm -r "$P/a" "$P/b"
is "$("$UPDATERD" -R -f "$T/conf" 2>>"$T/log" | grep -c action=removed)" 2 \
    "-R removes two"
is "$(left)" "" "and leaves nothing in the scan directory"
is "$(ls -d "$SCAN"/gw-[ab] 2>/dev/null)" "" "of neither"
t "no supervisor of them is left" none_lost
is "$(s6-svstat -o up "$SCAN/gw-c")" true "the others run"

s6-svscanctl -t "$SCAN"
wait_for 10 gone "$SVSCAN"
wait "$SVSCAN" 2>/dev/null
as_user rm -r "$P/c"
is "$("$UPDATERD" -R -f "$T/conf" 2>>"$T/log" | grep -c action=removed)" 1 \
    "without s6-svscan it removes one"
is "$(left)$(ls -d "$SCAN/gw-c" 2>/dev/null)" "" "and leaves nothing"
t "but what is still there" test -d "$SCAN/gw-d"
finish
