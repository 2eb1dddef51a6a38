#!/bin/sh
# Goal: any client will do: fields in any order, any framing, any split, PUT,
# Expect, ndjson, a half-closed connection.
. "${0%/*}/../lib.sh"
setup
mk_release r1

py() {
	python3 "$HERE/push.py" --port "$PORT" --certs "$T/certs" \
	    --file "$T/r1.tgz" --sha r1 "$@" >"$T/py" 2>&1
	head -n 1 "$T/py"
}
last() {
	sed 1d "$T/py" | tail -n 1 | jq -r "$1"
}

is "$(py --order tarball,sha,sha256)" 200 "the tarball first"
is "$(last .status)" updated "is installed"
force="--field force=true"
is "$(py $force --order sha256,tarball,sha)" 200 "digest, tarball, sha"
is "$(py $force --chunked 1000)" 200 "chunked"
is "$(py $force --chunked 7 --split 4096)" 200 "in very small chunks"
is "$(py $force --chunked 70000)" 200 "in large chunks"
is "$(py $force --split 1)" 200 "a byte at a time"
is "$(py $force --half-close)" 200 "our side closed behind the request"
is "$(py $force --put)" 200 "PUT with the options in the query"
is "$(py --put --order x)" 200 "PUT unchanged"
is "$(last .unchanged)" true "is answered unchanged"
is "$(py $force --ndjson --split 2000 --pause 0.05)" 200 "ndjson"
like "$(cat "$T/py")" '"event": ?"receiving"' "tells the progress"
is "$(last '"\(.event) \(.status) \(.body.status)"')" "done 200 updated" \
    "and ends with the verdict"
is "$(push r1 -F force=true -H 'Expect: 100-continue')" 200 \
    "Expect: 100-continue"
is "$(push r1 -H 'Expect: something')" 417 "an unknown expectation"
is "$(request -T "$T/r1.tgz" "https://127.0.0.1:$PORT/update?sha=r1&sha256=$(
    cat "$T/r1.sha256")&force=true")" 200 "curl -T"
is "$(request -H 'Content-Type: application/gzip' --data-binary \
    "@$T/r1.tgz" "https://127.0.0.1:$PORT/update?sha=r1&force=1&sha256=$(
    cat "$T/r1.sha256")")" 200 "POST with the archive as the body"
gzip -dc "$T/r1.tgz" > "$T/plain.tar"
is "$(request -T "$T/plain.tar" "https://127.0.0.1:$PORT/update?sha256=$(
    digest "$T/plain.tar")")" 200 "plain tar, without a sha"
is "$(body .release.sha)" null "whose sha is null"
zstd -q "$T/plain.tar" -o "$T/r.zst"
is "$(request -T "$T/r.zst" "https://127.0.0.1:$PORT/update?sha256=$(
    digest "$T/r.zst")")" 200 "zstd"
is "$(serving)" r1 "it still serves"
finish
