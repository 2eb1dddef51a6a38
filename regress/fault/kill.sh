#!/bin/sh
# Goal: whatever process is killed at whatever system call of an update, of
# a rollback or of the recovery after such a kill: the next start finds a
# complete release, serves it once, leaves nothing behind and tells no lie.
# usage: kill.sh [points [phase]]	0 points: all of them
#	FAULT_LANES=3 tries three at a time
. "${0%/*}/lanes"
lanes "$0" "$@"
. "${0%/*}/lab"
lab_confs
python3 "$HERE/fault/kill.py" "${1:-${FAULT_POINTS:-0}}" \
    ${2+"$2"}
