#!/bin/sh
# Goal: eight real daemons.  A canary that fails stops a rollout there, a good
# one reaches all; limits, batches and taking back hold; killed at any moment
# the record is right and --resume neither repeats nor forgets a host; only
# a host with the recorded certificate is sent anything.
. "${0%/*}/../lib.sh"
. "$HERE/fleet.sh"
[ "$UPD_NAMESPACE" = own ] || skip_all "no mount name space here"
fleet 8
for r in r1 r2 r3 r4 r5; do mk_fleet_release $r; done
for r in k1 k2 k3 int; do mk_fleet_release $r slow; done
mk_fleet_release bad bad

rollout() {	# release [options]
	r=$1
	shift
	um push --tarball "$T/$r.tgz" --sha "$r" "$@" >"$T/out" 2>&1
	echo $?
}
json() {	# filter
	jq -r "$1" "$T/out"
}
has() {		# pattern description
	like "$(cat "$T/out")" "$1" "$2"
}
same() {	# word: eight times
	echo "$1 $1 $1 $1 $1 $1 $1 $1"
}

# --- reaching all, stopping at the canary -------------------------------
is "$(rollout r1 --all)" 0 "push --all"
is "$(all_active)" "$(same r1)" "reaches all"
is "$(all_given r1)" "$(same 1)" "once"
is "$(rollout r1 --all --json)" 0 "again"
is "$(json '[.hosts[].agent] | unique | join(" ")')" unchanged "is unchanged"
is "$(rollout bad --all --canary 2 --batch 3)" 1 "a release that fails"
is "$(all_given bad)" "1 1 0 0 0 0 0 0" "stops at the canaries"
is "$(all_active)" "$(same r1)" "and nothing is changed"
has 'stopped: canary h00[12]: 409: .*bad release' "it says why"
has '\| sleeper: began' "with the output of the service"
has '6 not begun' "and how many were spared"
unlike "$(cat "$T/out")" '--resume' "it is not offered to go on"
is "$(rollout r2 --all --canary 1 --batch 40% --pause 1)" 0 "a good one"
is "$(all_active)" "$(same r2)" "reaches all"
has 'pause of 1 s' "with pauses"
order=$(grep -oE '"event":"(begun|updated)"' "$M/rollout.jsonl" |
    cut -d'"' -f4 | cut -c1 | tr -d '\n')
like "$order" '^bu(bbbb|b*u*)+$' "the canary alone at first"
is "$(printf %s "$order" | cut -c1,2)" bu "and its end awaited"

# --- options ------------------------------------------------------------
is "$(rollout r3 --all --host h001)" 2 "--all and --host exclude each other"
is "$(rollout r3 --host nosuch)" 1 "an unknown host"
is "$(rollout r3)" 2 "nobody named"
is "$(rollout r3 --host h001 --resume)" 2 "--resume takes no hosts"
is "$(rollout r3 --all --dry-run)" 0 "a dry run"
is "$(all_given r3)" "0 0 0 0 0 0 0 0" "changes nothing"
is "$(rollout r3 --group g1 --json)" 0 "a group"
is "$(json '[.hosts[].host] | join(" ")')" "h001 h003 h005 h007" "is pushed to"
is "$(rollout r3 --host h002 --include-self --json)" 1 "--include-self"
is "$(json '.hosts[0] | .agent + " " + .self')" "updated failed" \
    "comes behind the agent"
like "$(json '.hosts[0].detail')" 'self: 404.*add self' "and is told as it is"
is "$(rollout r2 --all)" 0 "all the same again"

# --- failures -----------------------------------------------------------
: > "$T/h/h002/broken"
: > "$T/h/h004/broken"
is "$(rollout r4 --all --parallel 1 --max-fail 1 --retries 0)" 1 \
    "two broken hosts, one allowed"
is "$(all_given r4)" "1 1 1 1 0 0 0 0" "it stops at the second"
is "$(um push --resume --max-fail 2 >"$T/out" 2>&1; echo $?)" 1 \
    "resumed with two allowed"
is "$(all_given r4)" "$(same 1)" "the others get it, nobody twice"
is "$(all_active)" "r4 r2 r4 r2 r4 r4 r4 r4" "all but the broken ones"
is "$(rollout r5 --all --parallel 1 --rollback-on-fail)" 1 \
    "--rollback-on-fail"
is "$(all_active)" "r4 r2 r4 r2 r4 r4 r4 r4" "leaves all as it was"
is "$(all_given r5)" "1 1 0 0 0 0 0 0" "having begun with two"
has 'h001.*taken_back' "the first is said to be taken back"
is "$(um push --resume >"$T/out" 2>&1; echo $?)" 1 "nothing to resume"
has 'complete already' "it says so"
rm "$T/h/h002/broken" "$T/h/h004/broken"

t "a host goes away" stop_host h006
is "$(rollout r5 --all --retries 1 --report "$T/report.html" --json)" 1 \
    "one cannot be reached"
is "$(json '.hosts[] | select(.agent != "updated") | .host + " " +
    .agent')" "h006 unreachable" "which is told from failed"
start_host h006
t "it comes back" wait_for 20 fleet_answers
is "$(um push --resume >"$T/out" 2>&1; echo $?)" 0 "--resume reaches it"
is "$(all_active)" "$(same r5)" "all have it"
is "$(all_given r5)" "2 2 1 1 1 1 1 1" "and nobody was pushed to again"
unlike "$(cat "$T/report.html")" '<script|src=|href=|@import|url\(' \
    "the report needs nothing but itself"
like "$(tr "\n" " " <"$T/report.html")" '<svg.*connecting' "has a timeline"
like "$(cat "$T/report.html")" 'h006.*unreachable' "and the failure"

# --- killed at any moment -----------------------------------------------
# chop RELEASE SEED: kill -9 at random moments until it is through
chop() {
	kills=0 seed=$2
	"$UPDATERMASTER" -d "$M" push --all --tarball "$T/$1.tgz" --sha "$1" \
	    --parallel 3 >"$T/out" 2>&1 &
	while :; do
		p=$!
		seed=$(((seed * 1103515245 + 12345) % 2147483648))
		sleep "0.$(printf %03d $((seed / 7 % 500 + 20)))"
		if alive $p && ours $p; then
			kill9 $p
			kills=$((kills + 1))
		fi
		wait $p 2>/dev/null
		rc=$?
		[ $rc = 137 ] || break
		# A line that was being written when the power went.
		[ $((kills % 2)) = 0 ] ||
		    printf '{"event":"updated","host":"h0' >>"$M/rollout.jsonl"
		[ $kills -lt 60 ] || break
		"$UPDATERMASTER" -d "$M" push --resume >"$T/out" 2>&1 &
	done
	note "$1: killed $kills times"
}
chop k1 4711
is "$rc" 0 "killed again and again, it gets through"
t "it was killed at least once" test "$kills" -gt 0
is "$(all_active)" "$(same k1)" "no host is forgotten"
is "$(all_given k1)" "$(same 1)" "none was given it twice"
noted() {	# what `hosts` says of all, or of one
	um hosts --json | jq -r ".hosts[] |
	    select(.name == \"${1-}\" or \"${1-}\" == \"\") |
	    .last_result + \" \" + .last_sha" | sort | uniq -c |
	    sed 's/^ *//'
}
is "$(noted)" "8 updated k1" "and hosts lists what came of it"
: > "$T/h/h003/broken"
chop k2 42
is "$rc" 1 "the same with a host where it fails"
is "$(all_active)" "k2 k2 k1 k2 k2 k2 k2 k2" "no host is forgotten"
is "$(all_given k2)" "$(same 1)" "not even that is repeated"
rm "$T/h/h003/broken"

# Killed, and nobody resumes: what the record knows is known.
"$UPDATERMASTER" -d "$M" push --all --tarball "$T/k3.tgz" --sha k3 \
    --parallel 1 >"$T/out" 2>&1 &
p=$!
one_done() {
	grep -q '"updated"' "$M/rollout.jsonl" &&
	    grep -q '"sha":"k3"' "$M/rollout.jsonl"
}
t "one host is done" wait_for 10 one_done
alive $p && ours $p && kill9 $p 2>/dev/null
wait $p 2>/dev/null
first=$(jq -r 'select(.event == "updated") | .host' "$M/rollout.jsonl" |
    head -n 1)
# Seconds are all the time there is: the push before may have ended in the
# same one.
at=$(jq -r "select(.event == \"begun\" and .host == \"$first\") | .time" \
    "$M/rollout.jsonl" | head -n 1)
sed -i "s/^$first .*/$first failed k2 $at/" "$M/results"
t "which had another result then" grep -q "^$first failed k2 $at\$" \
    "$M/results"
is "$(noted "$first")" "1 updated k3" "killed: hosts knows of it all the same"
is "$(rollout r2 --host h008)" 0 "another push takes the record's place"
is "$(noted "$first")" "1 updated k3" "what it said is kept"

# --- interrupted --------------------------------------------------------
begun() {	# how many at least
	[ "$(grep -c '"begun"' "$M/rollout.jsonl")" -ge "$1" ]
}
"$UPDATERMASTER" -d "$M" push --all --tarball "$T/int.tgz" --sha int \
    --parallel 2 >"$T/out" 2>&1 &
p=$!
t "a rollout is under way" wait_for 10 grep -q '"sha":"int"' \
    "$M/rollout.jsonl"
t "with two hosts" wait_for 10 begun 2
is "$(um push --all --tarball "$T/r1.tgz" 2>&1 >/dev/null | grep -c \
    'another push')" 1 "a second one is refused"
ours $p && kill -INT $p
wait $p 2>/dev/null
is $? 1 "interrupted"
has 'go on with: .* push --resume' "it says how to go on"
n=$(all_given int | tr ' ' '\n' | grep -c 1)
like "$n" '^[234]$' "those in flight were finished, no more begun ($n)"
is "$(grep -c '"begun"' "$M/rollout.jsonl")" "$n" "as the record has it"
is "$(um push --resume >"$T/out" 2>&1; echo $?)" 0 "it goes on"
is "$(all_given int)" "$(same 1)" "with the others"
is "$(all_active)" "$(same int)" "until all have it"
mv "$T/int.tgz" "$T/int.old"
cp "$T/r1.tgz" "$T/int.tgz"
sed -i '/"event"/d' "$M/rollout.jsonl"
is "$(um push --resume >"$T/out" 2>&1; echo $?)" 1 "another archive"
has 'SHA-256 was' "is not sent in its place"

# --- a connection lost ---------------------------------------------------
host_ctl() {	# name jq-filter
	"$UPDATERCTL" -s "$T/h/$1/updaterd.sock" -j status 2>/dev/null |
	    jq -r "$2"
}
probing() {
	[ "$(host_ctl "$1" .update.state)" = probing ]
}
mk_fleet_release lost slow
net=$(host_ctl h005 '.processes[] | select(.name == "net") | .pid')
"$UPDATERMASTER" -d "$M" push --host h005 --tarball "$T/lost.tgz" \
    --sha lost --json >"$T/out" 2>&1 &
p=$!
t "a host is probing" wait_for 10 probing h005
[ "${net:-0}" -gt 1 ] && [ "$(readlink "/proc/$net/exe")" = "$(readlink -f \
    "$UPDATERD")" ] && kill9 "$net"
wait $p
is $? 0 "its connection is lost: it is asked what came of it"
is "$(json '.hosts[0] | .agent + ", " + .detail')" "updated, found active" \
    "which it says"
is "$(given h005 lost)" 1 "it was given it once"

# --- certificates -------------------------------------------------------
cp "$M/hosts.conf" "$T/hosts.conf"
a=$(host_address 1)
t "the first host gives way" stop_host h001
cat > "$T/listen.py" <<'P'
# A TLS server with the certificate of one host: says what it is sent.
import socket, ssl, sys
c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
c.load_cert_chain(sys.argv[3] + "/updater.crt", sys.argv[3] + "/updater.key")
s = socket.create_server((sys.argv[1], int(sys.argv[2])))
print("ready", flush=True)
k, _ = s.accept()
k.settimeout(10)
try:
    k = c.wrap_socket(k, server_side=True)
    print("got", len(k.recv(65536)), flush=True)
except (ssl.SSLError, OSError) as e:
    print("got 0", type(e).__name__, flush=True)
P
impostor() {	# name of the host whose certificate it has
	python3 "$T/listen.py" "$a" "$PORT" "$M/hosts/$1" >"$T/sent" &
	KILL_AT_EXIT="${KILL_AT_EXIT-} $!"
	wait_for 10 grep -q ready "$T/sent"
}
t "another host in its place" impostor h002
is "$(rollout r1 --host h001)" 1 "is no host to push to"
wait_for 5 grep -q got "$T/sent"
like "$(grep got "$T/sent")" '^got 0' "it was not sent a byte of a request"
want=$(sed -n 's/^h001 .*fingerprint=\([^ ]*\).*/\1/p' "$M/hosts.conf")
came=$(sed -n 's/^h002 .*fingerprint=\([^ ]*\).*/\1/p' "$M/hosts.conf")
is "$(tr -s ' \n' '  ' <"$T/out" | grep -c "expected $want, came $came")" 1 \
    "what was expected and what came is said"
t "its own certificate" impostor h001
rollout r1 --host h001 >/dev/null
wait_for 5 grep -q got "$T/sent"
like "$(grep got "$T/sent")" '^got [1-9]' "is sent the request"
start_host h001
t "the first host is back" wait_for 20 fleet_answers
sed -i '/^h001 /s/ fingerprint=[^ ]*//' "$M/hosts.conf"
is "$(rollout r1 --host h001)" 1 "no fingerprint, no push"
like "$(tr -s ' \n' '  ' <"$T/out")" 'no fingerprint recorded for h001: enrol' \
    "it says so"
cp "$T/hosts.conf" "$M/hosts.conf"
is "$(given h001 r1)" 1 "nothing came of all that"

# --- the other commands -------------------------------------------------
t "status" um status
is "$(um releases --host h002 --json | jq -r \
    '.hosts[0].answer.releases[0].sha')" int "releases"
is "$(um rollback --host h002 >"$T/out" 2>&1; echo $?)" 0 "rollback"
has 'h002 +rolled_back' "is told"
is "$(um rollback >"$T/out" 2>&1; echo $?)" 2 "of nobody in particular: no"
is "$(um confirm --host h002 >"$T/out" 2>&1; echo $?)" 1 "confirm"
has '404: nothing awaits' "where nothing is to be confirmed"
is "$(um watch --rounds 2 --every 1 --json | jq -c '[.hosts[].ok] | all' |
    tr '\n' ' ')" "true true " "watch"

# --- a terminal ---------------------------------------------------------
cat > "$T/terminal.py" <<'P'
# Run a command on a terminal of 60 columns; print what it wrote there.
import fcntl, os, pty, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 60, 0, 0))
    os.execvp(sys.argv[1], sys.argv[1:])
out = b""
try:
    while True:
        d = os.read(fd, 65536)
        if not d:
            break
        out += d
except OSError:
    pass
sys.stdout.buffer.write(out)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
P
mk_fleet_release wide slow 3000000
on_terminal() {	# [VAR=value]
	env "$@" python3 "$T/terminal.py" "$UPDATERMASTER" -d "$M" push --all \
	    --force --tarball "$T/wide.tgz" --sha wide >"$T/tty"
}
t "a push on a terminal" on_terminal TERM=xterm
# The picture ends where the table, which may be wider, begins.
widest=$(sed '/^HOST/,$d' "$T/tty" | tr '\r' '\n' |
    sed 's/\x1b\[[0-9;]*[A-Za-z]//g' | awk '{ if (length > m) m = length }
    END { print m + 0 }')
t "no line is wider than it ($widest)" test "$widest" -le 60 -a "$widest" -gt 30
like "$(cat "$T/tty")" '\[#+\.*\] +[0-9]+%' "with bars"
like "$(cat "$T/tty")" "$(printf '\033')\[[0-9]+A" "repainted in place"
like "$(cat "$T/tty")" "$(printf '\033')\[32m" "in colour"
t "with NO_COLOR" on_terminal TERM=xterm NO_COLOR=1
unlike "$(cat "$T/tty")" "$(printf '\033')\[[0-9;]*m" "without"

for n in $FLEET; do stop_host "$n" || not_ok "$n ends"; done
finish
