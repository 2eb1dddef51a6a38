# What tests with a real s6-svscan share, behind lib.sh, which makes them name
# spaces of their own (OWN_PIDS=yes).
command -v s6-svscan >/dev/null || skip_all "needs s6"

SCAN=/run/service
make_users
make_certs

start_svscan() {	# [options]
	mkdir -p "$SCAN"
	s6-svscan "$@" "$SCAN" >>"$T/svscan.out" 2>&1 </dev/null &
	SVSCAN=$!
	wait_for 10 test -p "$SCAN/.s6-svscan/control"
}

stop_svscan() {
	s6-svscanctl -t "$SCAN"
	wait_for 10 gone "$SVSCAN"
	wait "$SVSCAN" 2>/dev/null
}

svpid() {	# slot
	s6-svstat -o pid "$SCAN/$1" 2>/dev/null
}

supervise_pid() {	# slot, or slot/log
	pgrep -f "^s6-supervise $1\$"
}

state_is() {	# name state
	[ "$(service state "$1")" = "$2" ]
}

wanted() {	# name: "running s6"
	status ".agents[].services[] | select(.name == \"$1\") |
	    \"\\(.wanted) \\(.wanted_by)\""
}

wants() {	# name what
	[ "$(wanted "$1")" = "$2" ]
}
