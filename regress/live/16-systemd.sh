#!/bin/sh
# Goal: under a real systemd, with the unit as shipped: started is when it
# serves; reload tells of errors; stop leaves nothing, `shutdown keep` the
# services; killed, it comes back and adopts them.
. "${0%/*}/../lib.sh"
. "$HERE/systemd.sh"

make_users
make_certs
write_conf
sed -i 's|^state .*|state "/var/lib/updaterd"|' "$T/conf"
sd_units
sd_boot

procs() {	# how many the unit has
	find "$CG" -path '*/updaterd.service*' -name cgroup.procs \
	    -exec cat {} + | wc -l
}

mk_release r1
t "start" sd start updaterd
is "$(api GET /health)" 200 "started is when it serves"
is "$(push r1)" 200 "a push"
is "$(service containment)" cgroup "the service has a cgroup"
like "$(find "$CG" -type d -path '*/updaterd.service/*')" 'agent$' \
    "below the unit's own"

main=$(show MainPID) pid=$(service pid)
t "reload" sd reload updaterd
cp "$T/conf" "$T/good"
echo nonsense >> "$T/conf"
t "reload of a bad configuration fails" sh -c \
    "! nsenter -t '$PID1' -m -u -i -p --root systemctl reload updaterd"
cp "$T/good" "$T/conf"
is "$(show ActiveState) $(show MainPID) $(service pid)" \
    "active $main $pid" "and the old one is in use"

restarted() {
	[ "$(show NRestarts)" = 1 ] && sd is-active updaterd && listening
}
t "kill -9" sd kill --kill-who=main --signal=KILL updaterd
t "it serves again" wait_for 15 restarted
is "$(service pid)" "$pid" "the service is adopted"
is "$(serving)" r1 "and serves"

t "restart" sd restart updaterd
t "has stopped and started it" wait_for 10 is_serving r1
[ "$(service pid)" != "$pid" ]
is $? 0 "it is another process"
t "stop" sd stop updaterd
is "$(show ActiveState) $(procs)" "inactive 0" "leaves nothing"

echo 'shutdown keep' >> "$T/conf"
t "start with shutdown keep" sd start updaterd
t "the service runs" wait_for 10 is_serving r1
pid=$(service pid)
t "stop" sd stop updaterd
is "$(show ActiveState) $(serving)" "inactive r1" "leaves the service"
t "start" sd start updaterd
is "$(service pid)" "$pid" "adopts it"
t "restart" sd restart updaterd
is "$(service pid)" "$pid" "adopts it"
cp "$T/good" "$T/conf"
t "reload without keep" sd reload updaterd
t "stop" sd stop updaterd
is "$(procs)" 0 "leaves nothing"
finish
