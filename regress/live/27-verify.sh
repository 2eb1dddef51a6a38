#!/bin/sh
# Goal: whatever was done to a release is found and named; with `verify at
# start` before it is started, and a damaged one gives way to the one before,
# but never to nothing.
. "${0%/*}/../lib.sh"
C_AGENT='install { "sh" "install.sh" } user "_updagent" timeout 20s'
C_KEEP=4
setup
for r in r1 r2 r3; do
	mk_release $r
	mkdir -p "$T/src/$r/lib/deep" "$T/src/$r/empty"
	for f in a b c d e f g h; do echo "$r $f" > "$T/src/$r/lib/deep/$f"; done
	ln -s deep/a "$T/src/$r/lib/link"
	tar -C "$T/src/$r" -cf - . | gzip -1n > "$T/$r.tgz"
	digest "$T/$r.tgz" > "$T/$r.sha256"
done
verify() {	# [agent [id]]: prints the exit code, the answer is in $T/v
	ctl -j verify "$@" >"$T/v" 2>&1
	echo $?
}
v() {		# filter
	jq -r "$1" "$T/v"
}
found() {	# all that was, "kind path, .." by path
	v '[.faults[] | .kind + " " + .path] | sort_by(.[index(" "):]) |
	    join(", ")'
}

is "$(verify)" 1 "no release yet"
like "$(v .detail)" 'no active release' "is said"
is "$(push r1)" 200 "first release"
is "$(push r2)" 200 "second release"
id1=$(readlink "$C_ROOT/previous" | sed 's|.*/||') id2=$(current)
is "$(verify)" 0 "it is whole"
is "$(v '.status + " " + .release.id')" "clean $id2" "it says so"
is "$(v .entries)" "$(find "$C_ROOT/current/" | wc -l)" \
    "all entries were looked at"
like "$(ctl verify)" "^release $id2 of agent default is whole: [0-9]+ entries" \
    "in one line for a person"
is "$(verify default "$id1")" 0 "another one by its id"
is "$(verify nosuch)" 1 "no such agent"
is "$(verify default nosuch)" 1 "no such release"
is "$(verify default ../x)" 1 "no path"

D=$C_ROOT/releases/$id1
printf 'X' | dd of="$D/lib/deep/a" bs=1 conv=notrunc 2>/dev/null
echo more >> "$D/lib/deep/b"
rm "$D/lib/deep/c"
chmod 0666 "$D/lib/deep/d"
chown _updagent "$D/lib/deep/e"
chgrp _updagent "$D/lib/deep/h"
rm "$D/lib/deep/f" && mkdir "$D/lib/deep/f" && : > "$D/lib/deep/f/in"
rm "$D/lib/deep/g" && mkfifo "$D/lib/deep/g"
rm "$D/lib/link" && ln -s /etc "$D/lib/link"
: > "$D/$(printf 'odd\033name')"
chmod 0700 "$D/bin"
rmdir "$D/empty"
is "$(verify default "$id1")" 1 "a damaged one"
is "$(found)" "mode bin, unreadable bin, unreadable bin/agent, missing empty, \
changed lib/deep/a, changed lib/deep/b, missing lib/deep/c, mode lib/deep/d, \
owner lib/deep/e, changed lib/deep/f, changed lib/deep/g, owner lib/deep/h, \
changed lib/link, \
extra odd\x1bname" "all of it is named"
is "$(v '.totals | to_entries | map(.key + "=" + (.value | tostring)) |
    join(" ")')" "changed=5 missing=2 extra=1 mode=2 owner=2 unreadable=2" \
    "and counted"
like "$(ctl verify default "$id1" | tail -n 1)" '^push .*again with force$' \
    "and what to do"
like "$(ctl verify default "$id1")" 'lib/deep/d: mode is 0666, should be 0644' \
    "for a person, too"
is "$(verify)" 0 "the other one is whole"
i=0
while [ $i -lt 1100 ]; do
	i=$((i + 1))
	: > "$D/share/x$i"
done
is "$(verify default "$id1")" 1 "with a thousand more"
is "$(v '.totals.extra') $(v '[.faults[] | select(.kind == "extra")] |
    length')" "1101 1000" "the list is bounded, the count is not"
mv "$C_ROOT/releases/$id1.mtree" "$T/mtree"
is "$(verify default "$id1")" 1 "no manifest"
like "$(v .detail)" "manifest of release $id1 cannot be read" "is said"
head -c 300 "$T/mtree" > "$C_ROOT/releases/$id1.mtree"
is "$(verify default "$id1")" 1 "a torn one"
like "$(v .detail)" "manifest is damaged" "is said"
grep -v '^\. ' "$T/mtree" > "$C_ROOT/releases/$id1.mtree"
is "$(verify default "$id1")" 1 "one without the release itself"
like "$(v .detail)" "does not name the release itself" "is said"
{ cat "$T/mtree"; tail -n 1 "$T/mtree"; } > "$C_ROOT/releases/$id1.mtree"
is "$(verify default "$id1")" 1 "one that names something twice"
like "$(v .detail)" "manifest is damaged: named twice" "is said"
cp "$T/mtree" "$C_ROOT/releases/$id1.mtree"
mv "$D/lib" "$T/lib" && ln -s "$T/lib" "$D/lib"
is "$(verify default "$id1")" 1 "a directory that has become a link"
is "$(v '[.faults[] | select(.path | startswith("lib")) | .kind] |
    group_by(.) | map(.[0] + "=" + (length | tostring)) | join(" ")')" \
    "changed=1 missing=10" "is not followed: what was in it is missing"

# --- beside others --------------------------------------------------------
python3 "$HERE/push.py" --port "$PORT" --certs "$T/certs" \
    --file "$T/r3.tgz" --sha r3 --stall 20000 --timeout 30 >"$T/held" 2>&1 &
held=$!
receiving() {
	[ "$(status .update.state)" = receiving ]
}
t "while an update is in flight" wait_for 10 receiving
is "$(verify)" 1 "there is no answer"
like "$(v .detail)" 'update is in flight' "and it is said why"
kill9 $held
wait $held 2>/dev/null
t "it ends" wait_for 15 clean_staging

# --- at start ---------------------------------------------------------------
C_AGENT="$C_AGENT
	verify at start"
write_conf
t "verify at start" ctl reload
is "$(push r3)" 200 "third release"
id3=$(current)
restart() {	# mark of the log
	: > "$T/log"
	stop_updaterd
	start_updaterd
}
said() {
	grep -q "$1" "$T/log"
}
restart_verbose() {
	: > "$T/log"
	stop_updaterd
	start_updaterd -v
}
restart_verbose
t "whole" wait_for 10 said "release $id3 of default is whole"
t "it is started" wait_for 10 is_serving r3
is "$(grep -c 'action=failed' "$T/log")" 0 "having to wait is no failure"
like "$(cat "$T/log")" 'once its release is verified' "but is said"
: > "$T/log"
kill9 "$UPID"
wait "$UPID" 2>/dev/null
start_updaterd -v
is "$(grep -c 'is whole' "$T/log")" 0 "what runs already is not looked at"
t "it is taken over" is_serving r3
: > "$C_ROOT/releases/$id3/extra"
restart
t "with a file too many" wait_for 10 is_serving r3
is "$(current)" "$id3" "it is started all the same"
like "$(status .agents[0].error)" "$id3 differs from its manifest in 1 place.*extra" \
    "and that is told"
rm "$C_ROOT/releases/$id3/extra"
# One byte, and everything that can be set back set back.
f=$C_ROOT/releases/$id3/lib/deep/a
touch -r "$f" "$T/stamp"
printf 'X' | dd of="$f" bs=1 conv=notrunc 2>/dev/null
touch -r "$T/stamp" "$f"
restart
t "with another byte somewhere, the one before is started" \
    wait_for 10 is_serving r2
is "$(current)" "$id2" "it is the active one"
like "$(status .agents[0].error)" "$id3 differs.*lib/deep/a: content differs" \
    "status says why"
is "$(jq -r .state "$C_ROOT/releases/$id3.json")" failed \
    "the other counts as failed"
is "$(readlink "$C_ROOT/previous")" "releases/$id1" "previous is an older one"
is "$(ctl -j history | jq -r '[.history[] | select(.event == "verify") |
    .result] | join(" ")')" "damaged altered" "the history knows"
t "nothing is left" wait_for 5 clean_staging
rm "$C_ROOT/releases/$id2/share/notes"
restart
t "when no other is whole" wait_for 10 is_serving r2
is "$(current)" "$id2" "it is started all the same (a manifest torn)"
like "$(status .agents[0].error)" 'share/notes: missing' "and that is told"
is "$(push r3 -F force=true)" 200 "a push mends it"
restart
t "and all is well" wait_for 10 is_serving r3
is "$(status .agents[0].error)" null "nothing is said"
is "$(push r2 -F force=true)" 200 "two that are whole"
id2=$(current)
is "$(push r3 -F force=true)" 200 "two that are whole"
id3=$(current)
chmod 000 "$C_ROOT/current/lib/deep/a"
restart
t "one that its user cannot read gives way" wait_for 10 is_serving r2
like "$(status .agents[0].error)" "$id3 differs.*lib/deep/a: " "and that is told"
is "$(push r3 -F force=true)" 200 "until the next push"
id3=$(current)
echo rubbish >> "$C_ROOT/releases/$id3.mtree"
restart
t "so does one whose manifest is damaged" wait_for 10 is_serving r2
like "$(status .agents[0].error)" "$id3 differs.*manifest is damaged" \
    "and that is told"
is "$(push r3 -F force=true)" 200 "until the next push"

# --- no tree at all -------------------------------------------------------
gone=$(current)
stop_updaterd
rm -r "$C_ROOT/releases/$gone"
start_updaterd
t "without its files: the one before" wait_for 10 is_serving r2
is "$(current)" "$id2" "is current"
t "and there is one before that" test -d "$C_ROOT/previous/"
like "$(ctl -j history | jq -r '.history[] | select(.event == "recover") |
    .error')" "files of release $gone are gone: went back to $id2" \
    "the history knows why"
stop_updaterd
rm -r "$C_ROOT"/releases/*/
start_updaterd
like "$(status .agents[0].error)" "there is none to go back to.*push" \
    "when there is none, status says what to do"
is "$(push r3)" 200 "a push mends that"
finish
