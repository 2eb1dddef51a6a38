#!/bin/sh
# A slot that is not updaterd's is left alone, whatever a user calls a
# profile of his and whatever he says it is to be: nothing is told to it, or
# written into it, or taken for a service.
OWN_PIDS=yes
. "${0%/*}/../lib.sh"
. "$HERE/s6.sh"

foreign() {	# name: root's own, which runs
	mkdir -p "$SCAN/$1"
	printf '#!/bin/sh\nexec sleep 1000\n' > "$SCAN/$1/run"
	chmod 0755 "$SCAN/$1/run"
	s6-svscanctl -a "$SCAN"
	wait_for 10 sh -c "[ \"\$(s6-svstat -o up $SCAN/$1)\" = true ]"
}
look() {	# name: what of it may not change
	echo "$(svpid "$1") $(s6-svstat -o wantedup "$SCAN/$1")" \
	    "$(ls -A "$SCAN/$1" | tr '\n' ' ')" \
	    "$(stat -c '%a %U:%G' "$SCAN/$1/supervise" | tr '\n' ' ')"
}
says() {	# desired
	printf '{"gw_state":"%s","desired_state":"%s"}' "$1" "$1" |
	    as_user tee "$P/root/gw_state.json" >/dev/null
	ctl reconcile >/dev/null 2>&1
}

MOUNT=
OWNER=_updagent
profile a
s6_conf optional
start_svscan
foreign gw-root
before=$(look gw-root)
start_updaterd
s6_release r1
is "$(push r1)" 200 "push"
t "a service of ours runs" wait_for 10 state_is gw-a up

profile root stopped
known() {
	[ -n "$(service state gw-root)" ]
}
t "a profile comes that is called as a slot of root's" wait_for 10 known
ctl reconcile >/dev/null 2>&1
is "$(service pid gw-root)" 0 "its process is not taken for ours"
is "$(look gw-root)" "$before" "it is left alone"
says running
ctl start gw-root >/dev/null 2>&1
is "$(look gw-root)" "$before" "nor is it started"
says stopped
ctl restart gw-root >/dev/null 2>&1
ctl stop gw-root >/dev/null 2>&1
is "$(look gw-root)" "$before" "or stopped"
# With our mark, but in the hands of one who could have put it there.
cp -r "$SCAN/gw-a/data" "$SCAN/gw-root/"
ln -s "$T" "$SCAN/gw-root/log"
chown _updagent "$SCAN/gw-root"
marked=$(look gw-root)
says running
ctl start gw-root >"$T/out" 2>&1
says stopped
ctl stop gw-root >/dev/null 2>&1
is "$(look gw-root)" "$marked" "not with a forged mark either"
like "$(tr "\n" " " <"$T/out" | tr -s " ")" "others than root may write to it" \
    "and why"
is "$(grep -c updaterd "$SCAN/gw-root/run")" 0 "nothing was written there"
chown root "$SCAN/gw-root"
rm -r "$SCAN/gw-root/data" "$SCAN/gw-root/log"
profile b stopped
knows_b() {
	[ -n "$(service state gw-b)" ]
}
wait_for 10 knows_b
chmod g+w "$SCAN"
like "$(ctl start gw-b 2>&1)" "$SCAN: others than root may write to it" \
    "a scan directory for others is not used"
chmod g-w "$SCAN"
t "one that is root's is" ctl start gw-b
s6_release r2
is "$(push r2)" 200 "an update does not fail by it"
is "$(look gw-root)" "$before" "and leaves it alone"
like "$(ctl start gw-root 2>&1)" "not updaterd's" \
    "who starts it is told why not"

# One that updaterd made, and is said to be somebody else's since.
stop_updaterd
sed -i "s|owner \"_updagent\"|& static { \"gw-a\" }|" "$T/conf"
pid=$(svpid gw-a)
start_updaterd
ctl reconcile >/dev/null 2>&1
ctl stop gw-a >/dev/null 2>&1
is "$(svpid gw-a)" "$pid" "a static slot is not told anything either"
like "$(ctl start gw-a 2>&1)" "gw-a is somebody else's by \"static\"" \
    "and it says why"
as_user rm -r "$P/root"
wait_for 10 sh -c "! [ -e $P/root ]"
ctl reconcile >/dev/null 2>&1
is "$(look gw-root)" "$before" "nor does it go with the profile"

finish
