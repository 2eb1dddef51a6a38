#!/bin/sh
# Goal: hostile archives by a real push: refused with the entry's name, and
# nothing is left of them, inside or outside of the release.  (The whole
# corpus is in regress/archive.)
. "${0%/*}/../lib.sh"
C_AGENT='limits { unpacked 4M files 100 reserve 1% }'
setup
mk_release r1
is "$(push r1)" 200 "a good release"
id=$(current)

python3 - "$T" <<'P'
import gzip, io, sys, tarfile
d = sys.argv[1]

def make(name, *members, tail=b"", cut=None):
    raw = io.BytesIO()
    t = tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT)
    for m in members:
        ti = tarfile.TarInfo(m[0])
        for k, v in m[1].items():
            setattr(ti, k, v)
        data = m[2] if len(m) > 2 else b""
        ti.size = len(data)
        t.addfile(ti, io.BytesIO(data))
    t.close()
    data = raw.getvalue()[:cut]
    open("%s/%s.tgz" % (d, name), "wb").write(gzip.compress(data) + tail)

f = ("file", {}, b"x")
make("absolute", ("/etc/updtest-evil", {}, b"x"))
make("dotdot", ("a/../../../evil", {}, b"x"))
make("symlink-out", ("l", {"type": tarfile.SYMTYPE, "linkname": "../../x"}), f)
make("through-symlink", ("l", {"type": tarfile.SYMTYPE, "linkname": "d"}),
     ("l/evil", {}, b"x"))
make("hardlink-out", ("h", {"type": tarfile.LNKTYPE,
                            "linkname": "/etc/passwd"}), f)
make("device", ("dev", {"type": tarfile.CHRTYPE, "devmajor": 1,
                        "devminor": 3}), f)
make("fifo", ("pipe", {"type": tarfile.FIFOTYPE}), f)
# Longer than the answer's text: the reason must be there all the same.
make("long-name", ("x/" + "/".join(["\u00e9" * 120] * 4) + "/p",
                   {"type": tarfile.FIFOTYPE}), f)
make("control-char", ("a\nb", {}, b"x"))
make("duplicate", f, f)
make("too-large", ("big", {}, b"\0" * 5000000))
make("too-many", *[("f%d" % i, {}, b"x") for i in range(200)])
make("empty", ("dir", {"type": tarfile.DIRTYPE}))
make("second-member", f, tail=gzip.compress(b"x" * 1000))
make("garbage-behind", f, tail=b"garbage")
make("no-end", f, cut=1024)
raw = open(d + "/no-end.tgz", "rb").read()
open(d + "/bad-crc.tgz", "wb").write(raw[:-8] + b"\0\0\0\0" + raw[-4:])
open(d + "/nested.tgz", "wb").write(gzip.compress(raw))
open(d + "/not-tar.tgz", "wb").write(gzip.compress(b"hello" * 1000))
import os
make("slow", ("../evil", {}, b"x"), ("big", {}, os.urandom(2000000)))
open(d + "/xz.tgz", "wb").write(b"\xfd7zXZ\0" + b"\0" * 600)
P
refused() {	# name pattern
	digest "$T/$1.tgz" > "$T/$1.sha256"
	is "$(push "$1")" 422 "$1: 422"
	like "$(body '.detail | tostring')" "$2" "$1: says what"
}
refused absolute '/etc/updtest-evil'
refused dotdot 'evil'
refused symlink-out 'l'
refused through-symlink 'l'
refused hardlink-out 'h'
refused device 'dev'
refused fifo 'pipe'
refused long-name 'x/.*[.][.][.]: .*FIFO'
refused control-char 'a'
refused duplicate 'file'
refused too-large 'big.*more than'
refused too-many 'more than 100'
refused empty 'no file'
refused second-member 'second gzip member'
refused garbage-behind 'after the end'
refused no-end 'end is missing'
refused bad-crc 'checksum'
refused nested 'gzip inside gzip'
refused not-tar 'not a tar'
refused xz 'xz is not accepted'
# While its rest still comes: the entry is the reason, and not that what
# reads it was then told to stop.
digest "$T/slow.tgz" > "$T/slow.sha256"
is "$(push slow --limit-rate 500K)" 422 "slow: 422"
like "$(body '.detail | tostring')" 'evil' "slow: says what"
t "nothing is left" wait_for 10 clean_staging
t "nothing got out" sh -c "! ls /etc/updtest-evil '$T/evil' '$C_ROOT/evil'"
is "$(current) $(serving)" "$id r1" "the running release was not touched"
is "$(push r1 -F force=true)" 200 "and a good push goes through"
finish
