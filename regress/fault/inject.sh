#!/bin/sh
# Goal: whatever system call or allocation fails once, in whatever process, the
# caller is told, the service goes on, and the next push goes in.
# usage: inject.sh [points [part]]	0 points: all of them
#	FAULT_LANES=3 tries three at a time
. "${0%/*}/lanes"
lanes "$0" "$@"
. "${0%/*}/lab"
lab_confs
UPDATERD_NOMEM=$HERE/fault/nomem
export UPDATERD_NOMEM
python3 "$HERE/fault/inject.py" "${1:-${FAULT_POINTS:-0}}" \
    ${2+"$2"}
