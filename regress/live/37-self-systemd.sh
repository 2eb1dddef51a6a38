#!/bin/sh
# Goal: self-update under a real systemd: the main process stays the same and
# the unit active; a broken updater, whether it ends or hangs, is followed by
# a start of the base, which goes back to the one before; services run on.
. "${0%/*}/../lib.sh"
. "$HERE/self.sh"
. "$HERE/systemd.sh"

[ -x "$OTHER" ] || skip_all "make regress/self/updaterd first"
SELF_WITHIN=4s
setup_self
sed -i 's|^state .*|state "/var/lib/updaterd"|' "$T/conf"
sd_units
sd_boot
V2=$("$OTHER" -V | cut -d' ' -f2)
show() {	# property
	sd show -p "$1" --value updaterd
}

mk_release r1
mk_self b "$OTHER"
t "start" sd start updaterd
is "$(push r1)" 200 "a service"
main=$(show MainPID) pid=$(service pid)
is "$(push_self b)" 200 "a new updaterd"
t "it runs" wait_for 10 version_is "$V2"
is "$(show MainPID) $(show ActiveState) $(show NRestarts) $(service pid)" \
    "$main active 0 $pid" "in the same process, and the unit is active"
t "reload" sd reload updaterd

for kind in segfault hang; do
	mk_broken $kind
	n=$(show NRestarts)
	is "$(push_self $kind)" 200 "$kind"
	t "is back" wait_for 20 back_to b
	is "$(show NRestarts) $(service pid)" "$((n + 1)) $pid" \
	    "by a restart; the service did not notice"
	t "no watch is left" wait_for 10 no_watchers
done
t "restart" sd restart updaterd
t "what is current runs" wait_for 10 runs b
is "$(show ActiveState)" active "and the manager was told"
is "$(digest "$T/bin/updaterd")" "$base" "what is installed was not touched"
t "stop" sd stop updaterd
is "$(show ActiveState)" inactive "has stopped"
finish
