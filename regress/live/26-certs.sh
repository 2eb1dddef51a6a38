#!/bin/sh
# Goal: certificates, key and CRL are replaced while connections and a push
# go on; bad ones are refused with the reason and change nothing; who was
# revoked is out at once; what ends soon is said in status, log and metrics.
. "${0%/*}/../lib.sh"
make_users
make_certs
C_TLS="crl \"$T/certs/ca.crl\""
# Connections are held from one section to the next, on however busy a machine.
C_LIMITS="limits { idle 600s }"
write_conf
start_updaterd
mk_release r1

in_certs() {
	(cd "$T/certs" && "$@" >>"$T/openssl.log" 2>&1)
}
# issue file cn extensions [options of openssl ca]: anew, under the CA
issue() {
	file=$1 cn=$2 ext=$3
	shift 3
	in_certs openssl req -config openssl.cnf -newkey ec \
	    -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$file.key" \
	    -out "$file.csr" -subj "/CN=$cn"
	in_certs openssl ca -config openssl.cnf -batch -notext \
	    -in "$file.csr" -out "$file.crt" -cert ca.crt -keyfile ca.key \
	    -extensions "$ext" "$@"
}
crl() {		# options of openssl ca
	in_certs openssl ca -config openssl.cnf -cert ca.crt -keyfile ca.key \
	    -gencrl -out ca.crl "$@"
	chmod 0644 "$T/certs/ca.crl"
}
fpr() {		# certificate
	openssl x509 -in "$1" -outform der | sha256sum | cut -d' ' -f1
}
shown() {
	timeout 20 openssl s_client -connect "127.0.0.1:$PORT" \
	    </dev/null 2>/dev/null | openssl x509 -outform der 2>/dev/null | sha256sum | cut -d' ' -f1
}
# hold name number [late]: a connection that is kept on descriptors number and
# 1 higher; ask number line: the answer
hold() {
	rm -f "$T/in$2" "$T/out$2"
	mkfifo "$T/in$2" "$T/out$2"
	python3 "$HERE/hold.py" "$PORT" "$T/certs" "$1" ${3-} \
	    <"$T/in$2" >"$T/out$2" 2>>"$T/hold.log" &
	eval "exec $2>'$T/in$2' $(($2 + 1))<'$T/out$2'"
	eval "read -r met <&$(($2 + 1))"
}
ask() {
	eval "echo '$2' >&$1; read -r reply <&$(($1 + 1))"
	echo "$reply"
}

# --- a new pair ---------------------------------------------------------
hold monitor 3
hold nobody 5
is "$met" "$(fpr "$T/certs/updater.crt")" "two connections are held"
is "$(ask 3 'GET /releases') $(ask 5 'GET /health')" "200 200" "in use"
old=$(fpr "$T/certs/updater.crt")
issue updater updater@localhost x_server
new=$(fpr "$T/certs/updater.crt")
is "$(shown)" "$old" "the old pair until told"
t "reload" ctl reload
is "$(shown)" "$new" "the new one in new handshakes"
is "$(ask 3 'GET /releases') $(ask 5 'GET /health')" "200 200" \
    "both connections go on"

# --- a push goes on -----------------------------------------------------
mk_release slow big=3000000
push slow --limit-rate 1500K > "$T/push.out" 2>&1 &
pusher=$!
receiving() {
	[ "$(status .update.state)" = receiving ]
}
t "a push is under way" wait_for 10 receiving
issue updater updater@localhost x_server
newer=$(fpr "$T/certs/updater.crt")
unlike "$(ctl reload 2>&1)" '^$' "updaterctl reload says that it has to wait"
kill -HUP "$UPID"
wait $pusher
is "$(cat "$T/push.out")" 200 "HUP: the push is not disturbed"
shows_newer() {
	[ "$(shown)" = "$newer" ]
}
t "and the new pair comes in behind it" wait_for 10 shows_newer
is "$(ask 3 'GET /releases')" 200 "connections still go on"

# --- bad ones -----------------------------------------------------------
refused() {	# file pattern what
	# It is folded, and where depends on how long $T is.
	like "$(ctl reload 2>&1 | tr -s "\n " " ")" "$2" \
	    "$3: refused, and why"
	is "$(shown) $(ask 3 'GET /releases')" "$newer 200" \
	    "$3: nothing has changed"
	cp "$T/keep/${1##*/}" "$1"
}
cp -r "$T/certs" "$T/keep"
cp "$T/certs/worker.key" "$T/certs/updater.key"
refused "$T/certs/updater.key" 'updater.key: not the key of the certificate' \
    "a key of another certificate"
echo rubbish > "$T/certs/updater.key"
refused "$T/certs/updater.key" 'updater.key: no private key' "no key"
openssl ec -aes128 -passout pass:x -in "$T/keep/updater.key" \
    -out "$T/certs/updater.key" 2>/dev/null
refused "$T/certs/updater.key" 'updater.key: no private key .* with' \
    "a key with a passphrase"
head -c 200 "$T/keep/updater.crt" > "$T/certs/updater.crt"
refused "$T/certs/updater.crt" 'updater.crt: no certificate' "half a certificate"
: > "$T/certs/ca.crt"
refused "$T/certs/ca.crt" 'ca.crt: .*empty' "an empty ca"
echo rubbish > "$T/certs/ca.crl"
refused "$T/certs/ca.crl" 'ca.crl: no revocation list' "no crl"
rm "$T/certs/updater.crt"
refused "$T/certs/updater.crt" 'updater.crt: No such' "no file"
like "$(ctl reload 2>&1)" '^$|reloaded' "with all of them back it is taken"

# --- revoked ------------------------------------------------------------
# What net has taken in by now.
counted() {	# metric
	ctl metrics | sed -n "s/^updaterd_$1 //p"
}
more_than() {	# metric value
	[ "$(counted "$1")" -gt "$2" ]
}
hold monitor 7
bytes=$(counted http_received_bytes_total)
is "$(ask 7 'half GET /releases')" sent "half a head"
t "is there" wait_for 10 more_than http_received_bytes_total "$bytes"
in_certs openssl ca -config openssl.cnf -cert ca.crt -keyfile ca.key \
    -revoke monitor.crt
crl
is "$(ask 3 'GET /releases')" 200 "one that was revoked, before the reload"
t "reload" ctl reload
is "$(ask 3 wait)" closed "its idle connection is closed"
is "$(ask 7 rest) $(ask 7 wait)" "403 close closed" \
    "what it had not asked yet is refused"
like "$(cat "$T/log")" 'refuse GET /releases of "monitor" .*not accepted any' \
    "which is in the log"
is "$(ask 5 'GET /health')" 200 "another's is not"
is "$(CERT=monitor api GET /health)" 000 "it does not get in again"
like "$(cat "$T/curl.err")" 'certificate revoked' "and is told why"
exec 3>&- 4<&- 7>&- 8<&-

# --- a CA in between ----------------------------------------------------
between_crl() {	# its list and that of its own CA
	crl
	in_certs openssl ca -config openssl.cnf -cert between.crt \
	    -keyfile between.key -gencrl -out between.crl
	cat "$T/certs/between.crl" >> "$T/certs/ca.crl"
}
issue between "a CA between" x_ca
issue far far x_client -cert between.crt -keyfile between.key
cat "$T/certs/between.crt" >> "$T/certs/far.crt"
between_crl
t "a list of each CA" ctl reload
hold far 3
is "$(ask 3 'GET /health')" 200 "one of a CA in between is let in"
t "and over a reload" ctl reload
is "$(ask 3 'GET /health')" 200 "stays in"
conns=$(counted connections_accepted_total)
hold far 7 late
t "another has begun" wait_for 10 more_than connections_accepted_total "$conns"
in_certs openssl ca -config openssl.cnf -cert ca.crt -keyfile ca.key \
    -revoke between.crt
between_crl
t "reload" ctl reload
is "$(ask 3 wait)" closed "that CA is revoked: its connection is closed"
unlike "$(ask 7 go)" 'closed' "the handshake that had begun comes about"
is "$(ask 7 'GET /health')" 403 "but is of no use"
is "$(ask 5 'GET /health')" 200 "another's is not"
is "$(CERT=far api GET /health)" 000 "it does not get in again"
like "$(cat "$T/curl.err")" 'certificate revoked' "and is told why"
exec 3>&- 4<&- 7>&- 8<&-
crl

# --- by fingerprint -----------------------------------------------------
sed "s|^agent |permit read from fingerprint \"SHA256:$(fpr \
    "$T/certs/nobody.crt" | tr a-f A-F)\"\n&|" "$T/conf" > "$T/conf.new"
chmod 0600 "$T/conf.new"
mv "$T/conf.new" "$T/conf"
is "$(ask 5 'GET /releases')" 403 "no role"
t "reload" ctl reload
is "$(ask 5 'GET /releases')" 200 \
    "a role by fingerprint, over the same connection"
issue nobody nobody x_client
is "$(CERT=nobody api GET /releases)" 403 \
    "another certificate with that name has none"
exec 5>&- 6<&-

# --- what ends soon -----------------------------------------------------
certs() {	# kind filter
	status ".certificates[] | select(.kind == \"$1\") | $2"
}
is "$(status '.certificates | map(select(.warning)) | length')" 0 \
    "with months left nothing is warned of"
like "$(ctl status)" 'certs +valid, the first until' "but the date is shown"
day() {		# days from now, as openssl takes it
	date -u -d "@$(($(date +%s) + $1 * 86400 + 3600))" +%Y%m%d%H%M%SZ
}
issue updater updater@localhost x_server -enddate "$(day 30)"
crl -crldays 40
is "$(ctl reload)" reloaded "30 days are enough"
issue updater updater@localhost x_server -enddate "$(day 29)"
like "$(ctl reload | tr -s '\n ' ' ')" 'updater.crt expires in 29 days' \
    "29 are not"
issue updater updater@localhost x_server -enddate "$(day 10)"
crl -crldays 3
t "reload" ctl reload
is "$(certs certificate .days)" 10 "ten days left"
like "$(certs certificate .warning)" \
    'updater.crt expires in 10 days, on .*: then no master talks' "a warning"
like "$(certs crl .warning)" 'ca.crl expires in [23] days' "of the crl, too"
is "$(status '.certificates[0].kind')" crl "the first to end comes first"
like "$(ctl status)" 'updater.crt expires' "for people"
like "$(cat "$T/log")" 'updater.crt expires in 10 days' "in the log"
is "$(CERT=master api GET /metrics)" 200 "metrics"
is "$(awk '/^updaterd_certificate.*"certificate"/ { print $2 }' "$T/body")" \
    "$(date -d "$(openssl x509 -in "$T/certs/updater.crt" -noout -enddate |
    sed 's/.*=//')" +%s)" "the date in the metrics"
n=$(grep -c 'updater.crt expires' "$T/log")
is "$(push r1)" 200 "a push, whose check has certificates, too"
is "$(grep -c 'updater.crt expires' "$T/log")" "$n" "once a day is enough"
like "$(status '[.certificates[].kind] | sort | join(",")')" \
    'health ca,health certificate' "those of the check are watched"

# Both over: told without riddles.
crl -crlsec 1
issue updater updater@localhost x_server -startdate 20200101000000Z \
    -enddate 20200201000000Z
over() {
	[ "$(date +%s)" -gt "$(date -d "$(openssl crl -in "$T/certs/ca.crl" \
	    -noout -nextupdate | sed 's/.*=//')" +%s)" ]
}
wait_for 5 over
like "$(ctl reload | tr -s '\n ' ' ')" \
    'reloaded .*updater.crt has expired on 2020-02-01.* updatermaster renew' \
    "reload takes it, but says so"
like "$(certs certificate .warning)" \
    'updater.crt has expired on 2020-02-01' "an expired certificate"
like "$(certs crl .warning)" 'ca.crl has expired on .*: no master is let in' \
    "an expired crl"
is "$(certs certificate '.days < 0')" true "days are negative then"
is "$(api GET /health -k)" 000 "which is true"

# A file that is no longer configured is not warned of.
sed -i '/crl "/d' "$T/conf"
cp "$T/keep/updater.crt" "$T/keep/updater.key" "$T/certs/"
is "$(ctl reload)" reloaded "reload without the crl: nothing to warn of"
is "$(certs crl .file)" "" "a file that is not used is forgotten"
is "$(status '.certificates | map(select(.warning)) | length')" 0 \
    "all is well again"
finish
