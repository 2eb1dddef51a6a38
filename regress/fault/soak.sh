#!/bin/sh
# Goal: update after update, good ones, broken ones, refused ones, ones that
# are cut off and rollbacks, nothing grows: memory, descriptors, processes,
# disk.  60 of them; 1,000 with FULL=1; `make soak N=10000`.
. "${0%/*}/../lib.sh"
N=${SOAK_N:-${FULL:+1000}}
N=${N:-60}
C_KEEP=2 C_STOP=2s
setup
mk_release r1
mk_release r2
mk_release bad exit-at-once
head -c 20000 "$T/r1.tgz" > "$T/torn.tgz"
digest "$T/torn.tgz" > "$T/torn.sha256"
python3 "$HERE/fault/soak.py" --port "$PORT" --certs "$T/certs" \
    --root "$C_ROOT" --parent "$UPID" --program "$UPDATERD" --dir "$T" \
    --state "$T/state" -n "$N" > "$T/soak" 2>"$T/soak.err" ||
    diag "$(tail -n 10 "$T/soak.err")"
grep '^#' "$T/soak"
field() {
	sed -n "s/^$1=//p" "$T/soak"
}
is "$(field done)" "$N" "$N updates"
is "$(field odd)" "" "each was answered as it must be"
# The first ones fill caches, arenas and the history.
case $(nm -D "$UPDATERD" 2>/dev/null) in
*__asan*)	skip "memory under the address sanitizer";;
*)		t "memory: $(field memory)" test "$(field grown)" -lt 1024;;
esac
is "$(field fds)" "$(field fds0)" "descriptors: $(field fds0) before and after"
is "$(field processes)" "$(field processes0)" \
    "processes: $(field processes0) before and after"
is "$(field files)" "$(field files0)" "files: $(field files0) before and after"
t "disk: $(field bytes0) and $(field bytes) bytes, history apart" \
    test "$(field bytes)" -le "$(($(field bytes0) + 4096))"
t "history: $(field history) bytes" test "$(field history)" -le 2200000
t "the daemon never died" alive "$UPID"
like "$(status '[.processes[].restarts] | add')" '^(0|null)$' \
    "nor one of its children"
finish
