#!/bin/sh
# What a stolen part can do, with a release key set.  A net that has been
# taken over (forger.c) speaks to the parent as it likes: it makes up the
# caller, the role, the flags and the digests, and chooses every byte.  A
# stolen master certificate does the same over HTTP.  Neither gets anything
# installed that was not signed, or that is older than what runs.
C_HEALTH="$(printf 'health none')"
. "${0%/*}/../lib.sh"
FAULT=$HERE/fault
signify=$(command -v signify-openbsd || command -v signify) ||
    skip_all "no signify"
export UPDATERD="$FAULT/updaterd"
export UPDATERD_TEST_DIR="$T/forge.d"
export UPDATERD_TEST_NET="$FAULT/forger"
F=$UPDATERD_TEST_DIR
mkdir -p "$F"
ln -s "$UPDATERD" "$F/updaterd"
"$signify" -G -n -p "$T/one.pub" -s "$T/one.sec"
"$signify" -G -n -p "$T/thief.pub" -s "$T/thief.sec"
C_TOP="release key \"$T/one.pub\""
PERMIT_SELF='permit self from subject "updater-master"'
make_users
make_certs
write_conf
nobody_self() {
	sed 's/^permit self/permit push/' "$T/conf" >"$T/conf.new"
	chmod 600 "$T/conf.new"
	mv "$T/conf.new" "$T/conf"
}
nobody_self
start_updaterd

sign() {	# key name
	"$signify" -Sz -s "$T/$1.sec" -m "$T/$2.tgz" -x "$T/$2.$1"
}
mk_release old big=300000
mk_release new big=300000
mk_release evil big=300000
sign one old
t "a later one is signed" wait_for 5 \
    signed_after "$(signed_on "$T/old.one")" "$T/new.one" sign one new
sign thief evil
for r in old new; do
	is "$(request -T "$T/$r.one" \
	    "https://127.0.0.1:$PORT/update?sha=$r")" 200 "$r is installed"
done
before=$(current)
running=$(status '.agents[0].release.sha256')

# --- the stolen certificate ----------------------------------------------
for q in "" "&force=true" "&dry_run=true" "&downgrade=true"; do
	s=$(request -T "$T/evil.tgz" \
	    "https://127.0.0.1:$PORT/update?sha=evil$q")
	case $s in 422|403) ok "certificate: unsigned, $q: $s";;
	*) not_ok "certificate: unsigned, $q: $s";; esac
done
is "$(request -T "$T/evil.thief" \
    "https://127.0.0.1:$PORT/update?sha=evil")" 422 \
    "certificate: signed with a key of its own"
is "$(request -T "$T/old.one" "https://127.0.0.1:$PORT/update?sha=old")" \
    422 "certificate: an old release"

# --- the stolen net --------------------------------------------------------
# head_of FILE: bytes up to the NUL behind the signature
head_of() {
	python3 -c 'import sys
print(open(sys.argv[1], "rb").read().index(b"\0", 10) + 1)' "$1"
}
h=$(head_of "$T/new.one")
python3 - "$T" <<'P'
import sys
t = sys.argv[1]
evil = open(t + "/evil.tgz", "rb").read()
new = open(t + "/new.one", "rb").read()
# evil's compressed bytes under the signed head of new
open(t + "/grafted", "wb").write(new[:new.index(b"\0", 10) + 1] + evil[10:])
P
zstd -q -f "$T/evil.tgz" -o "$T/evil.zst"
gzip -dc "$T/evil.tgz" >"$T/evil.tar"
cat >"$F/forge" <<C
unsigned 0 true $T/evil.tgz
unsigned-forced 1 true $T/evil.tgz
unsigned-dry 2 true $T/evil.tgz
unsigned-self f true $T/evil.tgz
unsigned-all-flags ffffffff true $T/evil.tgz
unsigned-as-running 1 $running $T/evil.tgz
unsigned-zstd f true $T/evil.zst
unsigned-tar f true $T/evil.tar
thief f true $T/evil.thief
thief-as-running 1 $running $T/evil.thief
grafted f true $T/grafted
graft-late f true $T/new.one:0:$((h + 65536)) $T/grafted:$((h + 65536)):99999999
head-only f true $T/new.one:0:$h
cut f true $T/new.one:0:$((h + 65536 * 3))
swapped f true $T/new.one:0:$h $T/new.one:$((h + 65536)):$((h + 131072)) $T/new.one:$h:$((h + 65536))
then-more f true $T/new.one $T/evil.tgz
then-more-behind-done f true $T/new.one - $T/evil.tgz
two-archives f true $T/new.one $T/new.one
nothing f true /dev/null
old 1 true $T/old.one
old-downgrade d true $T/old.one
old-as-running 5 $running $T/old.one
C
kill9 "$(process net)"
forged() {
	grep -q '^end ' "$F/forge.log" 2>/dev/null
}
t "the forger is through" wait_for 120 forged
tries=$(wc -l <"$F/forge")
said=$(grep -cv '^end ' "$F/forge.log")
is "$said" "$tries" "all its tries are answered"
odd=$(awk '$1 != "end" && $2 != 422 && $2 != 403 && $2 != 400 && $2 != 500' \
    "$F/forge.log")
is "$odd" "" "and none of them well"
note "$(cut -c 1-150 "$F/forge.log")"
like "$(grep '^old-downgrade' "$F/forge.log")" "nobody has role self" \
    "downgrade is not net's to grant"
is "$(current)" "$before" "nothing was installed"
t "nothing is left in staging" wait_for 10 clean_staging
unlike "$(ls -R "$C_ROOT")" "evil" "not even for a look"
t "the parent is the same" alive "$UPID"

# --- the judge is asked each time ------------------------------------------
# The running one again is honest bytes, whoever brings them.
rm "$F/forge.log"
echo "again 1 true $T/new.one" >"$F/forge"
kill9 "$(process net)"
t "what is signed" wait_for 60 forged
like "$(cat "$F/forge.log")" "^again 200 " "is installed, whoever brings it"
rm "$F/forge" "$F/forge.log"
kill9 "$(process net)"
t "an honest net comes back" wait_for 30 listening
finish
