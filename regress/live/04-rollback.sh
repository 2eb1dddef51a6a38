#!/bin/sh
# Goal: back to the previous release, by HTTP and by the operator; to a named
# one; and never to one that is not what it was.
. "${0%/*}/../lib.sh"
C_KEEP=4
APORT=$(free_port)
# Release r1 cannot be started while there is a file "no".
mkdir "$T/wrap"
chmod 0755 "$T" "$T/wrap"
cat >"$T/wrap/run" <<'E'
[ -e "${0%/*}/no" ] && [ "$(cat VERSION)" = r1 ] && exit 1
exec bin/agent "$@"
E
C_COMMAND="\"sh\" \"$T/wrap/run\" \"--port\" \"$APORT\"
    \"--cert\" \"$T/certs/worker.crt\" \"--key\" \"$T/certs/worker.key\"
    \"--ca\" \"$T/certs/ca.crt\""
setup
for r in r1 r2 r3; do
	mk_release $r
done
is "$(api POST /rollback)" 404 "no release at all: 404"
is "$(push r1)" 200 "first release"
is "$(api POST /rollback)" 404 "no previous release: 404"
id1=$(current)
is "$(push r2)" 200 "second release"
id2=$(current)
is "$(api POST /rollback)" 200 "rollback by HTTP"
is "$(body .status)" rolled_back "says so"
is "$(body .release.sha)" r1 "and to what"
is "$(body '.probe | fromjson | .version')" r1 "and that it is healthy"
is "$(serving)" r1 "the first one serves"
is "$(current)" "$id1" "and is current"
t "rollback by updaterctl" ctl rollback
is "$(serving)" r2 "goes forth again"
: >"$T/wrap/no"
is "$(api POST "/rollback?to=$id1") $(body .detail.rolled_back)" "500 true" \
    "to one that does not start"
is "$(serving)" r2 "the one before serves again"
is "$(ctl -j history | jq -r '.history[0] | .event + " " + .result')" \
    "rollback undone" "in the history it was undone"
rm "$T/wrap/no"
is "$(push r3)" 200 "third release"
is "$(api POST "/rollback?to=$id1")" 200 "to a named one"
is "$(serving)" r1 "which serves"
is "$(api POST "/rollback?to=nosuch")" 404 "to one that is not there"
is "$(api POST "/rollback?to=..%2f..%2fetc")" 400 "to a path"
t "updaterctl with an id" ctl rollback default "$id2"
is "$(serving)" r2 "which serves"
pid=$(service pid)
echo "one more byte" >> "$C_ROOT/releases/$id1/share/notes"
is "$(api POST "/rollback?to=$id1")" 500 "to one with a changed file: 500"
like "$(body '.detail | tostring')" 'share/notes' "the file is named"
is "$(serving) $(service pid)" "r2 $pid" "the running one was not touched"
t "updaterctl refuses, too" sh -c \
    "! '$UPDATERCTL' -s '$T/updaterd.sock' rollback default $id1"
rm -rf "${C_ROOT:?}/releases/$id1/share"
is "$(api POST "/rollback?to=$id1")" 500 "with a missing one: 500"
t "at rest" wait_for 10 clean_staging
finish
