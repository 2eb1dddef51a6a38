#!/bin/sh
# Goal: a unit that is in the care of updaterd no longer is stopped, its file
# is taken out, and nothing forgets it before that is done: not a SIGKILL in
# between, not a configuration that changed while updaterd was away.
. "${0%/*}/../lib.sh"
. "$HERE/systemd.sh"

PORT=$(free_port) APORT=$(free_port) C_ROOT=$T/agent
RUN=/run/updaterd
UNITS=/run/systemd/system

svc() {		# name unit [more]
	cat <<C
	service "$1" {
		optional
		supervise systemd "$2" ${3-}
	}
C
}
native() {	# name
	cat <<C
	service "$1" {
		optional
		user "_updagent"
		command { "bin/stay" "$1" }
	}
C
}
conf() {	# services
	printf '%s\n' "$1" | sd_conf
}
main() {	# unit
	show MainPID "$1"
}
is_active() {	# unit
	[ "$(show ActiveState "$1")" = active ]
}
is_down() {	# unit
	[ "$(show ActiveState "$1")" = inactive ]
}
records() {	# names, in both directories
	inside ls $RUN/.units $RUN/.units-leaving 2>/dev/null |
	    grep -v -e : -e '^$' | sort | tr '\n' ' '
}
left() {	# unit instances...: nothing of it is there, only these
	gone_unit=$1
	shift
	is_down "$gone_unit" && [ "$(records)" = "${*:+$* }" ] &&
	    is_down "updaterd-watch@$gone_unit.target"
}
up() {		# service
	[ "$(service state "$1")" = up ]
}
runs() {	# service argument: how many processes
	inside pgrep -c -f "bin/stay $1\$"
}

make_users
make_certs
conf "$(svc one x.service)
$(svc two y.service)"
sd_units
for u in x y z; do
	printf '[Unit]\nDefaultDependencies=no\n[Service]\n%s\n' \
	    "ExecStart=/bin/sleep infinity" > "$T/units/$u.service"
done
mk_release r1
cat > "$T/src/r1/bin/stay" <<'S'
#!/bin/sh
while :; do sleep 1000 & wait; done
S
chmod 0755 "$T/src/r1/bin/stay"
mkdir -p "$T/src/r1/etc/systemd/system"
cat > "$T/src/r1/etc/systemd/system/t@.service" <<U
[Unit]
DefaultDependencies=no
[Service]
ExecStart=/bin/sleep infinity
ExecStop=/bin/sh -c 'echo %i >> $T/execstop'
U
pack_release r1
sd_boot

t "start updaterd" sd start updaterd
is "$(push r1)" 200 "a push"
t "one runs" wait_for 10 up one
t "two runs" wait_for 10 up two

# --- two exchange their units while updaterd is away -----------------------

x=$(main x) y=$(main y)
t "stop updaterd" sd stop updaterd
conf "$(svc one y.service)
$(svc two x.service)"
t "start it with their units exchanged" sd start updaterd
both() {
	up one && up two &&
	    [ "$(service pid one)" = "$(main y)" ] &&
	    [ "$(service pid two)" = "$(main x)" ]
}
t "each has the process of its unit" wait_for 10 both
is "$(main x) $(main y)" "$x $y" "which was not touched"
is "$(service wanted one) $(service wanted two)" "running running" \
    "nobody's wish was made of that"
is "$(service deaths one) $(service deaths two)" "0 0" "and no death"
is "$(records)" "one two " "each is on record once"

# --- another unit while updaterd is away -------------------------------------

t "stop updaterd" sd stop updaterd
conf "$(svc one z.service)
$(native two)"
t "start it with another unit for one, two natively" sd start updaterd
t "the new unit runs" wait_for 10 is_active z
t "the old one has left" wait_for 10 left y one
t "that of two, too" wait_for 10 left x one
t "two runs natively" wait_for 10 up two
is "$(runs two)" 1 "once"
is "$(service deaths two)" 0 "of which no death was made"
is "$(service wanted one) $(service pid one)" "running $(main z)" \
    "one is what its unit is"

# --- killed in between --------------------------------------------------------

conf "$(native two)
$(svc three t@3.service 'units install')
$(svc four t@4.service 'units install')"
t "two of a template that the release ships" sd reload updaterd
t "three runs" wait_for 10 up three
t "four runs" wait_for 10 up four
t "the unit of one has left" wait_for 10 left z four three
# From now on systemctl does not stop anything until it is told to.
inside mkdir -p /usr/local/sbin
inside tee /usr/local/sbin/systemctl >/dev/null <<W
#!/bin/sh
case " \$* " in
*" stop "*)
	echo "\$*" >> $T/asked
	while [ ! -e $T/go ]; do sleep 0.05; done
	exit 1;;
esac
exec $(command -v systemctl) "\$@"
W
inside chmod 0755 /usr/local/sbin/systemctl
# Down already, so that it is let go at once.
real() {
	inside "$(command -v systemctl)" "$@"
}
sd() {
	real "$@"
}
sd stop t@3
t "three is stopped" wait_for 10 is_down t@3
gone_by() {
	[ "$(service wanted three)" = stopped ]
}
t "which is taken as a wish" wait_for 10 gone_by
conf "$(native two)
$(svc four t@4.service 'units install')"
t "without three" sd reload updaterd
asked() {
	grep -q 't@3' "$T/asked"
}
t "its unit is to be stopped" wait_for 10 asked
is "$(records)" "four t@3.service " "and is not forgotten yet"
ctl reconcile -n >"$T/dry" 2>&1
is "$?" 3 "a dry run says that it is leaving"
like "$(grep three "$T/dry")" 'action=removed .*service=three .*systemd' \
    "by a line"
t "put into the care of a unit that runs" sd start t@3
sd kill --kill-who=main --signal=KILL updaterd
back() {
	[ "$(show NRestarts)" = 1 ] && sd is-active updaterd && listening
}
inside rm /usr/local/sbin/systemctl
: > "$T/go"
t "updaterd is killed and comes back" wait_for 10 back
t "the next one ends it" wait_for 10 left t@3 four
grep -q 3 "$T/execstop"
is $? 0 "as its file says"

# Its stop was ours, so nobody's wish: not even if we are dead when it is seen.
rm "$T/go" "$T/asked"
inside tee /usr/local/sbin/systemctl >/dev/null <<W
#!/bin/sh
case " \$* " in
*" start "*t@4*)
	echo "\$*" >> $T/asked
	while [ ! -e $T/go ]; do sleep 0.05; done
	exit 1;;
esac
exec $(command -v systemctl) "\$@"
W
inside chmod 0755 /usr/local/sbin/systemctl
ctl restart four >/dev/null 2>&1 &
restarted() {
	[ -e "$T/asked" ]
}
t "four is stopped, and to be started again" wait_for 10 restarted
sd kill --kill-who=main --signal=KILL updaterd
inside rm /usr/local/sbin/systemctl
: > "$T/go"
wait $!
twice() {
	[ "$(show NRestarts)" = 2 ] && sd is-active updaterd && listening
}
t "updaterd is killed and comes back" wait_for 10 twice
t "four runs" wait_for 10 up four
is "$(service wanted four)" running "as it is wanted"
: > "$T/execstop"
t "four has its file still" inside test -e $UNITS/t@.service
conf "$(native two)"
t "without four" sd reload updaterd
t "it leaves" wait_for 10 left t@4
t "and the file goes" inside test ! -e $UNITS/t@.service
is "$(cat "$T/execstop")" 4 "after it was stopped as it says"

# --- back before it has left ----------------------------------------------------

conf "$(native two)
$(svc five x.service)"
t "a unit of the operator's" sd reload updaterd
t "it runs" wait_for 10 up five
conf "$(native two)"
sd reload updaterd
conf "$(native two)
$(svc five x.service)"
t "out of the configuration and in again" sd reload updaterd
t "it runs" wait_for 10 up five
is "$(service wanted five) $(records)" "running five " "as it should"
is "$(service pid five)" "$(main x)" "as the unit's process"
finish
