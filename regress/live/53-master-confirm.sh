#!/bin/sh
# Goal: push --confirm confirms over a new connection; a host that cannot be
# reached for that counts as failed and goes back by itself; a push that was
# killed before it could confirm is resumed and confirms.
. "${0%/*}/../lib.sh"
. "$HERE/fleet.sh"
[ "$UPD_NAMESPACE" = own ] || skip_all "no mount name space here"
fleet 3
for r in r1 r2 r3 r4; do mk_fleet_release $r; done
a1=$(host_address 1)

rollout() {	# release [options]
	r=$1
	shift
	um push --tarball "$T/$r.tgz" --sha "$r" "$@" >"$T/out" 2>&1
	echo $?
}
has() {		# pattern description
	like "$(cat "$T/out")" "$1" "$2"
}
trials() {	# host: results of its trials, oldest first
	jq -r 'select(.event == "trial") | .result' \
	    "$T/h/$1/agent/history.jsonl" | tr '\n' ' '
}
waits() {	# host: for a confirmation
	grep -q '"phase": "trial"' "$T/h/$1/agent/update.json"
}
no_trial() {
	! waits "$1" 2>/dev/null
}
curl_push() {	# host address release: as the master, with confirm=20
	curl -sS --max-time 20 -o "$T/body" -w '%{http_code}' \
	    --cacert "$M/ca.crt" --cert "$M/master.crt" \
	    --key "$M/master.key" -F "sha=$3" -F confirm=20 \
	    -F "sha256=$(digest "$T/$3.tgz")" -F "tarball=@$T/$3.tgz" \
	    "https://$2:$PORT/update"
}

is "$(rollout r1 --all --confirm 20 --json)" 0 "push --confirm to all"
is "$(jq -r '[.hosts[].agent] | join(" ")' "$T/out")" \
    "updated updated updated" "they are updated"
is "$(trials h001)$(trials h002)$(trials h003)" \
    "confirmed confirmed confirmed " "and confirmed"
for n in h001 h002 h003; do no_trial $n || not_ok "$n waits still"; done
is "$(rollout r1 --all --confirm 20)" 0 "the same again"
is "$(trials h001)" "confirmed " "needs no confirmation"
is "$(rollout r1 --all --confirm 0)" 2 "--confirm 0 is none"
is "$(rollout r2 --host h001 --confirm 20 --dry-run)" 0 "a dry run"
is "$(trials h001)" "confirmed " "needs none either"

# --- without push --------------------------------------------------------
is "$(curl_push h002 "$(host_address 2)" r2)" 200 "pushed by other means"
t "status tells that it waits" sh -c "'$UPDATERMASTER' -d '$M' status \
    --host h002 | grep -q 'to be confirmed'"
is "$(um confirm --host h002 >"$T/out" 2>&1; echo $?)" 0 "confirm"
has 'h002 +confirmed +r2' "says so"
is "$(trials h002)" "confirmed confirmed " "it is"

# --- killed before it could confirm --------------------------------------
"$UPDATERMASTER" -d "$M" push --host h003 --tarball "$T/r2.tgz" --sha r2 \
    --confirm 20 >"$T/out" 2>&1 &
p=$!
while ! waits h003 2>/dev/null && alive $p; do :; done
if alive $p && ours $p; then kill9 $p; fi
wait $p 2>/dev/null
t "resumed" um push --resume
is "$(cat "$T/h/h003/agent/current/VERSION")" r2 "it is updated"
t "and waits no more" no_trial h003
like "$(trials h003)" '^confirmed confirmed $' "but is confirmed"

# --- cut off ---------------------------------------------------------------
# In the place of the host: says that it is updated, and is gone.
cat > "$T/gone.py" <<'P'
import json, socket, ssl, sys
c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
d = sys.argv[3]
c.load_cert_chain(d + "/updater.crt", d + "/updater.key")
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((sys.argv[1], int(sys.argv[2]))); s.listen(1)
print("ready", flush=True)
k = c.wrap_socket(s.accept()[0], server_side=True)
s.close()
got = b""
while b"\r\n\r\n" not in got:
    got += k.recv(65536)
print(got.split(b" ")[1].decode(), flush=True)
head, rest = got.split(b"\r\n\r\n", 1)
n = [int(l.split(b":")[1]) for l in head.split(b"\r\n")
     if l.lower().startswith(b"content-length:")]
if b"100-continue" in head:
    k.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
while n and len(rest) < n[0]:
    rest += k.recv(65536)
body = json.dumps({"status": "updated", "confirm": 2,
                   "release": {"id": "20261122T000000Z-r3"}}).encode()
k.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
          b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)
k.close()
P
t "a host ends" stop_host h001
python3 "$T/gone.py" "$a1" "$PORT" "$M/hosts/h001" >"$T/sent" &
KILL_AT_EXIT="${KILL_AT_EXIT-} $!"
wait_for 10 grep -q ready "$T/sent"
is "$(rollout r3 --host h001 --confirm 2 --retries 0)" 1 \
    "one that is cut off by its release"
like "$(sed -n 2p "$T/sent")" 'confirm=2' "it was told to wait"
has 'h001.*unconfirmed' "does not count as updated"
has 'goes back by itself' "and what follows is said"
start_host h001
t "it is back" wait_for 20 fleet_answers
for n in $FLEET; do stop_host "$n" || not_ok "$n ends"; done
finish
