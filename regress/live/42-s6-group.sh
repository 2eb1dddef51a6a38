#!/bin/sh
# Under s6, too, a service ends with all of its process group: at a stop, a
# restart, an update, a death; processes of others are left alone, and a
# service of root's says that it cannot be held together.
OWN_PIDS=yes
. "${0%/*}/../lib.sh"
. "$HERE/s6.sh"

# Has a child, which says how it was ended, and one that does not listen.
s6_release() {	# name
	mk_release "$1"
	cat > "$T/src/$1/bin/family" <<'S'
#!/usr/bin/perl
my ($dir, $name) = @ARGV;
unless (fork) {
	$0 = "child-$name";
	$SIG{TERM} = sub {
		open(my $f, '>>', "$dir/$name.term"); exit 0 };
	open(my $f, '>>', "$dir/$name.born");
	syswrite($f, "$$\n");
	sleep 1000 while 1;
}
unless (fork) {
	$0 = "deaf-$name";
	$SIG{TERM} = 'IGNORE';
	open(my $f, '>>', "$dir/$name.born");
	syswrite($f, "$$\n");
	sleep 1000 while 1;
}
$0 = "head-$name";
sleep 1000 while 1;
S
	chmod 0755 "$T/src/$1/bin/family"
	pack_release "$1"
}
service_of() {	# name [user]
	cat <<C
	service "$1" {
		$2
		command { "bin/family" "$T/locks" "$1" }
		supervise s6 "$SCAN" owner "_updagent" mount
		stop TERM within 1s
	}
C
}
# The children that there are, and how many there should be.
children() {	# name
	cat "$T/locks/$1.born" 2>/dev/null | while read -r p; do
		alive "$p" && echo "$p"
	done
}
family() {	# name: it is up, with two
	state_is "$1" up && [ "$(children "$1" | wc -l)" = 2 ]
}
all_gone() {	# pids...
	for p; do
		gone "$p" || return 1
	done
}

C_SERVICES="$(service_of fam 'user "_updagent"')
    $(service_of roots '')"
write_conf
start_updaterd
start_svscan
s6_release r1
is "$(push r1)" 200 "push"
t "it runs with two children" wait_for 10 family fam
t "root's as well" wait_for 10 family roots
is "$(service containment fam) $(service containment roots)" "group none" \
    "one is stopped as a group, root's is not"
like "$(ctl status | tr -s ' \n' ' ')" \
    "the main process is stopped only, not what that has started" \
    "and it says so"

old=$(children fam)
others=$(children roots)
t "it is stopped" ctl stop fam
is "$(children fam)" "" "when that is said nothing of it is left"
t "the child was asked to end first" test -e "$T/locks/fam.term"
t "started" ctl start fam
t "it has two again" wait_for 10 family fam

old=$(children fam)
t "restarted" ctl restart fam
# shellcheck disable=SC2086
t "nothing of the one before is left" all_gone $old
t "two again" wait_for 10 family fam

old=$(children fam)
s6_release r2
is "$(push r2)" 200 "an update"
# shellcheck disable=SC2086
t "nothing of the release before is left" all_gone $old
t "two again" wait_for 10 family fam

old=$(children fam)
kill9 "$(svpid fam)"
# shellcheck disable=SC2086
t "nor is of one that died" wait_for 10 all_gone $old
t "two again" wait_for 15 family fam

old=$(children fam)
as_user s6-svc -d "$SCAN/fam"
# shellcheck disable=SC2086
t "nor of one that its owner stopped" wait_for 10 all_gone $old

its_wish() {
	[ "$(wanted fam)" = "stopped s6" ]
}
t "which is what is wanted then" wait_for 10 its_wish

# While updaterd was away.
t "started" ctl start fam
t "two again" wait_for 10 family fam
old=$(children fam)
stop_updaterd
kill9 "$(svpid fam)"
start_updaterd
# shellcheck disable=SC2086
t "nor of one that died while updaterd was away" wait_for 10 all_gone $old
# shellcheck disable=SC2086
t "what is root's was not touched by any of it" alive "${others%%
*}"
for p in $(cat "$T"/locks/*.born); do
	alive "$p" && kill9 "$p"
done

finish
