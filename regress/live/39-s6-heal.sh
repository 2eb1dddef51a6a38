#!/bin/sh
# What a daemon that was killed has left half done with slots of s6, and
# what is done behind its back while it is away, is put right at its next
# start; and nobody ever runs twice while a service changes its supervisor.
# regress/fault/slots.sh finds such things, here each has its own name.
OWN_PIDS=yes
. "${0%/*}/../lib.sh"
. "$HERE/svscan.sh"

H=$T/home
mkdir -p "$H/profiles" "$SCAN" "$SCAN.2"
install -d -m 1777 "$T/locks"

# Says when there are two of it or its stale file is there, and takes a while
# to end.
mk_release r1
cat > "$T/src/r1/bin/stay" <<'S'
#!/usr/bin/perl
use Fcntl ':flock';
my ($dir, $name, $stale) = @ARGV;
sub note { open(my $f, '>>', "$dir/wrong"); syswrite($f, "@_ $name\n"); }
$SIG{TERM} = sub { select(undef, undef, undef, 0.5); exit 0 };
open(my $lock, '>>', "$dir/$name.lock") or exit 1;
flock($lock, LOCK_EX | LOCK_NB) or note('twice');
note('stale') if -e $stale;
sleep 1000 while 1;
S
chmod 0755 "$T/src/r1/bin/stay"
pack_release r1

conf() {	# supervise...
	C_SERVICES="service \"gw\" {
		optional
		user \"_updagent\"
		home \"$H\"
		profiles \"$H/profiles\" marker \"SOUL.md\"
		runtime files { \"gw.pid\" }
		command { \"bin/stay\" \"$T/locks\" \"gw-%p\" \"%h/gw.pid\" }
		stop TERM within 3s
		$*
	}"
	write_conf
}

profile() {	# name: wants to run
	mkdir -p "$T/made/$1"
	: > "$T/made/$1/gw.pid"
	: > "$T/made/$1/SOUL.md"
	echo '{"gw_state":"running"}' > "$T/made/$1/gw_state.json"
	chown -R _updagent "$T/made/$1"
	mv "$T/made/$1" "$H/profiles/$1"
}

S6="supervise s6 \"$SCAN\" owner \"_updagent\""
TWO="supervise s6 \"$SCAN.2\" owner \"_updagent\""
C_SERVICE=optional C_HEALTH='health none'
profile a
chown _updagent "$H" "$H/profiles"
conf "$S6"
for d in "$SCAN" "$SCAN.2"; do
	s6-svscan "$d" >>"$T/svscan.out" 2>&1 </dev/null &
	wait_for 10 test -p "$d/.s6-svscan/control"
done
start_updaterd
is "$(push r1)" 200 "push"

nothing_wrong() {
	cat "$T/locks/wrong" 2>/dev/null
	[ ! -e "$T/locks/wrong" ]
}
killed() {
	kill9 "$UPID"
	wait "$UPID" 2>/dev/null
}

# --- stale files go before a new slot starts -----------------------------

t "it runs" wait_for 10 state_is gw-a up
for n in b c d; do
	profile $n
done
for n in b c d; do
	t "a profile that comes while s6-svscan runs" \
	    wait_for 10 state_is gw-$n up
done
t "is started when its stale files are gone" nothing_wrong
stop_updaterd
profile e
"$UPDATERD" -R -f "$T/conf" >"$T/once" 2>>"$T/log"
t "one for updaterd -R as well" wait_for 5 sh -c \
    "s6-svstat -o up,wantedup $SCAN/gw-e | grep -qx 'true true'"
t "found none of its own" nothing_wrong
start_updaterd

# --- what its owner did holds over the end of s6-supervise ----------------

t "its owner stops one" as_user s6-svc -d "$SCAN/gw-b"
t "which is what is wanted then" wait_for 10 wants gw-b "stopped s6"
t "also for its next supervisor" wait_for 5 test -e "$SCAN/gw-b/down"
old=$(supervise_pid gw-b)
kill9 "$old"
another() {
	p=$(supervise_pid gw-b) && [ "$p" != "$old" ] &&
	    s6-svok "$SCAN/gw-b"
}
t "which comes" wait_for 10 another
is "$(s6-svstat -o up "$SCAN/gw-b")" false "and does not start it"
t "its owner starts it" as_user s6-svc -u "$SCAN/gw-b"
t "which is what is wanted then" wait_for 10 wants gw-b "running s6"
t "also for its next supervisor" wait_for 5 test ! -e "$SCAN/gw-b/down"
ctl stop gw-b >"$T/out" && as_user s6-svc -u "$SCAN/gw-b"
t "also at once" wait_for 10 wants gw-b "running s6"
t "and for its next supervisor" wait_for 5 test ! -e "$SCAN/gw-b/down"

# Seen, and killed before that counts as a wish.
as_user s6-svc -d "$SCAN/gw-b"
wait_for 10 grep -q "find gw-b stopped outside" "$T/log"
wait_for 5 sh -c "[ \$(jq .running $T/state/services/gw-b.json) = false ] ||
    [ \$(jq -r .state $T/state/services/gw-b.json) = down ]"
killed
start_updaterd
t "one whose stop was seen by a daemon that was killed stays down" \
    wait_for 10 wants gw-b "stopped s6"
is "$(s6-svstat -o up "$SCAN/gw-b")" false "all the time"

# --- a slot that is being taken out, and made again ------------------------

killed
mv "$SCAN/gw-a" "$SCAN/.dead-0-gw-a"
start_updaterd
t "what was half taken out is made again" wait_for 10 state_is gw-a up
t "when it has ended" nothing_wrong
unlike "$(grep 'lose gw-a' "$T/log")" "after [0-9]{4,} s" \
    "how long it ran is not since the host was started"
at_rest() {
	[ -z "$(find "$SCAN" "$SCAN.2" -maxdepth 1 -name '.dead-*')" ]
}
t "and then removed" wait_for 10 at_rest

# --- other supervisors ----------------------------------------------------

up_native() {
	state_is gw-a up && [ "$(service supervisor gw-a)" = native ]
}
up_in() {	# directory
	state_is gw-a up && [ "$(s6-svstat -o up "$1/gw-a")" = true ]
}
killed
conf ""
start_updaterd
t "from s6 to updaterd itself, while that was away" wait_for 15 up_native
t "never twice" nothing_wrong
killed
conf "$TWO"
start_updaterd
t "from there to s6" wait_for 15 up_in "$SCAN.2"
t "never twice" nothing_wrong
t "nothing is left of it" test ! -e /run/updaterd/gw-a
killed
conf "$S6"
start_updaterd
t "to another scan directory" wait_for 15 up_in "$SCAN"
t "never twice" nothing_wrong

# --- no service is under s6 any more ---------------------------------------

killed
mv "$SCAN/gw-c" "$SCAN/.dead-0-gw-c"
rm -f "$T/state/services/gw-c.json" "$T/state/services/gw-d.json"
C_SERVICES=
write_conf
start_updaterd
all_gone() {
	[ -z "$(ls -A "$SCAN" "$SCAN.2" | grep gw-)" ] &&
	    [ -z "$(pgrep -f '^s6-supervise')" ]
}
t "the last service under s6 goes, and all slots with it" \
    wait_for 15 all_gone
no_records() {
	ctl reconcile >/dev/null && [ -z "$(ls -A /run/updaterd/.slots)" ]
}
t "also those of which only the slot was left" wait_for 10 no_records

finish
