#!/bin/sh
# Figures of many services on one host: how long a pass takes at start and
# by command, status, a restart, and what the daemon takes for each.
#	services.sh [how many]		called by `make bench`
LIBDIR=${0%/*}/..
export LIBDIR
. "${0%/*}/../lib.sh"
N=${1:-1000}

make_users
make_certs
H=$T/home
mkdir -p "$H/profiles"
i=0
while [ $i -lt "$N" ]; do
	mkdir "$H/profiles/p$i"
	echo '{"gw_state":"running"}' >"$H/profiles/p$i/gw_state.json"
	: >"$H/profiles/p$i/SOUL.md"
	i=$((i + 1))
done
chown -R _updagent "$H"
C_SERVICES="service \"gw\" {
		user \"_updagent\"
		home \"$H\"
		profiles \"$H/profiles\" marker \"SOUL.md\"
		command { \"sleep\" \"100000\" }
		restart backoff 100ms
		stop TERM within 2s
		optional
	}"
C_HEALTH="health none"
ulimit -n 65536 2>/dev/null
write_conf
start_updaterd
rss() {
	awk '/^VmRSS/ { print $2 }' "/proc/$UPID/status"
}
up() {
	[ "$(ctl -j profiles | jq '[.profiles[] | select(.state == "up")] |
	    length')" = "$N" ]
}
there() {
	[ "$(ctl -j profiles | jq '.profiles | length')" = $((N + 1)) ]
}
wait_for 60 there || diag "not all are there"
idle_rss=$(rss)
mk_release one
a=$(now_ms)
status=$(push one)
[ "$status" = 200 ] || { diag "the push failed: $status $(body .detail)"; not_ok "push"; finish; }
wait_for 120 up || diag "not all are up"
b=$(now_ms)
diag "$N services: all of them started and healthy after $((b - a)) ms"
diag "memory: $(((($(rss) - idle_rss) * 1024) / N)) bytes a service that \
runs, $(rss) kB in all ($idle_rss kB with all of them down)"
a=$(now_ms)
ctl reconcile >/dev/null
b=$(now_ms)
diag "a pass by command, all of them up: $((b - a)) ms"
a=$(now_ms)
ctl -j status >/dev/null
b=$(now_ms)
diag "status: $((b - a)) ms"
a=$(now_ms)
ctl restart gw-p7 >/dev/null
b=$(now_ms)
diag "a restart by command, its second of proving included: $((b - a)) ms"
sed -i 's/^user "_updaterd"/&\nshutdown keep/' "$T/conf"
ctl reload >/dev/null
stop_updaterd
a=$(now_ms)
start_updaterd
b=$(now_ms)
diag "a start that adopts them: $((b - a)) ms"
sed -i '/^shutdown keep/d' "$T/conf"
ctl reload >/dev/null
a=$(now_ms)
stop_updaterd
b=$(now_ms)
diag "a stop of all: $((b - a)) ms"
ok "figures of $N services"
finish
