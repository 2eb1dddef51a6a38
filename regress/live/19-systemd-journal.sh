#!/bin/sh
# Goal: what a unit of systemd has written to the journal is in the answer to
# a push that failed, as the output of other services is: of the release that
# failed and of nothing else, with a limit, whatever bytes it is; and where
# the journal cannot be read the answer says so, and comes all the same.
#
# The real systemd with the real systemd-journald.
. "${0%/*}/../lib.sh"
. "$HERE/systemd.sh"

JOURNALD=/lib/systemd/systemd-journald
[ -x $JOURNALD ] && command -v journalctl >/dev/null ||
    skip_all "no systemd-journald here"
PORT=$(free_port) APORT=$(free_port) C_ROOT=$T/agent

make_users
make_certs
sd_conf <<C
	service "agent" {
		supervise systemd "agent.service"
		$(https_health)
		stop within 3s
		restart backoff 100ms
	}
C
sd_units
sd_unit Restart=no > "$T/units/agent.service"
cat > "$T/units/systemd-journald.socket" <<U
[Unit]
DefaultDependencies=no
[Socket]
ListenDatagram=/run/systemd/journal/socket
ListenStream=/run/systemd/journal/stdout
PassCredentials=yes
Timestamping=us
U
cat > "$T/units/systemd-journald.service" <<U
[Unit]
DefaultDependencies=no
Requires=systemd-journald.socket
[Service]
ExecStart=$JOURNALD
Type=notify
FileDescriptorStoreMax=64
StandardOutput=null
U
printf '[Unit]\nDefaultDependencies=no\nWants=%s\n' \
    systemd-journald.service > "$T/units/basic.target"
sd_boot
inside mkdir -p /run/systemd/journald.conf.d
t "the journal is there" wait_for 10 sd is-active systemd-journald
journal() {	# text: it is there
	inside journalctl -q -o cat | grep -qF "$1"
}

for r in r1 r2; do
	mk_release $r
done
mk_release bad exit-at-once=3
mk_release noisy chatter=5000 exit-at-once=4
wrap() {	# release text: what its program says first
	mv "$T/src/$1/bin/agent" "$T/src/$1/bin/agent.real"
	printf '#!/bin/sh\n%s\nexec "${0%%/*}/agent.real" "$@"\n' "$2" \
	    > "$T/src/$1/bin/agent"
	chmod 0755 "$T/src/$1/bin/agent"
	tar -C "$T/src/$1" --owner=0 --group=0 --sort=name -cf - . |
	    gzip -1n > "$T/$1.tgz"
	digest "$T/$1.tgz" > "$T/$1.sha256"
}
wrap r1 'echo "words of r1"'
wrap bad 'echo "cannot find libfoo.so.7"; printf "\\033[31m\\377\\000raw\\n"'
wrap noisy "i=0; while [ \$i -lt 3000 ]; do
	echo \"line \$i of many, which says nothing but that it is long\"
	i=\$((i + 1)); done"

t "updaterd starts" sd start updaterd
is "$(push r1)" 200 "a push"
t "its output is in the journal" wait_for 10 journal "words of r1"

is "$(push bad)" 409 "one that ends at once is rolled back"
note "ms of it: $(body '.detail.timings | tojson')"
like "$(body .detail.stderr)" 'agent \(journal of agent.service\)' \
    "the answer has its journal"
like "$(body .detail.stderr)" 'cannot find libfoo.so.7' "with its words"
like "$(body .detail.stderr)" 'raw$' "and raw bytes are no trouble"
is "$(jq -r .detail.rolled_back "$T/body")" true "it is JSON"
unlike "$(body .detail.stderr)" 'words of r1' "nothing of the release before"
is "$(serving)" r1 "which serves again"

# --- journald is behind -------------------------------------------------------
#
# What had ended when journald came to read it stands in its journal without
# a run, or in the next one's.

lost() {
	grep -q 'lose agent: exited 3' "$T/log"
}
back() {
	lost && [ "$(serving)" = r1 ]
}
J=$(show MainPID systemd-journald)
for when in lost back; do
	: > "$T/log"
	inside kill -STOP "$J"
	push bad > "$T/code" &
	P=$!
	t "journald sleeps until it is $when" wait_for 10 $when
	inside kill -CONT "$J"
	wait "$P"
	is "$(cat "$T/code")" 409 "the bad one is rolled back"
	like "$(body .detail.stderr)" 'cannot find libfoo.so.7' "its words"
	like "$(body .detail.stderr)" 'error: configuration key' "to the last"
	unlike "$(body .detail.stderr)" 'words of r1' \
	    "nothing of the release before"
done

is "$(push noisy)" 409 "one that says very much"
like "$(body .detail.stderr)" 'chatter 0000004999' "its end is there"
unlike "$(body .detail.stderr)" 'line 100 of many' "not all of it"
unlike "$(body .detail.stderr)" 'libfoo' "nothing of another failure"
is "$(push r2)" 200 "a good one goes in"

# --- the journal cannot be read -----------------------------------------------

fake() {	# lines: another journalctl
	inside mkdir -p /usr/local/sbin
	printf '#!/bin/sh\n%s\n' "$1" |
	    inside tee /usr/local/sbin/journalctl >/dev/null
	inside chmod 0755 /usr/local/sbin/journalctl
}
fake 'echo "Failed to open journal: no such device"; exit 1'
is "$(push bad)" 409 "a bad one, and journalctl fails"
like "$(body .detail.stderr)" \
    'journal of agent.service cannot be read: journalctl exited 1: Failed to' \
    "the answer says so"
fake 'sleep 1000'
is "$(push bad)" 409 "and does not end"
like "$(body .detail.stderr)" 'cannot be read: journalctl timed out' \
    "the answer says so"
is "$(serving)" r2 "the old release serves"
fake 'head -c 300000 /dev/zero | tr "\0" "\377"'
is "$(push bad)" 409 "and it prints bytes without end"
is "$(body '.detail.rolled_back')" true "the answer is JSON"
is "$(body '.detail.stderr | length < 70000')" true "and bounded"
inside rm /usr/local/sbin/journalctl
sd stop updaterd
for d in /usr/local/bin /usr/bin; do
	! inside test -e $d/journalctl || inside rm $d/journalctl
done
t "start updaterd where there is no journalctl" sd start updaterd
t "it runs" wait_for 10 healthy
is "$(push bad)" 409 "a bad one"
like "$(body .detail.stderr)" 'cannot be read: .*journalctl' \
    "the answer says so"
finish
