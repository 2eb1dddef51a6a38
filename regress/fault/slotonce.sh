#!/bin/sh
# Goal: whatever system call fails once, updaterd -R comes to its end, for the
# boot of a container waits for it, and the next one leaves whole slots.
# usage: slotonce.sh [points [phase]]	0 points: all of them
#	FAULT_LANES=3 tries three at a time
. "${0%/*}/lanes"
lanes "$0" "$@"
. "${0%/*}/lab"
. "${0%/*}/slotconf"
python3 "$HERE/fault/slotonce.py" "${1:-${FAULT_POINTS:-0}}" \
    ${2+"$2"}
