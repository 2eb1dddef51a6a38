#!/bin/sh
# Goal: bad, slow, cut and too many requests are answered for what they are,
# leave nothing behind, and never keep a good push out.
. "${0%/*}/../lib.sh"
C_LIMITS='limits { connections 64 per-address 16 header 4K body 8M idle 2s rate 1K }'
setup
mk_release r1
mk_release slow install-slow=2
is "$(push r1)" 200 "a good release"

py() {
	python3 "$HERE/push.py" --port "$PORT" --certs "$T/certs" \
	    --file "$T/r1.tgz" --sha r1 "$@" >"$T/py" 2>&1
	head -n 1 "$T/py"
}
raw() {		# printf format
	# shellcheck disable=SC2059
	printf "$1" > "$T/raw"
	py --raw "$T/raw" --timeout 10
}
is "$(api GET /health -H "X-Long: $(head -c 8000 /dev/zero | tr '\0' x)")" \
    431 "a head over the limit"
is "$(raw 'GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n')" 400 "two Hosts"
is "$(raw 'POST /update HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n')" \
    400 "length and chunked"
is "$(raw 'POST /update HTTP/1.1\r\nHost: a\r\n\r\n')" 411 "no length"
is "$(raw 'POST /update HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nabc')" \
    415 "not a body we take"
is "$(raw 'PUT /update?sha256=xyz HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc')" \
    400 "not a digest"
printf 'GET /health HTTP/1.1\r\nHost: a\r\nX: ' > "$T/raw"
is "$(py --raw "$T/raw" --timeout 15)" 408 "a head that never ends"
is "$(py --stall 3000 --timeout 30)" 408 "a body that never ends"
t "nothing of it is left" wait_for 10 clean_staging
is "$(py --split 20 --pause 0.2 --timeout 60)" 408 "a body below the rate"
mk_release huge big=9000000
is "$(request -T "$T/huge.tgz" "https://127.0.0.1:$PORT/update?sha256=$(
    digest "$T/huge.tgz")")" 413 "over the body limit"
is "$(request -T - -H 'Transfer-Encoding: chunked' \
    "https://127.0.0.1:$PORT/update?sha256=$(digest "$T/huge.tgz")" <"$T/huge.tgz")" \
    413 "over the body limit, chunked"
is "$(py --sha256 "$(printf %064d 0)")" 422 "another digest than the body's"
like "$(sed 1d "$T/py" | jq -r '.detail | tostring')" 'sha256|digest' "named"
is "$(request -F sha=x -F "tarball=@$T/r1.tgz" \
    "https://127.0.0.1:$PORT/update")" 400 "no digest"
is "$(request -F sha=../x -F "tarball=@$T/r1.tgz" \
    "https://127.0.0.1:$PORT/update")" 400 "a sha that is a path"
is "$(push r1 -F confirm=soon)" 400 "no number of seconds"
t "nothing of these is left" wait_for 10 clean_staging
is "$(serving)" r1 "and the service was not touched"

# Cut at many places: every one leaves the host as it was.
size=$(stat -c %s "$T/r1.tgz")
bad=
for at in 0 1 100 400 $((size / 4)) $((size / 2)) $((size - 1)) \
    $((size + 200)) $((size + 400)); do
	py --field force=true --abort "$at" >/dev/null
	wait_for 5 clean_staging || bad="$bad $at"
	wait_for 5 idle || bad="$bad $at(busy)"
done
is "$bad" "" "a push cut at any byte leaves nothing"
is "$(serving)" r1 "and the service was not touched"

# Two at once.
py --split 200000 --stall 2000 --timeout 20 >/dev/null &
slow=$!
t "one is in flight" wait_for 5 sh -c \
    "'$UPDATERCTL' -j -s '$T/updaterd.sock' status | jq -e '.update != null'"
is "$(push r1 -F force=true)" 423 "a second one is refused"
like "$(body '.detail | tostring')" 'updater-master|in flight|default' \
    "and told whose is in flight"
wait $slow
t "and then it is over" wait_for 10 idle

# Idle connections, without and with TLS.
mkfifo "$T/hold1" "$T/hold2"
python3 "$HERE/push.py" --port "$PORT" --certs "$T/certs" --idle 200 \
    <"$T/hold1" >"$T/idle1" &
KILL_AT_EXIT="${KILL_AT_EXIT-} $!"
exec 8>"$T/hold1"
t "200 connections from one address" wait_for 20 grep -q open "$T/idle1"
is "$(push r1 -F force=true)" 200 "a good push goes through"
python3 "$HERE/push.py" --port "$PORT" --certs "$T/certs" --idle 120 --tls \
    --source many <"$T/hold2" >"$T/idle2" &
KILL_AT_EXIT="$KILL_AT_EXIT $!"
exec 9>"$T/hold2"
t "120 with TLS from many addresses" wait_for 30 grep -q open "$T/idle2"
is "$(push r1 -F force=true)" 200 "a good push goes through"
exec 8>&- 9>&-
is "$(api GET /health)" 200 "and it still answers"
finish
