#!/bin/sh
# Make throw-away certificates (EC P-256) in a directory:
#	ca.crt ca.key		the CA, and ca.crl with `revoked` in it
#	updater.crt .key	the daemon's: 127.0.0.1 and localhost
#	master monitor pusher controller worker	.crt .key, CN updater-master, ...
#	expired revoked server-only		refused for what they are
#	other-ca.crt, stranger.crt .key		of another CA
# usage: certs.sh DIR [few]	few: only what the demo needs
set -eu
umask 077
mkdir -p "$1"
cd "$1"
few=${2-}

cat > openssl.cnf <<'C'
[req]
distinguished_name = dn
prompt = no
[dn]
CN = unused
[ca]
default_ca = own
[own]
database = index.txt
new_certs_dir = .
serial = serial
default_md = sha256
default_days = 90
default_crl_days = 90
policy = any
unique_subject = no
copy_extensions = none
[any]
commonName = supplied
[x_ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[x_server]
basicConstraints = CA:FALSE
keyUsage = digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = IP:127.0.0.1, DNS:localhost
[x_client]
basicConstraints = CA:FALSE
keyUsage = digitalSignature
extendedKeyUsage = clientAuth
[x_both]
basicConstraints = CA:FALSE
keyUsage = digitalSignature
extendedKeyUsage = serverAuth, clientAuth
subjectAltName = IP:127.0.0.1, DNS:localhost
C

quiet() {
	"$@" >openssl.log 2>&1 || { cat openssl.log >&2; exit 1; }
}

ca() {		# file cn
	quiet openssl req -config openssl.cnf -x509 -newkey ec \
	    -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" \
	    -out "$1.crt" -subj "/CN=$2" -days 90 -extensions x_ca
}

leaf() {	# file cn extensions ca [options of openssl ca]
	file=$1 cn=$2 ext=$3 by=$4
	shift 4
	quiet openssl req -config openssl.cnf -newkey ec \
	    -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$file.key" \
	    -out "$file.csr" -subj "/CN=$cn"
	quiet openssl ca -config openssl.cnf -batch -notext -in "$file.csr" \
	    -out "$file.crt" -cert "$by.crt" -keyfile "$by.key" \
	    -extensions "$ext" "$@"
	rm -f "$file.csr"
}

: > index.txt
echo 1000 > serial
ca ca "updaterd test CA"
leaf updater updater@localhost x_both ca
leaf master updater-master x_client ca
leaf worker worker x_both ca
if [ "$few" != few ]; then
	leaf monitor monitor x_client ca
	leaf pusher pusher x_client ca
	leaf controller controller x_client ca
	leaf nobody nobody x_client ca
	leaf expired updater-master x_client ca \
	    -startdate 20200101000000Z -enddate 20200201000000Z
	leaf server-only updater-master x_server ca
	leaf revoked updater-master x_client ca
	quiet openssl ca -config openssl.cnf -cert ca.crt -keyfile ca.key \
	    -revoke revoked.crt
	ca other-ca "another CA"
	leaf stranger updater-master x_client other-ca
fi
quiet openssl ca -config openssl.cnf -cert ca.crt -keyfile ca.key \
    -gencrl -out ca.crl
# The agent reads its own as its user; keys of throw-away certificates.
chmod 0755 .
chmod 0644 ./*.crt ca.crl worker.key
rm -f ./[0-9A-F]*.pem openssl.log
