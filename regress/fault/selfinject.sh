#!/bin/sh
# Goal: whatever system call of the parent fails once while updaterd updates
# itself: there is a clear answer, the old one goes on or the new one runs,
# never none, with nobody's help; and the next update goes in.
# usage: selfinject.sh [points [part]]	0 points: all of them
#	FAULT_LANES=3 tries three at a time
. "${0%/*}/lanes"
lanes "$0" "$@"
. "${0%/*}/lab"
lab_self
python3 "$HERE/fault/selfinject.py" "${1:-${FAULT_POINTS:-0}}" \
    ${2+"$2"}
