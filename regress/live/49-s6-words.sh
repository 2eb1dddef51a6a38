#!/bin/sh
# What is amiss under s6 is called by its name, with what to do about it.
#
# In a pid name space of its own, as all with s6 are.
OWN_PIDS=yes
. "${0%/*}/../lib.sh"
. "$HERE/s6.sh"

MOUNT=
profile a
FIXED="service \"off\" {
		user \"_updagent\"
		command { \"bin/agent\" }
		supervise s6 \"$SCAN\" owner \"_updagent\" static { \"theirs\" \"linked\" }
		enabled if env \"UPD_TEST_IS_NOT_SET\"
		optional
	}"
s6_conf optional
start_svscan
mkdir "$SCAN/theirs"
printf '#!/bin/sh\nexec sleep 1000\n' > "$SCAN/theirs/run"
chmod 0755 "$SCAN/theirs/run"
chown _updagent "$SCAN/theirs"
mkdir -p "$SCAN/linked/supervise"
chmod 0700 "$SCAN/linked/supervise"
mkfifo -m 0600 "$SCAN/.fifo"
ln "$SCAN/.fifo" "$SCAN/linked/supervise/control"
start_updaterd
like "$(ctl start off 2>&1)" "not enabled: UPD_TEST_IS_NOT_SET is not set" \
    "a service that is not enabled is called so, without a release"
t "a static slot that is a user's own" wait_for 5 \
    grep -q "give no rights on slot $SCAN/theirs: .*chown root" "$T/log"
is "$(grep -c 'give no rights' "$T/log")" 1 "is said once"
is "$(stat -c %U "$SCAN/theirs/supervise" 2>/dev/null || echo root)" root \
    "and given to nobody"
t "one whose FIFO has another name, too" wait_for 5 \
    grep -q "give rights on slot $SCAN/linked: " "$T/log"
is "$(stat -c '%U %G %a' "$SCAN/.fifo")" "root root 600" \
    "and given to nobody either"
s6_release r1
is "$(push r1)" 200 "push"
like "$(ctl status)" "not enabled: UPD_TEST_IS_NOT_SET" "status says so, too"
wait_for 10 state_is gw-a up

like "$("$UPDATERD" -R -f "$T/conf" 2>&1)" \
    "another updaterd works on .*: ask it with updaterctl reconcile" \
    "-R beside a daemon"
like "$("$UPDATERD" -d -f "$T/conf" 2>&1)" \
    "another updaterd works on .*: stop it|Address already in use" \
    "a daemon beside a daemon"

# One that cannot be executed: s6-svscan is not to blame.
stop_updaterd
: > "$T/log"
svstat=$(command -v s6-svstat)
cp "$svstat" "$T/s6-svstat"
chmod 0644 "$T/s6-svstat"
mount --bind "$T/s6-svstat" "$svstat"
start_updaterd
why() {
	ctl status | grep -q s6-svstat || grep -q s6-svstat "$T/log"
}
t "without s6-svstat" wait_for 15 why
unlike "$(ctl status; cat "$T/log")" "s6-svscan does not supervise" \
    "it is not s6-svscan that is blamed"
umount "$svstat"
finish
