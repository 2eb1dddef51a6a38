#!/bin/sh
# Goal: whatever process of updaterd is killed at whatever system call while
# profiles come and go, slots of s6 are made, changed and taken out, services
# start, stop or are adopted: the next start finds whole slots and no others,
# each service runs once if it is wanted, and nothing is left behind.
# usage: slots.sh [points [phase]]	0 points: all of them
#	FAULT_LANES=3 tries three at a time; FAULT_EVERY=1 with every call,
#	not only those that change something
. "${0%/*}/lanes"
lanes "$0" "$@"
. "${0%/*}/lab"
. "${0%/*}/slotconf"
python3 "$HERE/fault/slots.py" "${1:-${FAULT_POINTS:-0}}" \
    ${2+"$2"}
