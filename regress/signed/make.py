#!/usr/bin/env python3
"""Signed archives, altered in every way there is, and their verdicts.

make.py DIRECTORY writes archives, one.pub, two.pub and `verdicts`: lines of
name, error, text, least and most bytes of tar that may come out (drive.c).
Signatures are made by openssl(1).
"""
import base64
import hashlib
import io
import os
import random
import subprocess
import sys
import tarfile
import zlib

BLOCK = 65536
FLUSH = 2 * 262144      # bytes that inflate may hold back
DATE = "2026-11-22T02:23:48Z"
out = sys.argv[1]
os.makedirs(out, exist_ok=True)
rnd = random.Random(20261122)
verdicts = []


def openssl(*args, data=None):
    return subprocess.run(("openssl",) + args, input=data, check=True,
                          stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout


class Key:
    def __init__(self, name):
        self.name = name
        self.pem = "%s/%s.pem" % (out, name)
        openssl("genpkey", "-algorithm", "ed25519", "-out", self.pem)
        public = openssl("pkey", "-in", self.pem, "-pubout", "-outform",
                         "DER")[-32:]
        self.num = rnd.randbytes(8)
        with open("%s/%s.pub" % (out, name), "w") as f:
            f.write("untrusted comment: public key\n%s\n" %
                    b64(b"Ed" + self.num + public).decode())

    def sign(self, message):
        path = out + "/message"
        with open(path, "wb") as f:
            f.write(message)
        s = openssl("pkeyutl", "-sign", "-inkey", self.pem, "-rawin", "-in",
                    path)
        os.unlink(path)
        return s


def b64(data):
    return base64.b64encode(data)


def tar(*sizes):
    f = io.BytesIO()
    with tarfile.open(fileobj=f, mode="w", format=tarfile.USTAR_FORMAT) as t:
        for i, n in enumerate(sizes):
            info = tarfile.TarInfo("file%d" % i)
            info.size = n
            t.addfile(info, io.BytesIO(rnd.randbytes(n)))
    return f.getvalue()


def deflate(data, level=6):
    c = zlib.compressobj(level, zlib.DEFLATED, -15)
    return c.compress(data) + c.flush() + \
        zlib.crc32(data).to_bytes(4, "little") + \
        len(data).to_bytes(4, "little")


def hashes(body):
    return [hashlib.new("sha512_256", body[i:i + BLOCK]).hexdigest()
            for i in range(0, len(body), BLOCK)]


def message(lines, date=DATE, key="one.sec", algorithm="SHA512/256",
            blocksize=BLOCK):
    return ("date=%s\nkey=%s\nalgorithm=%s\nblocksize=%s\n\n%s" % (
        date, key, algorithm, blocksize,
        "".join(h + "\n" for h in lines))).encode()


class Signed:
    """A signed archive in its parts; str them together with whole()."""
    def __init__(self, key, body, text=None):
        self.gz = b"\x1f\x8b\x08\x10\0\0\0\0\0\x03"
        self.line = b"untrusted comment: verify with one.pub\n"
        self.alg = b"Ed"
        self.num = key.num
        self.text = message(hashes(body)) if text is None else text
        self.sig = key.sign(self.text)
        self.b64 = None
        self.body = body

    def whole(self):
        sig = self.b64
        if sig is None:
            sig = b64(self.alg + self.num + self.sig)
        return self.gz + self.line + sig + b"\n" + self.text + b"\0" + \
            self.body


def passed(body, blocks):
    """Bytes of tar in the first so many blocks."""
    return len(zlib.decompressobj(-15).decompress(body[:blocks * BLOCK]))


def put(name, data, text, blocks=0, body=b"", error="ESIGNATURE"):
    assert "\t" not in text
    with open("%s/%s" % (out, name), "wb") as f:
        f.write(data)
    most = passed(body, blocks) if blocks > 0 else 0
    least = max(0, most - FLUSH)
    verdicts.append("%s\t%s\t%s\t%d\t%d\n" % (name, error, text, least, most))


def good(name, data, signer):
    with open("%s/%s" % (out, name), "wb") as f:
        f.write(data)
    verdicts.append("%s\tok\t\t%d\t%d\n" % (name, signer, signer))


def flip(data, at):
    d = bytearray(data)
    d[at] ^= 1
    return bytes(d)


one, two, strange = Key("one"), Key("two"), Key("strange")
os.unlink(out + "/strange.pub")
small_tar = tar(900)
small = deflate(small_tar)
big_tar = tar(1500000, 1700000, 77)
big = deflate(big_tar)
n = len(hashes(big))
assert n > 40 and len(big) % BLOCK != 0


def whole_blocks(data):
    """A body of that length: empty stored blocks (5 bytes) fill it up."""
    c = zlib.compressobj(0, zlib.DEFLATED, -15)
    head = c.compress(data) + c.flush(zlib.Z_FULL_FLUSH)
    tail = b"\x03\0" + zlib.crc32(data).to_bytes(4, "little") + \
        len(data).to_bytes(4, "little")
    k = 0
    while (len(head) + 5 * k + len(tail)) % BLOCK:
        k += 1
    return head + k * b"\0\0\0\xff\xff" + tail


exact = whole_blocks(tar(150000))
S = Signed(one, small)
B = Signed(one, big)
X = Signed(one, exact)

# --- good ---------------------------------------------------------------
good("good-small", S.whole(), 1)
good("good-many-blocks", B.whole(), 1)
good("good-whole-blocks", X.whole(), 1)
good("good-second-key", Signed(two, small).whole(), 2)


def change(name, why, base=S, blocks=0, **parts):
    a = Signed.__new__(Signed)
    a.__dict__.update(base.__dict__)
    a.__dict__.update(parts)
    put(name, a.whole(), why, blocks, base.body)


# --- the ten bytes of gzip ----------------------------------------------
change("gzip-magic-first", "unsigned", gz=flip(S.gz, 0))
change("gzip-magic-second", "unsigned", gz=flip(S.gz, 1))
change("gzip-method", "unsigned", gz=S.gz[:2] + b"\x07" + S.gz[3:])
for bit, what in ((1, "text"), (2, "crc"), (4, "extra"), (8, "name"),
                  (0x20, "reserved")):
    change("gzip-flag-" + what, "altered: more in the head",
           gz=S.gz[:3] + bytes([0x10 | bit]) + S.gz[4:])
change("gzip-flag-no-comment", "unsigned: a gzip archive without",
       gz=S.gz[:3] + b"\0" + S.gz[4:])
change("gzip-extra-field", "altered: more in the head",
       gz=S.gz[:3] + b"\x14" + S.gz[4:] + b"\3\0xyz")
change("gzip-file-name", "altered: more in the head",
       gz=S.gz[:3] + b"\x18" + S.gz[4:] + b"name\0")
change("gzip-time", "altered: a time", gz=flip(S.gz, 6))
change("gzip-xfl", "altered: unknown flags", gz=flip(S.gz, 8))
change("gzip-system", "altered: unknown system", gz=S.gz[:9] + b"\x80")

# --- the two lines ------------------------------------------------------
change("comment-without-prefix", "unsigned: the comment", line=b"verify\n")
change("comment-missing", "unsigned: the comment", line=b"")
change("comment-control-byte", "control characters",
       line=S.line[:-1] + b"\x1b\n")
change("comment-crlf", "control characters", line=S.line[:-1] + b"\r\n")
change("comment-too-long", "too long",
       line=b"untrusted comment: " + b"x" * 1025 + b"\n")
change("comment-without-end", "unsigned", line=S.line[:-1])
raw = b64(S.alg + S.num + S.sig)
change("signature-algorithm", "not Ed25519", alg=b"Ex")
change("signature-key-number", "no release key here", num=flip(S.num, 0))
change("signature-number-of-another-key", "bad signature: by its number of "
       "key two.pub", num=two.num)
change("signature-first-byte", "bad signature: by its number of key one.pub",
       sig=flip(S.sig, 0))
change("signature-last-byte", "bad signature", sig=flip(S.sig, 63))
change("signature-zeros", "bad signature", sig=bytes(64))
change("signature-of-another-archive", "bad signature", sig=B.sig)
change("signature-unpadded", "base64", b64=raw.rstrip(b"="))
change("signature-short", "base64", b64=raw[:-4])
change("signature-long", "base64", b64=raw[:-4] + b"AAAA" + raw[-4:])
change("signature-other-bits", "base64", b64=raw[:-2] + (
    b"h" if raw[-2:-1] != b"h" else b"i") + b"=")
change("signature-blank", "base64", b64=raw[:50] + b" " + raw[51:])
change("signature-crlf", "base64", b64=raw + b"\r")
change("signature-empty", "base64", b64=b"")
put("signed-by-a-stranger", Signed(strange, small).whole(),
    "no release key here")
stolen = Signed(strange, small)
stolen.num = one.num
put("signed-by-a-stranger-as-us", stolen.whole(), "bad signature")

# --- what is signed -----------------------------------------------------
text = S.text
bad = "bad signature: by its number of key one.pub"
change("date-later", bad, text=text.replace(b"2026-11", b"2027-11"))
change("date-missing", bad, text=text.split(b"\n", 1)[1])
change("key-line", bad, text=text.replace(b"one.sec", b"two.sec"))
change("algorithm", bad, text=text.replace(b"SHA512/256", b"SHA256"))
change("blocksize", bad, text=text.replace(b"65536", b"65537"))
change("blank-line-missing", bad, text=text.replace(b"\n\n", b"\n"))
change("blank-line-twice", bad, text=text.replace(b"\n\n", b"\n\n\n"))
change("hash-digit", bad, base=B, text=flip(B.text, len(B.text) - 2))
change("hash-upper-case", bad, base=B,
       text=B.text[:-65] + B.text[-65:].upper())
change("hash-missing", bad, base=B, text=B.text[:-65])
change("hash-twice", bad, base=B, text=B.text + B.text[-65:])
change("hashes-swapped", bad, base=B,
       text=B.text[:-130] + B.text[-65:] + B.text[-130:-65])
change("hashes-missing", bad, base=B, text=B.text[:B.text.index(b"\n\n") + 2])
change("text-behind-hashes", bad, text=text + b"more\n")
change("last-newline-missing", bad, text=text[:-1])
change("text-crlf", bad, text=text.replace(b"\n", b"\r\n"))
change("nul-in-hashes", bad, base=B, text=B.text[:-66] + b"\0" + B.text[-65:])
change("list-of-another-archive", bad, text=B.text)


# --- signed well, but not as signify would ------------------------------
def strangely(name, why, **args):
    lines = args.pop("lines", hashes(small))
    put(name, Signed(one, small, message(lines, **args)).whole(), why)


strangely("signed-date-none", "its date is none", date="2026-13-01T00:00:00Z")
strangely("signed-date-february", "its date is none",
          date="2026-02-29T00:00:00Z")
strangely("signed-date-short", "without a date", date="2026-11-22")
strangely("signed-date-old", "its date is none", date="1969-12-31T23:59:59Z")
strangely("signed-key-control", "key= is missing", key="a\x07b")
strangely("signed-key-long", "key= is missing", key="k" * 1025)
strangely("signed-sha512", "not in blocks of 64", algorithm="SHA512")
strangely("signed-blocksize", "not in blocks of 64", blocksize=32768)
strangely("signed-blocksize-zero", "not in blocks of 64", blocksize="065536")
strangely("signed-no-hashes", "its list of hashes is none", lines=[])
strangely("signed-upper-case", "its list of hashes is none",
          lines=[h.upper() for h in hashes(small)])
strangely("signed-short-hash", "its list of hashes is none",
          lines=[h[:-1] for h in hashes(small)])
strangely("signed-crlf", "its list of hashes is none",
          lines=[h + "\r" for h in hashes(small)])
put("signed-list-longer", Signed(one, big, message(
    hashes(big) + hashes(big)[:1])).whole(),
    "truncated: cut short in block %d of %d" % (n, n + 1), n - 1, big)
put("signed-list-shorter", Signed(one, big, message(hashes(big)[:-1])).whole(),
    "extended: bytes behind the last of %d" % (n - 1), n - 1, big)

# --- the blocks ---------------------------------------------------------
change("block-first", "altered: block 1 of %d" % n, base=B,
       body=flip(big, 10))
change("block-first-last-byte", "altered: block 1 of %d" % n, base=B,
       body=flip(big, BLOCK - 1))
change("block-second-first-byte", "altered: block 2 of %d" % n, base=B,
       blocks=1, body=flip(big, BLOCK))
change("block-middle", "altered: block %d of %d" % (n // 2 + 1, n), base=B,
       blocks=n // 2, body=flip(big, n // 2 * BLOCK + 999))
change("block-last", "altered: block %d of %d" % (n, n), base=B,
       blocks=n - 1, body=flip(big, len(big) - 1))
change("block-one-of-one", "altered: block 1 of 1", body=flip(small, 5))
change("blocks-swapped", "altered: block 1 of %d" % n, base=B,
       body=big[BLOCK:2 * BLOCK] + big[:BLOCK] + big[2 * BLOCK:])
change("blocks-swapped-later", "altered: block 31 of %d" % n, base=B,
       blocks=30, body=big[:30 * BLOCK] + big[31 * BLOCK:32 * BLOCK] +
       big[30 * BLOCK:31 * BLOCK] + big[32 * BLOCK:])
change("block-twice", "altered: block 21 of %d" % n, base=B, blocks=20,
       body=big[:20 * BLOCK] + big[19 * BLOCK:])
change("block-left-out", "altered: block 21 of %d" % n, base=B, blocks=20,
       body=big[:20 * BLOCK] + big[21 * BLOCK:])
change("block-of-another-archive", "altered: block 1 of 1",
       body=Signed(two, deflate(tar(901))).body)
change("byte-put-in", "altered: block 11 of %d" % n, base=B, blocks=10,
       body=big[:10 * BLOCK + 5] + b"x" + big[10 * BLOCK + 5:])
change("byte-left-out", "altered: block 11 of %d" % n, base=B, blocks=10,
       body=big[:10 * BLOCK + 5] + big[10 * BLOCK + 6:])
change("compressed-again", "altered: block 1 of %d" % n, base=B,
       body=deflate(big_tar, 1))
change("other-contents", "altered: block 1 of 1", body=deflate(tar(902)))

# --- too short, too long ------------------------------------------------
whole = B.whole()
head = len(whole) - len(big)
put("cut-in-gzip-head", S.whole()[:7], "truncated: ends in its head")
put("cut-in-comment", S.whole()[:40], "truncated: ends in its head")
put("cut-in-signature", S.whole()[:90], "truncated: ends in its head")
put("cut-in-hashes", whole[:1000], "truncated: ends in its head")
put("cut-before-nul", whole[:head - 1], "truncated: ends in its head")
put("cut-behind-head", whole[:head], "truncated: ends before block 1 of %d" %
    n)
put("cut-in-first-block", whole[:head + 1000],
    "truncated: cut short in block 1 of %d" % n)
put("cut-at-a-boundary", whole[:head + 30 * BLOCK],
    "truncated: ends before block 31 of %d" % n, 30, big)
put("cut-in-a-block", whole[:head + 30 * BLOCK + 77],
    "truncated: cut short in block 31 of %d" % n, 30, big)
put("cut-last-byte", whole[:-1], "(or cut short", n - 1, big)
put("cut-before-last-block", whole[:head + (n - 1) * BLOCK],
    "truncated: ends before block %d of %d" % (n, n), n - 1, big)
put("extended-byte", S.whole() + b"\0", "or extended)")
put("extended-byte-large", whole + b"\n", "or extended)", n - 1, big)
put("extended-behind-whole-blocks", X.whole() + b"\0",
    "extended: bytes behind the last of %d" % (len(exact) // BLOCK),
    len(exact) // BLOCK, exact)
put("second-member", S.whole() + b"\x1f\x8b\x08\0\0\0\0\0\0\x03" + small,
    "or extended)")
put("second-signed-archive", S.whole() + S.whole(), "or extended)")
put("second-behind-whole-blocks", X.whole() + S.whole(),
    "extended: bytes behind the last", len(exact) // BLOCK, exact)
put("something-before", b"\n" + S.whole(), "unsigned: not compressed")

# --- not signed at all --------------------------------------------------
put("unsigned-gzip", b"\x1f\x8b\x08\0\0\0\0\0\0\x03" + small,
    "unsigned: a gzip archive without a signature")
put("unsigned-comment", b"\x1f\x8b\x08\x10\0\0\0\0\0\x03hello\0" + small,
    "unsigned: the comment")
put("unsigned-tar", small_tar, "unsigned: not compressed")
zst = subprocess.run(("zstd", "-q", "-c"), input=small_tar, check=True,
                     stdout=subprocess.PIPE).stdout
put("unsigned-zstd", zst, "unsigned: zstd has no room")
put("unsigned-endless-comment", S.gz + b"untrusted comment: " +
    b"a" * (33 << 20), "a list of hashes over")

# --- signed, and damaged all the same -----------------------------------
# It was signed so: a matter of the decompressor, as without a key.
crc = flip(small, len(small) - 6)
put("signed-wrong-crc", Signed(one, crc).whole(), "wrong gzip checksum",
    error="ECOMPRESS")
put("signed-two-members", Signed(one, small + b"\x1f\x8b\x08\0\0\0\0\0\0\x03" +
                                 small).whole(), "a second gzip member",
    error="ETRAILING")

for k in (one, two, strange):
    os.unlink(k.pem)
with open(out + "/verdicts", "w") as f:
    f.writelines(verdicts)
