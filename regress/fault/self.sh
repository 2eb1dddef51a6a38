#!/bin/sh
# Goal: updaterd updates itself SELF_N times, to and fro between two versions,
# while clients ask /health in a tight loop: none is refused or cut off, the
# service is never restarted, the process stays the same, and nothing grows
# (descriptors, processes, memory, disk).  `make soak-self N=1000` is the
# long run.
. "${0%/*}/../lib.sh"
. "$HERE/self.sh"
N=${SELF_N:-10}

[ -x "$OTHER" ] || skip_all "make regress/self/updaterd first"
SELF_WITHIN=60s
setup_self
MODE=hand
start_self
mk_release r1
mk_self a "$UPDATERD"
mk_self b "$OTHER"
is "$(push r1)" 200 "a service"
pid=$(service pid) main=$(status .pid)

figures() {
	echo "$(ls "/proc/$main/fd" | wc -l) $(pgrep -P "$main" | wc -l)" \
	    "$(awk '$1 == "VmRSS:" { print $2 }' "/proc/$main/status")" \
	    "$(find "$T/self" | wc -l)"
}
soak() {	# count: as many updates
	python3 "$HERE/self.py" --port "$PORT" --certs "$T/certs" \
	    --count "$1" "$T/a.tgz" "$T/b.tgz" > "$T/soak" 2>&1
	soaked=$?
	[ "$1" -lt 10 ] || diag "$(tail -n 3 "$T/soak")"
	return $soaked
}
soak 4
is $? 0 "4 updates to begin with"
wait_for 70 no_watchers
before=$(figures)

python3 "$HERE/tight.py" --port "$PORT" --certs "$T/certs" \
    --clients "${SELF_CLIENTS:-4}" --until "$T/enough" > "$T/client" 2>&1 &
CLIENT=$!
KILL_AT_EXIT=$CLIENT
wait_for 20 test -s "$T/client"
soak "$N"
is $? 0 "$N updates under load"
: > "$T/enough"
wait "$CLIENT"
is $? 0 "no request was refused or cut off"
note "$(tail -n 6 "$T/client")"
wait_for 70 no_watchers
after=$(figures)
is "$(status .pid) $(service pid) $(service restarts)" "$main $pid 0" \
    "the process is the same, the service was not restarted"
note "descriptors, children, kB, files: before $before, after $after"
set -- $before $after
[ "$5" -le $(($1 + 1)) ]
is $? 0 "descriptors did not grow"
is "$6" "$2" "nor processes"
[ "$7" -le $(($3 + 2048)) ]
is $? 0 "nor memory"
[ "$8" -le $(($4 + 8)) ]
is $? 0 "nor the store"
finish
