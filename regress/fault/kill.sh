#!/bin/sh
# Goal: whatever process is killed at whatever system call of an update, of
# a rollback or of the recovery after such a kill: the next start finds a
# complete release, serves it once, leaves nothing behind and tells no lie.
# usage: kill.sh [points [phase]]	0 points: all of them
#	FAULT_LANES=3 tries three at a time
#
# Its own process name space shows every orphan, and none survives it.
. "${0%/*}/lanes"
lanes "$0" "$@"
if [ -z "${FAULT_NAMESPACE-}" ] && [ "$(id -u)" = 0 ] &&
    unshare --mount --pid --fork true 2>/dev/null; then
	FAULT_NAMESPACE=own UPD_NAMESPACE=own exec unshare --mount \
	    --propagation private --pid --fork --kill-child --mount-proc \
	    sh "$0" "$@"
fi
. "${0%/*}/../lib.sh"
[ -n "${FAULT_NAMESPACE-}" ] || skip_all "needs process name spaces"
make_users
make_certs
C_KEEP=2 C_STOP=2s
PORT=$(free_port) APORT=$(free_port)
C_AGENT='install { "sh" "install.sh" } user "_updagent" timeout 20s'
write_conf
mv "$T/conf" "$T/conf.install"
C_AGENT='probation 1s'
C_SERVICE='restart backoff 100ms max 300ms'
write_conf
mv "$T/conf" "$T/conf.trial"
C_AGENT='probation 10s'
write_conf
mv "$T/conf" "$T/conf.fall"
C_AGENT= C_SERVICE=
write_conf
mkdir -p "$T/empty"
mk_release r1
mk_release r2
mk_release bad exit-at-once
mk_release crash crash-after=150
export T PORT APORT UPDATERD UPDATERCTL
python3 "$HERE/fault/kill.py" "${1:-${FAULT_POINTS:-0}}" \
    ${2+"$2"}
