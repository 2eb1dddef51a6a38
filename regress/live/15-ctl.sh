#!/bin/sh
# Goal: the operator on the host: update from a file and from a pipe, history,
# monitor, exit codes.
. "${0%/*}/../lib.sh"
setup
mk_release r1
mk_release r2
mk_release bad exit-at-once
t "update from a file" ctl update default "$T/r1.tgz"
is "$(serving)" r1 "serves"
t "update from a pipe" sh -c "cat '$T/r2.tgz' |
    '$UPDATERCTL' -s '$T/updaterd.sock' update default -"
is "$(serving)" r2 "serves"
ctl update default "$T/bad.tgz" >"$T/out" 2>&1
is $? 1 "a broken one: exit 1"
like "$(cat "$T/out")" 'colour' "with the service's last words"
is "$(serving)" r2 "the old one serves"
t "releases" ctl releases
is "$(ctl -j releases | jq -r '.releases[0].sha256')" \
    "$(cat "$T/r2.sha256")" "with the digest"
ctl update default /nonexistent >/dev/null 2>&1
is $? 1 "no such file: exit 1"
ctl update nosuch "$T/r1.tgz" >/dev/null 2>&1
is $? 1 "no such agent: exit 1"
ctl start nosuch >/dev/null 2>&1
is $? 1 "no such service: exit 1"
"$UPDATERCTL" -s "$T/nosock" status >"$T/out" 2>&1
is $? 1 "no daemon: exit 1"
like "$(cat "$T/out")" 'nosock' "and it says where it looked"
is "$(ctl -j history | jq -r '[.history[0,1,2].event] | unique | join(" ")')" \
    update "history"
ctl monitor >"$T/monitor" 2>&1 &
mon=$!
KILL_AT_EXIT=$mon
sleep 0.2
ctl restart agent >/dev/null
t "monitor tells what happens" wait_for 5 test -s "$T/monitor"
kill "$mon"
ctl history >"$T/out"
like "$(cat "$T/out")" update "history for people"
finish
