#!/bin/sh
# Figures of many services on one host: how long a pass takes at start and
# by command, status, a restart, how soon one that ended runs again, and
# what the daemon takes for each.
#	services.sh [how many]		called by `make bench`
LIBDIR=${0%/*}/..
export LIBDIR
. "${0%/*}/../lib.sh"
N=${1:-1000}

make_users
make_certs
. "$HERE/profiles.sh"
# Runs on until it is told to end and ask for another start; writes when.
mkdir "$T/ends"
cat >"$T/ends/again" <<'E'
cd "${0%/*}" || exit 1
echo "began ${EPOCHREALTIME%[.,]*}${EPOCHREALTIME#*[.,]}" >>times
until [ -e go ]; do sleep 0.1; done
sleep 0.3
echo "ended ${EPOCHREALTIME%[.,]*}${EPOCHREALTIME#*[.,]}" >>times
exit 75
E
chown -R _updagent "$T/ends"
C_SERVICES="service \"again\" {
		user \"_updagent\"
		command { \"/bin/bash\" \"$T/ends/again\" }
		restart backoff 100ms
		optional
	}
	service \"gw\" {
		user \"_updagent\"
		home \"$H\"
		profiles \"$P\" marker \"SOUL.md\"
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
	awk '/^RssAnon/ { print $2 }' "/proc/$UPID/status"
}
up() {
	[ "$(ctl -j profiles | jq '[.profiles[] | select(.state == "up")] |
	    length')" = "$N" ]
}
reload() {	# not while those that were found are still being looked at
	ctl reload >/dev/null 2>&1
}
there() {
	[ "$(ctl -j profiles | jq '.profiles | length')" = $((N + 1)) ]
}
none_rss=$(rss)
many_profiles "$N"
ctl reconcile >/dev/null
wait_for 60 there || diag "not all are there"
idle_rss=$(rss)
note "memory of its own: $((((idle_rss - none_rss) * 1024) / N)) bytes a service that \
is down"
mk_release one
a=$(now_ms)
status=$(push one)
[ "$status" = 200 ] || { diag "the push failed: $status $(body .detail)"; not_ok "push"; finish; }
wait_for 120 up || diag "not all are up"
b=$(now_ms)
note "$N services: all of them started and healthy after $((b - a)) ms"
note "memory of its own: $(((($(rss) - none_rss) * 1024) / N)) bytes a service that \
runs; $none_rss kB without any, $idle_rss kB with all of them down, $(rss) kB now"
a=$(now_ms)
ctl reconcile >/dev/null
b=$(now_ms)
note "a pass by command, all of them up: $((b - a)) ms"
a=$(now_ms)
ctl -j status >/dev/null
b=$(now_ms)
note "status: $((b - a)) ms"
# From the service's last line to its first one, so with the start of bash.
ends() {
	[ "$(grep -c began "$T/ends/times")" -gt 20 ]
}
: >"$T/ends/go"
wait_for 60 ends || diag "it was not started again"
rm "$T/ends/go"
awk '$1 == "ended" { e = $2 }
    $1 == "began" && e { printf "%.1f\n", ($2 - e) / 1000; e = 0 }' \
    "$T/ends/times" | sort -n >"$T/gaps"
median() {	# file of sorted figures
	awk '{ v[NR] = $1 } END { print "median " v[int((NR + 1) / 2)] \
	    ", worst " v[NR] ", of " NR }' "$1"
}
note "exit 75 to running again, ms: $(median "$T/gaps"), contained by \
$(ctl -j status | jq -r '[.. | objects | select(.name? == "again") |
    .containment] | first')"
# What bash alone takes of that.
cat >"$T/ends/bare" <<'E'
echo "${EPOCHREALTIME%[.,]*}${EPOCHREALTIME#*[.,]}"
E
i=0
while [ $i -lt 20 ]; do
	i=$((i + 1))
	bash -c 'a=${EPOCHREALTIME%[.,]*}${EPOCHREALTIME#*[.,]}
	    b=$(exec bash "$0"); echo $((b - a))' "$T/ends/bare"
done | awk '{ printf "%.1f\n", $1 / 1000 }' | sort -n >"$T/bare"
note "fork, exec and first line of bash alone, ms: $(median "$T/bare")"
a=$(now_ms)
ctl restart gw-p7 >/dev/null
b=$(now_ms)
note "a restart by command, its second of proving included: $((b - a)) ms"
sed -i 's/^user "_updaterd"/&\nshutdown keep/' "$T/conf"
wait_for 60 reload || diag "no reload"
stop_updaterd
a=$(now_ms)
start_updaterd
b=$(now_ms)
note "a start that adopts them: $((b - a)) ms"
sed -i '/^shutdown keep/d' "$T/conf"
wait_for 60 reload || diag "no reload"
a=$(now_ms)
stop_updaterd
b=$(now_ms)
note "a stop of all: $((b - a)) ms"
# All are wanted, none is there: the time to the start of the last one, as
# the state files have it, which are written behind that.
started() {	# min or max
	find "$T/state" -name 'gw-p*.json' -exec cat {} + |
	    jq -s "map(.started_at) | $1 / 1000 | floor"
}
noted() {
	[ "$(started min)" -ge "$a" ]
}
a=$(now_ms)
start_updaterd
wait_for 120 up || diag "not all are up again"
healthy=$(now_ms)
wait_for 60 noted || diag "not all are noted"
last=$(started max)
note "a fresh start, until the last of them was started: $((last - a)) ms, \
until all were healthy: $((healthy - a)) ms"
stop_updaterd
ok "figures of $N services"
finish
