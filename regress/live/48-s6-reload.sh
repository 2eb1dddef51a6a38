#!/bin/sh
# What a reload changes under s6: another owner gets the static slots as well,
# at once, and one that is static no longer goes back to root; another scan
# directory has to wait for a restart, and the log says so.
OWN_PIDS=yes
. "${0%/*}/../lib.sh"
. "$HERE/s6.sh"

foreign() {	# name: as s6-rc makes one
	mkdir -p "$SCAN/$1"
	printf '#!/bin/sh\nexec sleep 1000\n' > "$SCAN/$1/run"
	chmod 0755 "$SCAN/$1/run"
	s6-svscanctl -a "$SCAN"
	wait_for 10 sh -c "[ \"\$(s6-svstat -o up $SCAN/$1)\" = true ]"
}
may() {	# slot: may _updagent, may _updunpack control it?
	for u in _updagent _updunpack; do
		setpriv --reuid=$u --regid=$u --clear-groups --no-new-privs \
		    s6-svc -u "$SCAN/$1" 2>/dev/null && printf y || printf n
	done
}
may_be() {
	[ "$(may "$1")" = "$2" ]
}
said() {
	grep -q -- "$1" "$T/log"
}
owned_by() {	# user [static names]
	OWNER="$1\" ${2:+static { $2 \}} ${MOUNT-} #"
	s6_conf optional
	ctl reload >/dev/null
}

profile a
for M in "" mount; do
	MOUNT=
	OWNER="_updagent\" static { \"web\" \"mail\" } $M #"
	s6_conf optional
	MOUNT=$M
	start_updaterd
	start_svscan
	[ -e "$T/r1.tgz" ] || { s6_release r1; push r1 >/dev/null; }
	wait_for 10 state_is gw-a up
	foreign web
	foreign mail
	pid=$(svpid web)
	t "with \"$M\": the owner gets the static slots" \
	    wait_for 10 may_be web yn
	t "both" wait_for 10 may_be mail yn
	owned_by _updunpack '"web" "mail"'
	t "another owner has them after a reload" wait_for 5 may_be web ny
	t "both" wait_for 5 may_be mail ny
	is "$(may gw-a)" ny "as ours"
	owned_by _updunpack '"web"'
	t "what is static no longer is root's" wait_for 5 may_be mail nn
	is "$(may web)" ny "the other one is his"
	owned_by _updunpack '"web" "mail"'
	t "until it is static again" wait_for 5 may_be mail ny
	kill9 "$UPID"
	wait "$UPID" 2>/dev/null
	# As if it had been static, once.
	echo "$SCAN/gw-a" >> /run/updaterd/.static
	OWNER="_updagent\" static { \"web\" } $M #"
	MOUNT=
	s6_conf optional
	start_updaterd
	t "another owner after a restart as well" wait_for 5 may_be web yn
	t "and none has what is static no longer" wait_for 5 may_be mail nn
	is "$(may gw-a)" yn "but what is ours"
	is "$(svpid web)" "$pid" "the service has noticed nothing"
	is "$(cat /run/updaterd/.static)" "$SCAN/web" "it is remembered"

	SCAN=$SCAN.2
	s6_conf optional
	ctl reload >/dev/null
	SCAN=${SCAN%.2}
	t "another scan directory waits for a restart" wait_for 5 \
	    said "leave 2 slots in $SCAN: they move to $SCAN.2 when updaterd is restarted"
	is "$(svpid gw-a)" "$(service pid gw-a)" "and the service runs"
	[ -n "$M" ] || {
		OWNER="_updagent\" static { \"web\" } mount #"
		s6_conf optional
		ctl reload >/dev/null
		t "as does a mount" wait_for 5 said "mount nothing on $SCAN now"
	}
	OWNER="_updagent\" #"
	s6_conf optional
	sed -i 's/supervise s6.*/supervise native/' "$T/conf"
	t "a reload to another supervisor" ctl reload
	taken() {
		[ "$(service supervisor gw-a) $(service state gw-a)" = \
		    "native up" ]
	}
	t "is done, once the service has ended here" wait_for 10 taken
	s6_conf optional
	t "and one back" ctl reload
	taken() {
		[ "$(service supervisor gw-a) $(service state gw-a)" = "s6 up" ]
	}
	t "as well" wait_for 10 taken
	stop_updaterd
	is "$(may web)" nn "nobody has what was static"
	t "nor is anything remembered" test ! -e /run/updaterd/.static
	OWNER="_updagent\" static { \"mail\" } $M #"
	s6_conf optional
	"$UPDATERD" -R -f "$T/conf" >/dev/null 2>>"$T/log"
	is "$(may mail)" yn "updaterd -R gives them"
	OWNER=_updagent
	C_SERVICES=
	write_conf
	"$UPDATERD" -R -f "$T/conf" >/dev/null 2>>"$T/log"
	is "$(may mail)" nn "and takes them back, without a service under s6"
	s6-svscanctl -t "$SCAN"
	wait_for 10 gone "$SVSCAN"
	wait "$SVSCAN" 2>/dev/null
	rm -rf "$SCAN"/* "$SCAN"/.s6-svscan
	: > "$T/log"
done
finish
