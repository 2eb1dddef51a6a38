#!/bin/sh
# Confinement, from inside: whoever has taken over net, probe, inflate or
# unpack gets nowhere, and each layer holds on its own as updaterd(8) says.
# The real processes, started with -T from a test build, try each attack of
# attack.h with all layers, with each alone, and with each left out.
# FULL=1 tries every combination; else every ninth attack's.
. "${0%/*}/../lib.sh"
FAULT=$HERE/fault
make_users

mkdir -p "$T/target"
chmod 1777 "$T/target"
chmod 0777 "$T/target"
cp "$FAULT/suid" "$T/target/suid"
chmod 4755 "$T/target/suid"
[ -n "${FULL-}" ] && step=1 || step=9
"$FAULT/confine" -s $step "$FAULT/updaterd" "$T/target"
rc=$?
trap - EXIT
cleanup
exit $rc
