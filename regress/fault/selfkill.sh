#!/bin/sh
# Goal: whatever process of updaterd is killed at whatever system call of a
# self-update, of its automatic return, or of the start after a host that
# went down in the middle: the old or the new one runs in the end, complete
# and asked for nothing, services were not touched, nothing is left behind,
# the history is true, and what is installed was never written to.
# usage: selfkill.sh [points [phase]]	0 points: all of them
#	FAULT_LANES=3 tries three at a time
. "${0%/*}/lanes"
lanes "$0" "$@"
. "${0%/*}/lab"
lab_self
python3 "$HERE/fault/selfkill.py" "${1:-${FAULT_POINTS:-0}}" \
    ${2+"$2"}
