#!/bin/sh
# Goal: with `shutdown keep` and a configuration that changed meanwhile, a
# process is taken over as what it was started as, or is ended: services that
# exchange their programs, a name that goes from a profile to a service of
# that name and back, a service that goes to another agent.  None runs twice.
. "${0%/*}/../lib.sh"

PORT=$(free_port) APORT=$(free_port) C_ROOT=$T/agent

svc() {		# name word
	cat <<C
	service "$1" {
		user "_updagent"
		command { "bin/stay" "$2" }
		health none
		stop TERM within 2s
	}
C
}
gw() {
	cat <<C
	service "gw" {
		user "_updagent"
		home "$T/home"
		profiles "$T/home/profiles" marker "SOUL.md"
		command { "bin/stay" "gw-%p" }
		stop TERM within 2s
	}
C
}
conf() {	# services of default, of other
	cat > "$T/conf.new" <<C
user "_updaterd"
unpack user "_updunpack"
chroot "$T/empty"
control "$T/updaterd.sock"
state "$T/state"
shutdown keep
listen on 127.0.0.1 port $PORT
tls {
	ca "$T/certs/ca.crt"
	certificate "$T/certs/updater.crt"
	key "$T/certs/updater.key"
}
permit self from subject "updater-master"
agent "default" {
	root "$T/agent"
	$1
}
agent "other" {
	root "$T/other"
	${2-}
}
C
	chmod 0600 "$T/conf.new"
	mv "$T/conf.new" "$T/conf"
}
up() {		# name
	[ "$(service state "$1")" = up ]
}
words() {	# of all that run, and of which agent
	for p in $(pgrep -f "bin/stay "); do
		case $(readlink "/proc/$p/cwd") in
		"$T"/agent/*)	a=agent;;
		"$T"/other/*)	a=other;;
		*)		continue;;
		esac
		echo "$a:$(tr '\0' '\n' <"/proc/$p/cmdline" | tail -n 1)"
	done | sort | tr '\n' ' '
}
says() {	# words
	[ "$(words)" = "$1" ]
}
again() {	# the daemon goes and comes; its services stay
	stop_updaterd
	conf "$@"
	start_updaterd
}

make_users
make_certs
mkdir -p "$T/home/profiles/x"
: > "$T/home/profiles/x/SOUL.md"
echo '{"gw_state":"running","desired_state":"running"}' \
    > "$T/home/profiles/x/gw_state.json"
chown -R _updagent "$T/home"
mk_release r1
cat > "$T/src/r1/bin/stay" <<'S'
#!/bin/sh
exec 3>&-
while :; do sleep 1000 & wait; done
S
chmod 0755 "$T/src/r1/bin/stay"
tar -C "$T/src/r1" --owner=0 --group=0 --sort=name -cf - . |
    gzip -1n > "$T/r1.tgz"

conf "$(svc one one)
$(svc two two)
$(gw)"
start_updaterd
t "a release" ctl update default "$T/r1.tgz"
t "and for the other agent" ctl update other "$T/r1.tgz"
t "the profile runs" wait_for 10 up gw-x
t "all run" wait_for 10 says "agent:gw-x agent:one agent:two "

# --- programs are exchanged ---------------------------------------------------

one=$(service pid one) two=$(service pid two)
again "$(svc one two)
$(svc two one)
$(gw)"
t "one is taken over" wait_for 10 up one
t "two is taken over" wait_for 10 up two
is "$(service pid one) $(service pid two)" "$one $two" \
    "each as what it was started as"
is "$(service restart_pending one) $(service restart_pending two)" \
    "true true" "which is not what is configured now"
t "restart one" ctl restart one
t "it is what is configured" wait_for 10 \
    says "agent:gw-x agent:two agent:two "
t "restart two" ctl restart two
t "so is two" wait_for 10 says "agent:gw-x agent:one agent:two "
is "$(service deaths one) $(service deaths two)" "0 0" "no death was made of it"

# --- a name goes to another service ----------------------------------------------

again "$(svc gw-x plain)
$(svc two one)"
t "of a profile, to a service" wait_for 10 says "agent:one agent:plain "
t "which is up" wait_for 10 up gw-x
again "$(gw)"
t "and back" wait_for 10 says "agent:gw-x "
t "which is up" wait_for 10 up gw-x

# --- another agent -------------------------------------------------------------

again "$(svc one one)"
t "one runs" wait_for 10 says "agent:one "
again "" "$(svc one one)"
t "it goes to another agent" wait_for 10 says "other:one "
t "where it is up" wait_for 10 up one
conf "$(svc one one)"
t "and back at a reload" ctl reload
t "runs the other release" wait_for 10 says "agent:one "
t "and is up" wait_for 10 up one
ctl stop one >/dev/null
finish
