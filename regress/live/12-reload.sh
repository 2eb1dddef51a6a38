#!/bin/sh
# Goal: configuration: checked, printed, reloaded only when valid; new
# certificates come in by HUP; the control socket has its limits.
. "${0%/*}/../lib.sh"
setup
mk_release r1
for p in parent net probe; do
	is "$(tr '\0' '\n' <"/proc/$(process $p)/cmdline" | head -n 1)" \
	    "updaterd: $p" "ps tells which is $p"
done
like "$("$UPDATERD" -V 2>&1)" '[0-9]+\.[0-9]+' "-V"
t "-n" "$UPDATERD" -n -f "$T/conf"
"$UPDATERD" -nv -f "$T/conf" > "$T/printed" 2>/dev/null
chmod 0600 "$T/printed"
"$UPDATERD" -nv -f "$T/printed" > "$T/again" 2>/dev/null
t "-nv is a fixed point" cmp "$T/printed" "$T/again"
chmod 0666 "$T/printed"
t "writable by others: refused" sh -c "! '$UPDATERD' -n -f '$T/printed'"
is "$(push r1)" 200 "a good release"
pid=$(service pid) netpid=$(process net)

cp "$T/conf" "$T/good"
echo 'nonsense' >> "$T/conf"
t "reload of a bad one fails" sh -c \
    "! '$UPDATERCTL' -s '$T/updaterd.sock' reload"
kill -HUP "$UPID"
t "HUP with a bad one says so" wait_for 5 grep -q 'nonsense\|syntax' "$T/log"
is "$(api GET /health)" 200 "the old one is in use"
cp "$T/good" "$T/conf"
sed -i 's/permit read from subject "monitor"/permit read from subject "nobody"/' \
    "$T/conf"
t "reload" ctl reload
became() {
	[ "$(CERT=nobody api GET /releases)" = 200 ]
}
t "a new permit" wait_for 5 became
is "$(CERT=monitor api GET /releases)" 403 "an old one is gone"
is "$(service pid) $(process net)" "$pid $netpid" "nothing was restarted"

# A new key and certificate for the listener.
old=$(openssl x509 -in "$T/certs/updater.crt" -noout -fingerprint)
cp "$T/certs/worker.crt" "$T/certs/updater.crt"
cp "$T/certs/worker.key" "$T/certs/updater.key"
shown() {
	openssl s_client -connect "127.0.0.1:$PORT" </dev/null 2>/dev/null |
	    openssl x509 -noout -fingerprint
}
is "$(shown)" "$old" "the old certificate until told"
kill -HUP "$UPID"
changed() {
	[ "$(shown)" != "$old" ]
}
t "the new one after HUP" wait_for 5 changed

is "$(stat -c '%a %u' "$T/updaterd.sock" | sed 's/^[0-7]*\([0-7][0-7][0-7]\)/\1/')" \
    "600 0" "the control socket is root's"
sed -i "s|^control .*|control \"$T/updaterd.sock\" group \"_updagent\"|" "$T/conf"
stop_updaterd
start_updaterd
is "$(stat -c '%a %G' "$T/updaterd.sock")" "660 _updagent" "or a group's"
asgroup() {
	setpriv --reuid=_updagent --regid=_updagent --init-groups \
	    "$UPDATERCTL" -s "$T/updaterd.sock" "$@"
}
t "whose members may read" asgroup status
t "and no more" sh -c "! setpriv --reuid=_updagent --regid=_updagent \
    --init-groups '$UPDATERCTL' -s '$T/updaterd.sock' stop agent"
is "$(service state)" up "it was not stopped"
head -c 200000 /dev/urandom | timeout 5 python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
try:
    s.sendall(sys.stdin.buffer.read())
except OSError:
    pass' "$T/updaterd.sock"
t "garbage on the control socket closes that client only" ctl status
t "log verbose" ctl log verbose
t "log brief" ctl log brief
t "unknown command: usage" sh -c \
    "'$UPDATERCTL' nosuch; test \$? = 2"
finish
