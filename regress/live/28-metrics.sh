#!/bin/sh
# Goal: /metrics and `updaterctl metrics`: the format is exact, what happened
# is counted, nobody hangs on a net that does not answer, and such a net is
# found out.
. "${0%/*}/../lib.sh"
make_users
make_certs
# Names that a careless writer would break on.
mkdir "$T/odd \"name\\ of"
cp "$T/certs/updater.crt" "$T/odd \"name\\ of/u.crt"
write_conf
sed -i "s|certificate \"$T/certs/updater.crt\"|certificate \"$T/odd \\\\\"name\\\\\\\\ of/u.crt\"|" \
    "$T/conf"
start_updaterd

# m name-with-labels: its value in the last text; labels as they are written
m() {
	want=$1 awk '{ v = $NF; sub(/ [^ ]*$/, "")
	    if ($0 == ENVIRON["want"]) print v }' "$T/m"
}
fetch() {
	CERT=${1:-monitor} api GET /metrics
	cp "$T/body" "$T/m"
}
updates() {	# event result
	m "updaterd_updates_total{agent=\"default\",event=\"$1\",result=\"$2\"}"
}
strict() {
	python3 "$HERE/promcheck.py" < "$T/m"
}

is "$(fetch nobody)" 403 "role none: no metrics"
is "$(fetch monitor -o /dev/null)" 200 "role read: metrics"
like "$(CERT=monitor request -D - "https://127.0.0.1:$PORT/metrics" |
    tr -d '\r')" '^Content-Type: text/plain; version=0.0.4' "the type"
t "before the first release the format is exact" strict
is "$(m updaterd_build_info'{version="'"$("$UPDATERD" -V 2>&1 |
    awk '{ print $NF }')"'"}')" 1 "build info"
is "$(updates update updated)" 0 "results are there before they happen"
is "$(m 'updaterd_last_success_timestamp_seconds{agent="default"}')" \
    0.000000 "no success so far"
is "$(m "updaterd_certificate_expiry_timestamp_seconds{kind=\"certificate\",file=\"$T/odd \\\"name\\\\ of/u.crt\"}")" \
    "$(date -d "$(openssl x509 -in "$T/certs/updater.crt" -noout -enddate |
    sed 's/.*=//')" +%s)" "when the certificate ends, by its odd name"

mk_release r1
mk_release r2
mk_release bad exit=1
begin=$(date +%s)
is "$(push r1)" 200 "a push"
is "$(push r1)" 200 "the same again"
is "$(push r2)" 200 "another"
is "$(push bad)" 409 "a bad one"
is "$(push r1 -F dry_run=true)" 200 "a dry run"
is "$(request -F "sha256=$(printf '%064d' 0)" -F "tarball=@$T/r1.tgz" \
    "https://127.0.0.1:$PORT/update")" 422 "one with a wrong digest"
is "$(api POST /rollback)" 200 "a rollback"
is "$(CERT=expired api GET /health)" 000 "a handshake that fails"
is "$(fetch)" 200 "metrics"
t "the format is exact" strict
if command -v promtool >/dev/null 2>&1; then
	t "promtool says so, too" sh -c "promtool check metrics < '$T/m'"
else
	skip "no promtool on this machine"
fi
is "$(updates update updated) $(updates update unchanged) $(updates update \
    rolled_back) $(updates update dry_run) $(updates update failed)" \
    "2 1 1 1 1" "updates by result"
is "$(updates rollback rolled_back)" 1 "the rollback"
t "last success is now" [ "$(m \
    'updaterd_last_success_timestamp_seconds{agent="default"}' |
    cut -d. -f1)" -ge "$begin" ]
t "last failure, too" [ "$(m \
    'updaterd_last_failure_timestamp_seconds{agent="default"}' |
    cut -d. -f1)" -ge "$begin" ]
h=updaterd_update_phase_seconds
is "$(m "${h}_count{phase=\"receive\"}")" 6 "six archives were received"
is "$(m "${h}_count{phase=\"downtime\"}")" 4 "four times services stopped"
t "a histogram has a sum" [ "$(m "${h}_sum{phase=\"total\"}" | tr -d .)" -gt 0 ]
is "$(m 'updaterd_services{agent="default",state="up"}')" 1 "services by state"
is "$(m 'updaterd_releases{agent="default",slot="active"}')" 1 "releases"
is "$(m "updaterd_release_info{agent=\"default\",id=\"$(current)\",sha=\"r1\"}")" \
    1 "the active one"
is "$(m updaterd_tls_handshake_failures_total)" 1 "failed handshakes"
is "$(m 'updaterd_http_requests_total{code="4xx"}')" 3 "requests: 4xx"
t "bytes received" [ "$(m updaterd_http_received_bytes_total)" -gt \
    $((4 * $(stat -c %s "$T/r1.tgz"))) ]
is "$(m updaterd_connections)" 1 "open: the one that asks"
is "$(m 'updaterd_sandbox_layer{process="net",layer="chroot"}')" 1 "layers"
is "$(m 'updaterd_update_in_flight{agent="default"}')" 0 "none in flight"
t "free space" [ "$(m 'updaterd_store_free_bytes{agent="default"}')" -gt 0 ]

# Sums are of what it took, and bytes of what came.
was=$(m "${h}_sum{phase=\"receive\"}") bytes=$(m updaterd_archive_bytes_total)
is "$(push r2)" 200 "one more push"
ms=$(body .timings.receive)
fetch >/dev/null
is "$(m "${h}_sum{phase=\"receive\"}" | awk -v was="$was" \
    '{ printf "%.0f\n", ($1 - was) * 1000 }')" "$ms" "and as long as it took"
is $(($(m updaterd_archive_bytes_total) - bytes)) \
    "$(stat -c %s "$T/r2.tgz")" "and as large as it was"

# A death.
before=$(m 'updaterd_service_deaths_total{agent="default",service="agent"}')
kill9 "$(service pid)"
back() {
	fetch && [ "$(m 'updaterd_service_deaths_total{agent="default",service="agent"}')" = \
	    $((before + 1)) ] &&
	    [ "$(m 'updaterd_service_up{agent="default",service="agent"}')" = 1 ]
}
t "a death is counted, and that it is up again" wait_for 10 back

ctl metrics > "$T/m"
t "updaterctl metrics: the same format" strict
is "$(m updaterd_net_answered)" 1 "with net's counters"
is "$(ctl -j metrics | jq -r .metrics | head -n 1)" "$(head -n 1 "$T/m")" \
    "-j: in a string"
accepted=$(m updaterd_connections_accepted_total)

# net is lost: its counters are not.
netpid=$(process net)
kill9 "$netpid"
again() {
	[ "$(process net)" != "$netpid" ] && listening
}
t "net comes back" wait_for 10 again
fetch >/dev/null
t "counters go on over its loss" [ \
    "$(m updaterd_connections_accepted_total)" -gt "$accepted" ]
is "$(m 'updaterd_process_restarts_total{process="net"}')" 1 "which is counted"

# net hangs: an answer all the same, and an end to it.
netpid=$(process net)
kill -STOP "$netpid"
ctl metrics > "$T/m"
t "a net that hangs does not hang the scrape" strict
is "$(m updaterd_net_answered)" 0 "which says that net did not answer"
t "the next one, too" sh -c "'$UPDATERCTL' -s '$T/updaterd.sock' metrics >/dev/null"
t "and net is started again" wait_for 20 again
t "said why" grep -q 'kill net: it does not answer' "$T/log"
finish
