#!/bin/sh
# Goal: the wall clock may jump back and forth, by an hour or by decades, at
# rest, during an update and between two starts: no release, journal, line of
# history or running service is lost over it, and what it does to the
# validity of certificates is over when it is right again.
. "${0%/*}/lab"
make_users
make_certs
cp "$HERE/fault/clockstep" "$T/updaterd"
UPDATERD=$T/updaterd
C_KEEP=2 C_STOP=2s
PORT=$(free_port) APORT=$(free_port)
C_HEALTH="health tcp 127.0.0.1 port $APORT { within 5s timeout 1s }"
write_conf
mv "$T/conf" "$T/conf.tcp"
C_HEALTH=
write_conf
mkdir -p "$T/empty"
mk_release r1
mk_release r2
mk_release slow slow-start=400
mk_release bad exit-at-once
lab_env
python3 "$HERE/fault/clock.py"
