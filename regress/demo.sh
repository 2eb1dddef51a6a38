#!/bin/sh
# `make demo`: see updaterd work, from an empty host to a rollback, in
# seconds.  Everything it makes is in one temporary directory and goes
# away at the end, with the users if they were not there before.
if [ "$(id -u)" != 0 ]; then
	echo "demo: must be run as root: sudo make demo" >&2
	exit 1
fi
LIBDIR=${0%/*}
. "${0%/*}/lib.sh"
REMOVE_USERS=yes

step() {
	printf '\n\033[1m* %s\033[0m\n' "$*"
}
[ -t 1 ] && [ -z "${NO_COLOR-}" ] || step() {
	printf '\n* %s\n' "$*"
}
say() {
	printf '  %s\n' "$*"
}
die() {
	echo "demo: $*" >&2
	[ ! -s "$T/log" ] || tail -n 20 "$T/log" >&2
	exit 1
}
expect() {	# got wanted what
	[ "$1" = "$2" ] || die "$3: expected $2, got $1: $(cat "$T/body")"
}
START=$(now_ms)

step "making a throw-away CA and certificates (openssl, EC P-256)"
make_users
make_certs few
say "ca, updater (this host), master (who pushes), worker (the agent)"

step "starting updaterd"
write_conf
start_updaterd
for p in parent net probe; do
	pid=$(process $p)
	say "$p: pid $pid, user $(stat -c %U "/proc/$pid" 2>/dev/null)"
done

push_good() {
	mk_release "$1"
	t0=$(now_ms)
	expect "$(push "$1")" 200 "$1"
	say "HTTP 200 after $(($(now_ms) - t0)) ms:" \
	    "$(body '.status + ", release " + .release.sha')"
	say "the agent itself says: version $(serving)"
}
step "pushing release 1 (curl -F tarball=@... -F sha=... -F sha256=...)"
push_good release-1
step "pushing release 2"
push_good release-2

step "pushing release 3, which exits as soon as it is started"
mk_release release-3 exit-at-once
t0=$(now_ms)
expect "$(push release-3)" 409 release-3
say "HTTP 409 after $(($(now_ms) - t0)) ms, rolled back:" \
    "$(body .detail.rolled_back)"
say "the reason: $(body .detail.error)"
say "its last words:"
body .detail.stderr | sed '/^$/d; s/^/    | /'
expect "$(serving)" release-2 "after the rollback"
say "still serving: $(serving)"

step "going back by hand: updaterctl rollback"
ctl rollback >"$T/out" 2>&1 || die "rollback: $(cat "$T/out")"
sed 's/^/  /' "$T/out"
expect "$(serving)" release-1 "after updaterctl rollback"
say "serving: $(serving)"

step "updaterctl status"
ctl status | sed 's/^/  /'

step "cleaning up"
stop_updaterd
say "that took $((($(now_ms) - START + 99) / 1000)) s in all"
