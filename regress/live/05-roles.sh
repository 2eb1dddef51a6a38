#!/bin/sh
# Goal: who may do what is decided by the certificate alone; who may not even
# talk sees why in the TLS alert.
. "${0%/*}/../lib.sh"
make_users
make_certs
fpr=$(openssl x509 -in "$T/certs/pusher.crt" -noout -fingerprint -sha256 |
    sed 's/.*=//; s/://g' | tr A-F a-f)
C_PERMIT="permit push from fingerprint \"SHA256:$fpr\""
C_TLS="crl \"$T/certs/ca.crl\""
write_conf
start_updaterd
mk_release r1

role() {	# cert method path expected what
	is "$(CERT=$1 api "$2" "$3")" "$4" "$5"
}
role nobody GET /health 200 "any certificate: health"
role nobody GET /releases 403 "no role: no releases"
like "$(body .detail)" nobody "the refusal names the subject"
role nobody GET /status 403 "no role: no status"
role monitor GET /releases 200 "read: releases"
role monitor GET /status 200 "read: status"
role monitor POST /rollback 403 "read: no rollback"
role monitor POST /services/agent/stop 403 "read: no stop"
is "$(CERT=monitor push r1)" 403 "read: no push"
is "$(CERT=controller push r1)" 403 "control: no push"
is "$(CERT=pusher push r1)" 200 "push, by fingerprint"
role controller POST /services/agent/restart 200 "control: restart"
role controller POST /services/nosuch/stop 404 "of what there is"
role pusher POST /rollback 404 "push includes control"
role pusher POST /update-self 403 "push: no self-update"
# A subject with two names might be read as either.
for cn in updater-master/CN=nobody nobody/CN=updater-master; do
	(cd "$T/certs" && openssl req -newkey ec -nodes -subj "/CN=$cn" \
	    -pkeyopt ec_paramgen_curve:P-256 -keyout two.key -out two.csr &&
	printf 'extendedKeyUsage=clientAuth\n' > two.ext &&
	openssl x509 -req -in two.csr -CA ca.crt -CAkey ca.key -days 9 \
	    -set_serial 0x7777 -extfile two.ext -out two.crt) >"$T/two" 2>&1
	is "$(openssl x509 -in "$T/certs/two.crt" -noout -subject \
	    -nameopt multiline | grep -c commonName)" 2 "two names: $cn"
	role two GET /health 200 "it is a certificate"
	role two GET /releases 403 "of nobody"
done
role monitor GET /nothing 404 "an unknown path"
role monitor DELETE /releases 405 "a known path, another method"

# A refused push costs no upload.
head -c 30000000 /dev/zero > "$T/large"
is "$(CERT=monitor request -F "tarball=@$T/large" -w '%{http_code} %{size_upload}' \
    "https://127.0.0.1:$PORT/update" -H 'Expect: 100-continue' |
    awk '{ print substr($1, 1, 3), ($NF < 1000000 ? "early" : $NF) }')" \
    "403 early" "a refused push is not uploaded"

alert() {	# cert pattern what
	is "$(CERT=$1 api GET /health)" 000 "$3: refused"
	like "$(cat "$T/curl.err")" "$2" "$3: told why"
}
alert stranger 'unknown ca' "another CA"
alert expired 'certificate expired' "expired"
alert revoked 'certificate revoked' "revoked"
alert server-only 'unsupported certificate' "not for clients"
is "$(curl -sS -o /dev/null -w '%{http_code}' --cacert "$T/certs/ca.crt" \
    "https://127.0.0.1:$PORT/health" 2>"$T/curl.err")" 000 "none: refused"
like "$(cat "$T/curl.err")" 'certificate required' "none: told why"
is "$(api GET /health --tls-max 1.1)" 000 "TLS 1.1: refused"
is "$(api GET /health --tls-max 1.2)" 200 "TLS 1.2: fine"
finish
