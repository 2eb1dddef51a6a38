#!/bin/sh
# Goal: updatermaster signs what it pushes, and signs archives for others;
# what it and signify sign and what keys they make are good in both.
. "${0%/*}/../lib.sh"
. "$HERE/fleet.sh"
[ "$UPD_NAMESPACE" = own ] || skip_all "needs a mount name space"
signify=$(command -v signify-openbsd || command -v signify) ||
    skip_all "no signify"

# Two masters' worth of keys: one of updatermaster, one of signify.
um init -k >/dev/null 2>&1
mkdir "$T/keys"
"$signify" -G -n -p "$T/keys/theirs.pub" -s "$T/keys/theirs.sec"
ours=$M/release.pub theirs=$T/keys/theirs.pub
printf 'secret\n' |
    "$signify" -G -p "$T/keys/asked.pub" -s "$T/keys/asked.sec" 2>/dev/null

mk_fleet_release r1
mk_fleet_release r2
mk_fleet_release r3
verify() {	# public key, archive: signify finds it good, and it is NAME
	"$signify" -Vqz -p "$1" -x "$2" 2>"$T/err" >"$T/verified" &&
	    gzip -dc "$T/verified" | cmp - "$T/r1.tar"
}
gzip -dc "$T/r1.tgz" >"$T/r1.tar"

# --- sign ---------------------------------------------------------------
t "sign with our key" um sign "$T/r1.tgz"
t "signify finds it good" verify "$ours" "$T/r1.tgz.signed"
t "sign with a key of signify's" um sign -k "$T/keys/theirs.sec" \
    "$T/r1.tgz" -o "$T/r1.theirs"
t "signify finds it good" verify "$theirs" "$T/r1.theirs"
t "by that key only" sh -c "! '$signify' -Vqz -p '$ours' \
    -x '$T/r1.theirs' >/dev/null 2>&1"
unlike "$(head -c 400 "$T/r1.theirs" | tr -d '\0')" "$T" "no path leaks"
cp "$T/r1.theirs" "$T/r1.again"
t "sign again, in place" um sign "$T/r1.again" -o "$T/r1.again"
t "the new signature counts" verify "$ours" "$T/r1.again"
t "the old one has gone" sh -c "! '$signify' -Vqz -p '$theirs' \
    -x '$T/r1.again' >/dev/null 2>&1"
gzip <"$T/r1.tar" | python3 -c 'import sys
d = sys.stdin.buffer.read()
o = bytes([0x1f, 0x8b, 8, 2 | 4 | 8 | 16]) + d[4:10] + b"\1\2" + \
    bytes(513) + b"name\0comment\0hc"
sys.stdout.buffer.write(o + d[10:])' >"$T/busy"
t "a name, a comment and more in the head are left out" um sign "$T/busy"
t "and it is good" verify "$ours" "$T/busy.signed"
python3 -c 'import sys
d = sys.stdin.buffer.read()
sys.stdout.buffer.write(d[:3] + b"\40" + d[4:])' <"$T/r1.tgz" >"$T/reserved"
t "an archive of exactly one block" sh -c "head -c 65000 /dev/urandom |
    gzip -1n >'$T/block'; truncate -s 65546 '$T/block';
    '$UPDATERMASTER' -d '$M' sign '$T/block'"
is "$(tr '\0' '\n' <"$T/block.signed" | grep -aEc '^[0-9a-f]{64}$')" 1 \
    "has one hash"
fails() {	# description pattern command...
	d=$1 p=$2
	shift 2
	if "$@" >"$T/out" 2>&1; then
		not_ok "$d"
	else
		like "$(cat "$T/out")" "$p" "$d"
	fi
}
fails "not a gzip" "only a gzip archive" um sign "$T/r1.tar"
fails "a flag of gzip that none knows" "only a gzip archive" \
    um sign "$T/reserved"
fails "no such key" "No such file .*updatermaster init -k" um sign -k "$T/none.sec" "$T/r1.tgz"
fails "no file" "not a regular file" um sign -k /dev/null "$T/r1.tgz"
fails "a public key" "is a public key: sign with the secret one" um sign -k "$theirs" "$T/r1.tgz"
t "a key with a passphrase" sh -c "echo secret | '$UPDATERMASTER' sign \
    -k '$T/keys/asked.sec' '$T/r1.tgz' -o '$T/r1.asked'"
t "signs what signify finds good" verify "$T/keys/asked.pub" "$T/r1.asked"
echo guessed >"$T/guess"
fails "the wrong passphrase" "wrong passphrase" sh -c "'$UPDATERMASTER' \
    sign -k '$T/keys/asked.sec' '$T/r1.tgz' <'$T/guess'"
fails "no passphrase" "signify -G -n" sh -c "'$UPDATERMASTER' sign \
    -k '$T/keys/asked.sec' '$T/r1.tgz' </dev/null"
python3 -c 'import base64, sys
a, b = sys.stdin.read().splitlines()
d = base64.b64decode(b)
print(a, base64.b64encode(d[:4] + b"\377" * 4 + d[8:]).decode(), sep="\n")' \
    <"$T/keys/asked.sec" >"$T/keys/slow.sec"
chmod 600 "$T/keys/slow.sec"
fails "a passphrase that would take a year" "damaged: 4294967295 rounds" \
    timeout 20 "$UPDATERMASTER" sign -k "$T/keys/slow.sec" "$T/r1.tgz"
chmod 640 "$T/keys/theirs.sec"
fails "a key that others can read" "chmod 600" um sign \
    -k "$T/keys/theirs.sec" "$T/r1.tgz"
chmod 600 "$T/keys/theirs.sec"
sed 's/^RWRC....../RWRCSwAAAAB/' "$T/keys/theirs.sec" | tr b c \
    >"$T/keys/torn.sec"
chmod 600 "$T/keys/torn.sec"
fails "a damaged key" "damaged|no secret key" um sign \
    -k "$T/keys/torn.sec" "$T/r1.tgz"

# --- push ---------------------------------------------------------------
rm -rf "$M"
fleet 1
um init -k >/dev/null 2>&1
cp "$M/release.pub" "$T/keys/ours.pub"
chmod 644 "$theirs" "$T/keys/ours.pub"
n=$(echo $FLEET)
{
	echo "release key \"$T/keys/ours.pub\""
	echo "release key \"$theirs\""
	cat "$T/h/$n/conf"
} >"$T/conf.new"
chmod 600 "$T/conf.new"
mv "$T/conf.new" "$T/h/$n/conf"
t "the host wants signatures now" "$UPDATERCTL" \
    -s "$T/h/$n/updaterd.sock" reload
signer() {
	"$UPDATERCTL" -j -s "$T/h/$n/updaterd.sock" releases |
	    jq -r '.releases[0].signer'
}
fails "an unsigned push" "unsigned" um push --all --root "$T/src/r1" --sha r1
t "push --sign" um push --all --root "$T/src/r1" --sha r1 --sign
is "$(all_active)" r1 "is installed"
like "$(signer)" '^ours.pub$' "signed by our key"
t "push --sign KEY" um push --sign "$T/keys/theirs.sec" --all \
    --root "$T/src/r2" --sha r2
is "$(all_active)" r2 "is installed"
like "$(signer)" '^theirs.pub$' "signed by that key"
like "$(um releases)" theirs.pub "the table names it, too"
t "sign, then push it ready" sh -c "'$UPDATERMASTER' -d '$M' sign \
    '$T/r3.tgz' && '$UPDATERMASTER' -d '$M' push --all --sha r3 \
    --tarball '$T/r3.tgz.signed'"
is "$(all_active)" r3 "is installed"
t "push --sign=KEY of a ready archive" um push --all \
    --sign="$T/keys/theirs.sec" --tarball "$T/r1.tgz" --sha r1
is "$(all_active)" r1 "is installed"
later() {
	rm -f "$T/r1.later"
	um sign -k "$T/keys/theirs.sec" "$T/r1.tgz" -o "$T/r1.later"
}
t "one is signed later" wait_for 5 signed_after \
    "$(signed_on "$T/r3.tgz.signed")" "$T/r1.later" later
t "and pushed" um push --all --tarball "$T/r1.later" --sha r1
fails "one that was signed before" "older release is not taken" um push \
    --all --tarball "$T/r3.tgz.signed" --sha r3
t "push --downgrade" um push --all --tarball "$T/r3.tgz.signed" --sha r3 \
    --downgrade
is "$(all_active)" r3 "is installed"
chmod 600 "$theirs"
fails "a key that is none" "is a public key" um push --all --sign "$theirs" \
    --root "$T/src/r2" --sha r2

# --- a rollout that is resumed -------------------------------------------
mk_fleet_release r4
stop_host "$n"
fails "the host is not there" "." um push --all --root "$T/src/r4" --sha r4 \
    --retries 0 --sign
start_host "$n"
t "it comes back" wait_for 30 fleet_answers
t "go on" um push --resume
is "$(all_active)" r4 "the same signed archive is sent, and installed"
like "$(signer)" '^ours.pub$' "signed by our key"
stop_host "$n"
finish
