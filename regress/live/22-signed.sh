#!/bin/sh
# Goal: with a release key nothing but what it signed is installed, however
# it comes; signify and updatermaster sign for each other; keys are changed
# by overlap; an old signed release does not come back by being sent again.
. "${0%/*}/../lib.sh"
signify=$(command -v signify-openbsd || command -v signify) ||
    skip_all "no signify"

# Keys: two of signify's, one of a stranger of the same name.
mkdir "$T/keys" "$T/strange"
for k in one two; do
	"$signify" -G -n -p "$T/keys/$k.pub" -s "$T/keys/$k.sec"
done
"$signify" -G -n -p "$T/strange/one.pub" -s "$T/strange/one.sec"

# sign KEY NAME: $T/NAME.tgz becomes $T/NAME-signed.tgz, at this time
sign() {
	"$signify" -Sz -s "$T/keys/$1.sec" -m "$T/$2.tgz" -x "$T/$2-s.tgz"
	digest "$T/$2-s.tgz" >"$T/$2-s.sha256"
}
# put NAME [query]: the archive as a body, without a digest; the status
put() {
	request -T "$T/$1.tgz" "https://127.0.0.1:$PORT/update?sha=$1${2-}"
}
# refused DESCRIPTION PATTERN NAME [query]: 422 with that reason
refused() {
	is "$(put "$3" "${4-}")" 422 "$1: refused"
	like "$(body .detail)" "$2" "$1: and the reason"
}

C_TOP="release key \"$T/keys/one.pub\""
make_users
make_certs
write_conf
t "the configuration with a key is fine" "$UPDATERD" -n -f "$T/conf"
chmod 664 "$T/keys/one.pub"
t "not when others can write to the key" sh -c \
    "! '$UPDATERD' -n -f '$T/conf' 2>'$T/err'"
like "$(cat "$T/err")" 'one.pub": writable by group or others' "and says so"
chmod 644 "$T/keys/one.pub"
chown _updagent "$T/keys/one.pub"
t "not when it is another's" sh -c \
    "! '$UPDATERD' -n -f '$T/conf' 2>'$T/err'"
like "$(cat "$T/err")" 'one.pub": must belong to root' "and says so"
chown root "$T/keys/one.pub"
cp "$T/keys/one.pub" "$T/keys/same.pub"
for other in "$T/strange/one.pub:of the same name as that" \
    "$T/keys/same.pub:the same key as that"; do
	sed "1i release key \"${other%%:*}\"" "$T/conf" >"$T/conf.two"
	chmod 600 "$T/conf.two"
	t "not two keys: ${other#*:}" sh -c \
	    "! '$UPDATERD' -n -f '$T/conf.two' 2>'$T/err'"
	like "$(cat "$T/err")" "${other#*:} on line 1" "and says where"
done
start_updaterd

mk_release r1
mk_release r2
mk_release r3
sign one r1
old=$(signed_on "$T/r1-s.tgz")
t "a later one is signed" wait_for 5 \
    signed_after "$old" "$T/r2-s.tgz" sign one r2
"$signify" -Szn -s "$T/keys/one.sec" -m "$T/r3.tgz" -x "$T/r3-undated.tgz"
"$signify" -Sz -s "$T/strange/one.sec" -m "$T/r3.tgz" -x "$T/r3-strange.tgz"
"$signify" -Sz -s "$T/keys/two.sec" -m "$T/r3.tgz" -x "$T/r3-two.tgz"
gzip -dc "$T/r1.tgz" >"$T/plain.tgz"
zstd -q -f "$T/plain.tgz" -o "$T/zstd.tgz"

# --- what is not signed -------------------------------------------------
refused "unsigned gzip" "^unsigned: .*sign it with" r1
is "$(push r1)" 422 "the same with its digest"
refused "plain tar" "^unsigned: not compressed" plain
refused "zstd" "^unsigned: zstd has no room for a signature" zstd
refused "another's key of the same name" "key that is no release key here" \
    r3-strange
refused "a key that is not there yet" "there is one.pub" r3-two
refused "without a date" "one.pub, but without a date" r3-undated
cp "$T/r1-s.tgz" "$T/flip.tgz"
printf 'X' | dd of="$T/flip.tgz" bs=1 conv=notrunc status=none \
    seek=$(($(stat -c %s "$T/flip.tgz") - 100))
refused "a byte changed" "^altered: block .* signed with key one.pub" flip
{ cat "$T/r1-s.tgz"; echo; } >"$T/longer.tgz"
refused "a byte added" "key one.pub" longer
head -c 5000 "$T/r1-s.tgz" >"$T/shorter.tgz"
refused "cut short" "cut short, .*key one.pub|key one.pub \\(or cut short" \
    shorter
is "$(current)" "" "nothing of it was installed"
t "nothing is left in staging" wait_for 10 clean_staging

# --- what is ------------------------------------------------------------
is "$(put r1-s)" 200 "signed, and no digest is asked for"
is "$(serving)" r1 "and served"
is "$(body .release.signer)" one.pub "the answer names the key"
is "$(body .release.signed_at)" "${old%Z}.000000+00:00" "and the date"
request -F "sha256=$(cat "$T/r1-s.sha256")" -F "tarball=@$T/r2-s.tgz" \
    "https://127.0.0.1:$PORT/update" >"$T/code"
is "$(cat "$T/code")" 422 "a digest that is given is checked all the same"
is "$(push r2-s)" 200 "a later one, with its digest"
like "$(ctl history)" "one.pub" "history names the key"
like "$(ctl releases)" "signed by one.pub" "so does releases"
like "$(ctl status)" "one.pub" "so does status"
is "$(ctl -j history | jq -r .history[0].signer)" one.pub "as JSON, too"

# --- an old one ---------------------------------------------------------
refused "a release signed before" "before the running release .*$(current)" \
    r1-s
refused "forced" "before the running release" r1-s "&force=true"
refused "dry" "before the running release" r1-s "&dry_run=true"
is "$(serving)" r2 "the running one stays"
is "$(put r2-s)" 200 "the running one again"
is "$(body .unchanged)" true "is unchanged"
C_PERMIT='permit push from subject "pusher"'
write_conf
t "reload with one who may only push" ctl reload
CERT=pusher
is "$(put r1-s '&downgrade=true')" 403 "downgrade needs role self"
like "$(body .detail)" "downgrade needs role self" "and says so"
is "$(request -F downgrade=true -F "tarball=@$T/r1-s.tgz" \
    "https://127.0.0.1:$PORT/update")" 403 "in a form, too"
CERT=master
is "$(put r1-s '&downgrade=true')" 200 "with role self it is taken"
is "$(serving)" r1 "and served"
is "$(put r2-s)" 200 "and forward again"
t "root may say so at the control socket" ctl update -D default \
    "$T/r1-s.tgz"
is "$(serving)" r1 "and it is served"
is "$(put r2-s)" 200 "and forward again"
t "but has to say so" sh -c "! '$UPDATERCTL' -s '$T/updaterd.sock' update \
    default '$T/r1-s.tgz' 2>'$T/err'"
like "$(cat "$T/err")" "before the running release" "and is told why"
t "and cannot do without a signature" sh -c "! '$UPDATERCTL' -s \
    '$T/updaterd.sock' update -D default '$T/r1.tgz' 2>'$T/err'"
like "$(cat "$T/err")" "unsigned" "and is told that"

# --- one of a day that is yet to come ------------------------------------
python3 "$HERE/redate.py" "$T/keys/one.sec" "$T/r1-s.tgz" \
    "$(date -u -d '+25 hours' +%FT%TZ)" >"$T/r1-early.tgz"
python3 "$HERE/redate.py" "$T/keys/one.sec" "$T/r1-s.tgz" \
    "$(date -u -d '+23 hours' +%FT%TZ)" >"$T/r1-soon.tgz"
refused "signed by a clock that is days ahead" \
    "one.pub on $(signed_on "$T/r1-early.tgz"), which is yet to come" r1-early
is "$(serving)" r2 "the running one stays"
is "$(put r1-early '&downgrade=true&dry_run=true')" 200 \
    "with role self it would be taken"
is "$(put r1-soon '&dry_run=true')" 200 "one of today is taken as it is"

# --- a record that is lost ------------------------------------------------
is "$(put r2-s '&force=true')" 200 "twice the same"
stop_updaterd
: >"$C_ROOT/releases/$(current).json"
start_updaterd
refused "by the date of the one before" "before release $(readlink \
    "$C_ROOT/previous" | sed 's|.*/||')" r1-s

# --- another key --------------------------------------------------------
C_TOP="release key \"$T/keys/one.pub\"
release key \"$T/keys/two.pub\""
write_conf
t "reload with both keys" ctl reload
t "a later one is signed with it" wait_for 5 \
    signed_after "$(signed_on "$T/r2-s.tgz")" "$T/r3-s.tgz" sign two r3
is "$(put r3-s)" 200 "signed with the new key"
is "$(body .release.signer)" two.pub "which is named"
C_TOP="release key \"$T/keys/two.pub\""
C_AGENT='allow downgrade'
write_conf
t "reload without the old key" ctl reload
refused "signed with the old key" "no release key here .*there is two.pub" \
    r2-s
sign two r1
sign two r2
"$signify" -Szn -s "$T/keys/two.sec" -m "$T/r1.tgz" -x "$T/r1-undated.tgz"
is "$(put r1-undated)" 200 "allow downgrade takes one without a date"
is "$(api POST /rollback)" 200 "rollback needs no new signature"
is "$(serving)" r3 "and serves what was there"
cp "$T/strange/one.pub" "$T/keys/two.pub"
is "$(put r2-s)" 200 "a key file counts as it was when read"
t "and is read again by a reload" ctl reload
refused "then the new one counts" "no release key here" r2-s "&force=true"
finish
