#!/bin/sh
# Goal: push --include-self updates updaterd itself, behind the agent's part
# and only where that went well; a host is done when its new updaterd has
# proved itself, and rolled back when the old one had to come back.
. "${0%/*}/../lib.sh"
. "$HERE/fleet.sh"
. "$HERE/self.sh"
[ "$UPD_NAMESPACE" = own ] || skip_all "no mount name space here"
[ -x "$OTHER" ] || skip_all "make regress/self/updaterd first"
HOST_SELF=20s
V1=$("$UPDATERD" -V | cut -d' ' -f2)
V2=$("$OTHER" -V | cut -d' ' -f2)
fleet 2
mk_fleet_release r1
mkdir -p "$T/other/sbin" "$T/broken/sbin"
cp "$OTHER" "$T/other/sbin/updaterd"
cat > "$T/broken/sbin/updaterd" <<B
#!/bin/sh
case " \$* " in
" -V "*|" -n "*)	exec "$UPDATERD" "\$@";;
esac
UPDATERD_TEST_NET=/bin/false exec "$FAULTY" "\$@"
B
chmod 0755 "$T/broken/sbin/updaterd"

rollout() {	# options
	um push --tarball "$T/r1.tgz" --sha r1 --json "$@" >"$T/out" 2>&1
	echo $?
}
hosts() {	# field
	jq -r "[.hosts[].$1] | join(\" \")" "$T/out"
}
versions() {
	for n in $FLEET; do
		"$UPDATERCTL" -s "$T/h/$n/updaterd.sock" -j status |
		    jq -r .version
	done | tr '\n' ' '
}

is "$(rollout --all --self-root "$T/other")" 0 "all hosts, and updaterd"
is "$(hosts agent)" "updated updated" "the agents"
is "$(hosts self)" "updated updated" "updaterd itself"
is "$(versions)" "$V2 $V2 " "that version runs"
printf 1 >> "$T/other/note"
is "$(rollout --all --self-root "$T/other" --confirm 60)" 0 \
    "another release of it, to be confirmed"
is "$(hosts self)" "updated updated" "is confirmed"
is "$(for n in $FLEET; do
	"$UPDATERCTL" -s "$T/h/$n/updaterd.sock" -j history self |
	    jq -r .history[0].result
	"$UPDATERCTL" -s "$T/h/$n/updaterd.sock" -j status |
	    jq -r .self.confirm
    done | tr '\n' ' ')" "confirmed null confirmed null " "by the master"
is "$(rollout --all --self-root "$T/other")" 0 "once more"
is "$(hosts self)" "unchanged unchanged" "nothing to do"
is "$(rollout --host h001 --self-tarball "$T/nosuch.tgz")" 1 "no such file"

is "$(rollout --host h001 --force --include-self)" 1 "no updater in it"
is "$(hosts self)" failed "is refused"
if [ -x "$FAULTY" ]; then
	is "$(rollout --host h001 --self-root "$T/broken")" 1 "a broken one"
	is "$(hosts self)" rolled_back "has rolled back"
	like "$(hosts detail)" "self: .*[a-z]" "says why"
	is "$(versions)" "$V2 $V2 " "the one before runs"
fi
: > "$T/h/h002/broken"

mk_fleet_release r2
is "$(um push --all --tarball "$T/r2.tgz" --sha r2 --json \
    --self-tarball "$T/r2.tgz" >"$T/out" 2>&1; echo $?)" 1 "a broken agent"
like "$(hosts self)" '^failed *$|^failed -$|^failed none$' \
    "updaterd's part does not begin there"
finish
