#!/bin/sh
# Goal: whatever system call fails once in a pass over profiles or in making
# a slot of s6: the log says what and of which slot or service, all others
# stay as they are, and the next pass puts it right.
# usage: slotfail.sh [points [phase]]	0 points: all of them
#	FAULT_LANES=3 tries three at a time
. "${0%/*}/lanes"
lanes "$0" "$@"
. "${0%/*}/lab"
. "${0%/*}/slotconf"
python3 "$HERE/fault/slotfail.py" "${1:-${FAULT_POINTS:-0}}" \
    ${2+"$2"}
