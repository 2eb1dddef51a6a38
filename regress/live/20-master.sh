#!/bin/sh
# Goal: the commands that README.md has under "From nothing", exactly as they
# stand there, install updaterd, enrol this machine and push a release to
# it; then a certificate is renewed and at last revoked.
#
# They write to /etc, /opt, /usr/local, /var and the home directory: all of
# these are covered in the test's own mount name space, and the daemon's
# port is that of the test's own network name space.
. "${0%/*}/../lib.sh"
[ "$UPD_NAMESPACE" = own ] || skip_all "needs a mount name space"
[ -n "$UPD_NETWORK" ] || skip_all "needs a network name space"
case $T in
/var/*|/opt/*|/etc/*|/usr/local/*)
	skip_all "the temporary directory lies in what it covers";;
esac

# What is written below the directory stays in here.
cover() {	# directory
	up=/run/cover$1
	mkdir -p "$up/upper" "$up/work" "$1"
	mount -t overlay overlay \
	    -o "lowerdir=$1,upperdir=$up/upper,workdir=$up/work" "$1" \
	    2>/dev/null && return
	case $1 in
	/etc)	cp -a "$1/." "$up/upper";;
	/var)	mkdir -p "$up/upper/log" "$up/upper/lib" "$up/upper/tmp";;
	esac
	mount --bind "$up/upper" "$1"
}
for d in /etc /opt /usr/local /var; do
	cover $d || skip_all "cannot cover $d"
done
rm -rf /etc/updaterd /etc/updaterd.conf /var/lib/updaterd /opt/agent
HOME=$T/home
export HOME
mkdir "$HOME"
# A copy, so that whatever make thinks is out of date is made there.
mkdir "$T/source"
(cd "$TOP" && tar --exclude=.git -cf - .) | tar -C "$T/source" -xf -
cd "$T/source" || exit 1
# The machine's own service manager, if there is one, has no business here.
unset MAKEFLAGS MFLAGS NOTIFY_SOCKET
PATH=/usr/local/sbin:$PATH

awk '/^## /{ on = 0 } /^## From nothing/ { on = 1 }
    on && /^```/ { code = !code; next } on && code' README.md > "$T/commands"
n=$(wc -l < "$T/commands")
t "README has commands" test "$n" -gt 5
t "fewer than ten" test "$n" -lt 10

master() {
	/usr/local/sbin/updatermaster "$@"
}
running() {
	[ "$(updaterctl -j status 2>/dev/null |
	    jq -r '.agents[0].services[0].state')" = up ]
}
while IFS= read -r line <&3; do
	case $line in
	updaterd)
		is "$(stat -c %a /etc/updaterd.conf /etc/updaterd/updater.key |
		    tr '\n' ' ')" "600 600 " "the bundle's modes"
		t "the configuration is valid" updaterd -n;;
	esac
	t "typed: $(printf '%s\n' "$line" | tr -d '\\' | cut -c 1-60)" \
	    sh -c "$line"
	if [ "$line" = updaterd ]; then
		wait_for 10 updaterctl status
		UPID=$(updaterctl -j status | jq -r '.processes[] |
		    select(.name == "parent") | .pid')
		[ "$(readlink "/proc/$UPID/ns/mnt")" = \
		    "$(readlink /proc/self/ns/mnt)" ] || {
			echo "Bail out! not our updaterd"
			UPID=
			exit 1
		}
	fi
done 3< "$T/commands"
t "the service runs" wait_for 10 running
t "it is what was pushed" cmp hello/bin/agent /opt/agent/current/bin/agent
t "and it works" wait_for 10 test -s /var/log/agent.log
like "$(master hosts)" '^here +127\.0\.0\.1:8766 .* updated ' \
    "hosts lists it, and what came of the push"
is "$(stat -c %a "$HOME/.updater" "$HOME/.updater/ca.key" | tr '\n' ' ')" \
    "700 600 " "the authority's modes"
t "again: unchanged" sh -c \
    "updatermaster push --all --root hello | grep -i unchanged"

# What must not leave does not, all the way.
echo "TOKEN=x" > hello/.env
cp "$HOME/.updater/ca.key" hello/harmless.txt
echo new > hello/VERSION
t "a tree with secrets" master push --host here --root hello -v
like "$(cat "$T/t.out")" '^left out: [^ ]+ \(.+\)$' "-v says what is left out"
t "what is new arrives" test -f /opt/agent/current/VERSION
t "a file of passwords does not" test ! -e /opt/agent/current/.env
t "nor does a key" test ! -e /opt/agent/current/harmless.txt
rm hello/.env hello/harmless.txt

# Commands and their refusals.
master enroll here 127.0.0.2 > "$T/out" 2>&1
is $? 1 "a host is not enrolled twice"
like "$(cat "$T/out")" "updatermaster renew here" "and renew is named"
master init > "$T/out" 2>&1
is $? 1 "init again"
like "$(cat "$T/out")" "nothing was changed" "changes nothing"
master enroll "../x" 127.0.0.1 > "$T/out" 2>&1
is $? 2 "a name that is none"
master frobnicate > "$T/out" 2>&1
is $? 2 "an unknown command"

# A new certificate: refused until the host has it.
t "renew" sh -c "updatermaster renew here --revoke-old > '$T/renew'"
echo newer > hello/VERSION
master push --all --root hello > "$T/out" 2>&1
is $? 1 "the host still shows the old one: nothing is sent"
is "$(cat /opt/agent/current/VERSION)" new "it runs what it ran"
echo "# edited" >> /etc/updaterd.conf
t "unpack it" tar -xzpf "$HOME/.updater/hosts/here/here.tgz" -C /
t "the configuration that was edited is still there" \
    grep -q "# edited" /etc/updaterd.conf
t "reload" updaterctl reload
t "push" wait_for 10 master push --all --root hello
is "$(cat /opt/agent/current/VERSION)" newer "it arrives"

t "revoke" master revoke here
master push --host here --root hello > "$T/out" 2>&1
is $? 1 "nothing is pushed to it any more"
like "$(cat "$T/out")" revoked "and why"
like "$(master hosts)" REVOKED "hosts says so"
finish
