#!/bin/sh
# Another owner gets the slots that are there, and the one before him has
# them no longer; rights that were lost come back with a pass.
OWN_PIDS=yes
. "${0%/*}/../lib.sh"
. "$HERE/s6.sh"

may() {	# user slot: he may control it, and 0
	setpriv --reuid="$1" --regid="$1" --clear-groups --no-new-privs \
	    s6-svc -u "$SCAN/$2" 2>/dev/null
	echo $?
}
owned_by() {	# user
	OWNER=$1
	s6_conf "optional
	    log \"$T/logs/%p\""
	ctl reload >/dev/null
	ctl reconcile >/dev/null
}

profile a
mkdir -p "$T/logs"
for MOUNT in "" mount; do
	OWNER=_updagent
	s6_conf "optional
	    log \"$T/logs/%p\""
	start_updaterd
	start_svscan
	[ -e "$T/r1.tgz" ] || { s6_release r1; push r1 >/dev/null; }
	t "with \"$MOUNT\" it runs" wait_for 10 state_is gw-a up
	pid=$(svpid gw-a)
	is "$(may _updagent gw-a)$(may _updunpack gw-a)" 0111 \
	    "its owner controls it"
	owned_by _updunpack
	is "$(may _updagent gw-a)$(may _updunpack gw-a)" 1110 "another does"
	is "$(may _updagent gw-a/log)$(may _updunpack gw-a/log)" 1110 \
	    "and its logger"
	chmod 0600 "$SCAN/gw-a/supervise/control"
	chown root:root "$SCAN/gw-a/supervise/control"
	is "$(may _updunpack gw-a)" 111 "he has lost it"
	is "$(ctl reconcile -n >/dev/null; echo $?)" 3 "a dry run says so"
	is "$(may _updunpack gw-a)" 111 "and does nothing"
	ctl reconcile >/dev/null
	is "$(may _updunpack gw-a)" 0 "he has it again"
	is "$(ctl reconcile -n >/dev/null; echo $?)" 0 "all is as it should be"
	owned_by root
	is "$(may _updagent gw-a)$(may _updunpack gw-a)" 111111 \
	    "it is root's alone"
	is "$(find "$SCAN/gw-a" ! -user root)" "" "all of it"
	owned_by _updagent
	is "$(may _updagent gw-a)$(may _updunpack gw-a)" 0111 "and back"
	is "$(svpid gw-a)" "$pid" "the service has noticed nothing"
	if [ -n "$MOUNT" ]; then
		as_user sh -c "cd $SCAN/gw-a/supervise &&
		    mv control away && : > control"
		ctl reconcile >/dev/null
		t "an owner who has broken his own" as_user sh -c \
		    "cd $SCAN/gw-a/supervise && mv away control"
		is "$(may _updagent gw-a)" 0 "can mend it"
	fi
	as_user s6-svc -d "$SCAN/gw-a"
	t "he stops it" wait_for 10 state_is gw-a down
	is "$(service health.healthy gw-a)" null "of one that is down no health"
	as_user s6-svc -u "$SCAN/gw-a"
	t "and starts it" wait_for 10 state_is gw-a up
	down=$SCAN/gw-a/down logdown=$SCAN/gw-a/log/down
	t "it is stopped" ctl stop gw-a
	t "and down for the next supervisor, with its logger" \
	    test -e "$down" -a -e "$logdown"
	t "it is started" ctl start gw-a
	t "and up for the next one" test ! -e "$down" -a ! -e "$logdown"
	stop_updaterd
	s6-svscanctl -t "$SCAN"
	wait_for 10 gone "$SVSCAN"
	wait "$SVSCAN" 2>/dev/null
	rm -rf "$SCAN"/* "$SCAN"/.s6-svscan
done

finish
