#!/usr/bin/env python3
"""Write a corpus of hostile and good archives into a directory.

    make.py directory

A file's name says the attack.  Beside them `verdicts`: a line each of name,
error (ok or the enum's name without UPD_), the entry's path as it is shown,
and a part of the reason, tab-separated.  For a good archive the last field
is what must be in the tree: "files bytes sum", the sum of the CRC-32 of each
file's and symlink's path, a NUL and the contents or target.  Standard library
only.
"""
import bz2
import gzip
import io
import lzma
import os
import struct
import sys
import tarfile
import zlib

from raw import END, FILE, directory, gnulong, gz, hardlink, header, member, \
    pad, pax, symlink, zst

OUT = sys.argv[1]
VERDICTS = []


# --- the corpus -------------------------------------------------------------

def put(name, data, error="ok", path="", text=""):
    with open(os.path.join(OUT, name), "wb") as f:
        f.write(data)
    if name in [v[0] for v in VERDICTS]:
        sys.exit("twice: " + name)
    VERDICTS.append((name, error, path, text))


def bad(name, body, path, text, error="EENTRY", end=END):
    put(name + ".tar", FILE + body + end, error, path, text)


def count(tar):
    """What a good archive must become, by Python's tarfile."""
    files = size = total = 0
    with tarfile.open(fileobj=io.BytesIO(tar), errors="surrogateescape") as t:
        for m in t:
            if m.isdir() or m.name.endswith("/"):
                continue
            name = os.fsencode(m.name)
            while name.startswith(b"./"):
                name = name[2:]
            if m.issym():
                content = os.fsencode(m.linkname)
            else:
                content = t.extractfile(m).read()
                files, size = files + 1, size + len(content)
            total += zlib.crc32(name + b"\0" + content)
    return "%d %d %08x" % (files, size, total & 0xffffffff)


def good(name, data, tar=None):
    if tar is None:
        tar = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    put("good-" + name, data, text=count(tar))


def cut(s, size=1025):
    return s if len(s) < size else s[:size - 4] + "..."


def names():
    bad("absolute-path", member(b"/etc/passwd", b"x"), "/etc/passwd",
        "absolute path")
    bad("absolute-path-pax", pax((b"path", b"/etc/passwd")) + member(b"x"),
        "/etc/passwd", "absolute path")
    bad("dotdot-first", member(b"../pwned", b"x"), "../pwned", '".."')
    bad("dotdot-inside", member(b"a/../../pwned", b"x"), "a/../../pwned",
        '".."')
    bad("dotdot-last", directory(b"a/.."), "a/..", '".."')
    bad("dotdot-only", directory(b".."), "..", '".."')
    bad("dotdot-in-gnu-long-name", gnulong(b"../pwned") + member(b"x"),
        "../pwned", '".."')
    bad("dotdot-in-ustar-prefix", member(b"pwned", prefix=b"../.."),
        "../../pwned", '".."')
    bad("empty-name", member(b""), "", "empty name")
    bad("empty-component", member(b"a//b"), "a//b", "empty name in the path")
    bad("slash-only", directory(b"./" + b"/"), ".//", "empty name")
    bad("dot-component", member(b"a/./b"), "a/./b", '"." in the path')
    long = b"/".join([b"n" * 204] * 5) + b"/x"      # 1026 bytes
    bad("path-over-1024-pax", pax((b"path", long)) + member(b"x"),
        cut(long.decode()), "path over 1024")
    bad("path-over-1024-gnu", gnulong(b"g" * 5000) + member(b"x"),
        cut("g" * 5000), "path over 1024")
    bad("name-over-255", pax((b"path", b"n" * 256)) + member(b"x"),
        "n" * 256, "name over 255")
    bad("33-levels", member(b"/".join([b"d"] * 33)), "/".join("d" * 33),
        "over 32 levels")
    for what, raw, shown in (
            ("newline", b"a\nb", "a\\x0ab"), ("escape", b"\x1b[2J", "\\x1b[2J"),
            ("delete", b"a\x7f", "a\\x7f"),
            ("c1-control", b"a\xc2\x9bb", "a\\xc2\\x9bb")):
        bad("name-with-" + what, member(raw), shown, "control character")
        bad("name-with-" + what + "-pax",
            pax((b"path", raw)) + member(b"x"), shown, "control character")
    for what, raw, shown in (
            ("bad-byte", b"a\xffb", "a\\xffb"),
            ("overlong", b"a\xc0\xafb", "a\\xc0\\xafb"),
            ("surrogate", b"\xed\xa0\x80", "\\xed\\xa0\\x80"),
            ("beyond-unicode", b"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"),
            ("cut-short", b"a\xe2\x82", "a\\xe2\\x82")):
        bad("utf8-" + what, member(raw), shown, "invalid UTF-8")
        bad("utf8-" + what + "-pax", pax((b"path", raw)) + member(b"x"),
            shown, "invalid UTF-8")
    bad("nul-in-pax-path", pax((b"path", b"good\0/../bad")) + member(b"x"),
        "good", "NUL inside a name")
    bad("nul-in-gnu-long-name", gnulong(b"good\0bad") + member(b"x"), "good",
        "NUL inside a name")
    bad("pax-empty-path", pax((b"path", b"")) + member(b"x"), "PaxHeaders/x",
        "empty name")
    bad("release-itself-is-a-file", member(b"."), ".",
        "no directory")
    bad("release-itself-is-a-symlink", symlink(b"./", b"x"), "./", "")


def types():
    for what, flag, text in (
            ("char-device", b"3", "character device"),
            ("block-device", b"4", "block device"), ("fifo", b"6", "FIFO"),
            ("contiguous", b"7", "contiguous"),
            ("gnu-sparse", b"S", "sparse"), ("gnu-volume", b"V", "GNU"),
            ("gnu-multivolume", b"M", "GNU"), ("gnu-dumpdir", b"D", "GNU"),
            ("socket", b"s", "'s'"), ("unknown-type-Z", b"Z", "'Z'"),
            ("unknown-type-0x80", b"\x80", "0x80")):
        bad(what, header(b"dev/x", flag=flag), "dev/x", text)
    sparse = [(b"GNU.sparse.size", b"1099511627776"),
              (b"GNU.sparse.numblocks", b"0")]
    bad("sparse-pax-0.0", pax(*sparse) + member(b"s"), "s", "sparse")
    bad("sparse-pax-0.1", pax((b"GNU.sparse.map", b"0,1"),
                              (b"GNU.sparse.name", b"s")) + member(b"s", b"x"),
        "s", "sparse")
    bad("sparse-pax-1.0", pax((b"GNU.sparse.major", b"1"),
                              (b"GNU.sparse.minor", b"0"),
                              (b"GNU.sparse.name", b"s"),
                              (b"GNU.sparse.realsize", b"1099511627776"))
        + member(b"GNUSparseFile.1/s", pad(b"1\n0\n0\n")),
        "GNUSparseFile.1/s", "sparse")
    bad("sparse-star", pax((b"SCHILY.realsize", b"1099511627776")) +
        member(b"s"), "s", "sparse")
    bad("sparse-solaris", pax((b"SUN.holesdata", b" 0 1")) + member(b"s"),
        "s", "sparse")
    bad("directory-with-contents", header(b"d", size=512, flag=b"5") +
        bytes(512), "d", "contents on an entry that is no file")
    bad("symlink-with-contents", header(b"l", size=512, flag=b"2",
                                        link=b"file") + bytes(512),
        "l", "contents on an entry")
    bad("directory-with-contents-pax", pax((b"size", b"512")) +
        directory(b"d") + bytes(512), "d", "contents on an entry")


def links():
    for what, name, target, text in (
            ("absolute", b"l", b"/etc/passwd", "absolute"),
            ("leaves", b"l", b"..", "leaves the release"),
            ("leaves-from-below", b"a/b/l", b"../../../x", "leaves"),
            ("leaves-at-the-end", b"a/l", b"./../..", "leaves"),
            ("dotdot-behind-a-name", b"a/l", b"b/../../..", "behind a name"),
            ("control", b"l", b"a\x1b", "control character in the symlink"),
            ("bad-utf8", b"l", b"a\xff", "invalid UTF-8 in the symlink"),
            ("empty", b"l", b"", "without a target")):
        bad("symlink-" + what, symlink(name, target), name.decode(), text)
    bad("symlink-target-over-1024", gnulong(b"t" * 1025, b"K") +
        symlink(b"l", b"x"), "l", "target over 1024")
    # each looks harmless: together they would leave
    bad("symlink-pair-leaves", directory(b"p/q") + symlink(b"p/q/s", b"../..") +
        symlink(b"t", b"p/q/s/../etc"), "t", "behind a name")
    bad("path-through-symlink", symlink(b"l", b".") + member(b"l/x", b"x"),
        "l/x", "path through a symlink")
    bad("path-through-symlink-below", directory(b"d") +
        symlink(b"d/l", b"..") + member(b"d/l/d/x", b"x"), "d/l/d/x",
        "path through a symlink")
    bad("path-through-file", member(b"file/x", b"x"), "file/x",
        "path through a file")
    bad("directory-over-symlink", symlink(b"l", b".") + directory(b"l"), "l",
        "in the place of another")
    bad("directory-over-file", directory(b"file"), "file",
        "in the place of another")
    bad("file-over-directory", directory(b"d") + member(b"d", b"x"), "d",
        "directory of that name")
    bad("file-over-implicit-directory", member(b"d/x", b"x") +
        member(b"d", b"x"), "d", "directory of that name")
    bad("file-over-symlink", symlink(b"l", b"file") + member(b"l", b"x"), "l",
        "duplicate")
    bad("symlink-over-directory", directory(b"d") + symlink(b"d", b"."), "d",
        "directory of that name")
    bad("duplicate-file", member(b"file", b"other"), "file", "duplicate")
    bad("duplicate-file-other-spelling", member(b"./file", b"other"), "file",
        "duplicate")
    bad("duplicate-by-hardlink", member(b"b", b"x") + hardlink(b"b", b"file"),
        "b", "duplicate")
    for what, target, text in (
            ("absolute", b"/etc/shadow", "absolute path"),
            ("dotdot", b"../victim", '".."'),
            ("missing", b"nowhere", "no earlier file"),
            ("itself", b"h", "no earlier file"),
            ("empty", b"", "empty name")):
        bad("hardlink-" + what, hardlink(b"h", target), "h", text)
    bad("hardlink-to-later-file", hardlink(b"h", b"z") + member(b"z", b"x"),
        "h", "no earlier file")
    bad("hardlink-to-directory", directory(b"d") + hardlink(b"h", b"d"), "h",
        "no earlier file")
    bad("hardlink-to-symlink", symlink(b"l", b"../victim"[3:]) +
        hardlink(b"h", b"l"), "h", "no earlier file")
    bad("hardlink-with-contents", header(b"h", size=512, flag=b"1",
                                         link=b"file") + bytes(512), "h",
        "contents of its own")


def frames():
    bad("pax-value-over-64K", pax((b"comment", b"c" * 65537)) + member(b"x"),
        "PaxHeaders/x", "pax value over 64 KiB")
    bad("pax-value-over-1M", pax((b"comment", b"c" * 1100000)) + member(b"x"),
        "PaxHeaders/x", "over 1 MiB")
    bad("global-pax-value-over-64K", pax((b"comment", b"c" * 65537),
                                         flag=b"g") + member(b"x"),
        "PaxHeaders/x", "pax value over 64 KiB")
    for what, raw in (
            ("length-too-long", b"99 path=x\n"),
            ("length-too-short", b"3 path=x\n"),
            ("length-zero", b"0 path=x\n"),
            ("length-missing", b" path=x\n"),
            ("length-signed", b"-10 path=x\n"),
            ("length-huge", b"18446744073709551626 path=x\n"),
            ("no-newline", b"10 path=xy"),
            ("no-value", b"7 path\n"),
            ("no-keyword", b"5 =x\n"),
            ("cut-short", b"12 path=x\n"),
            ("padding", b"10 path=x\n\n")):
        # the name as far as it is known by then
        shown = "x" if what in ("no-newline", "padding") else "PaxHeaders/x"
        bad("pax-" + what, pax(raw=raw) + member(b"x"), shown, "pax record",
            error="EFORMAT")
    bad("pax-size-negative", pax((b"size", b"-1")) + member(b"x"),
        "PaxHeaders/x", "value of size", "EFORMAT")
    bad("pax-size-huge", pax((b"size", b"9" * 25)) + member(b"x"),
        "PaxHeaders/x", "value of size", "EFORMAT")
    bad("pax-path-twice", pax((b"path", b"a"), (b"path", b"b")) +
        member(b"x"), "a", "twice", "EFORMAT")
    bad("pax-charset", pax((b"hdrcharset", b"KOI8-R")) + member(b"x"),
        "PaxHeaders/x", "another character set")
    for key in (b"path", b"linkpath", b"size"):
        bad("global-pax-" + key.decode(), pax((key, b"1"), flag=b"g") +
            member(b"x"), "PaxHeaders/x", "global pax header sets",
            "EFORMAT")
    bad("pax-header-twice", pax((b"path", b"a")) + pax((b"path", b"b")) +
        member(b"x"), "a", "several extension", "EFORMAT")
    bad("pax-and-gnu-long-name", pax((b"path", b"a")) + gnulong(b"b") +
        member(b"x"), "a", "several extension", "EFORMAT")
    bad("gnu-long-name-twice", gnulong(b"a") + gnulong(b"b") + member(b"x"),
        "a", "several extension", "EFORMAT")
    bad("gnu-long-name-empty", header(b"././@LongLink", flag=b"L") +
        member(b"x"), "././@LongLink", "empty extension")
    bad("100000-global-headers", pax((b"comment", b"c"), flag=b"g") * 100000 +
        member(b"x"), "PaxHeaders/x", "too many", "EFORMAT")
    bad("pax-header-without-entry", pax((b"path", b"a")), "a",
        "header is missing", "EFORMAT")
    bad("wrong-header-checksum", header(b"x", chksum=4711), "file",
        "header checksum", "EFORMAT")
    bad("signed-header-checksum", header(b"\xc3\xa9", signed=True), "file",
        "header checksum", "EFORMAT")
    for what, field in (("octal-garbage", b"0000000001x\0"),
                        ("negative", b"\xff" * 12),
                        ("beyond-64-bits", b"\x80" + b"\x7f" * 11),
                        ("minus", b"-0000000001\0")):
        bad("size-" + what, header(b"x", size_field=field), "x",
            "bad size", "EFORMAT")
    bad("v7-header", header(b"x", magic=bytes(8)), "file",
        "not a tar archive", "EFORMAT")


def ends():
    def e(name, data, text, error="EFORMAT", path=""):
        if text in ("cut short", "end is missing"):
            error = "ECUT"
        put(name + ".tar", data, error, path, text)
    e("end-missing", FILE, "end is missing", path="file")
    e("end-one-zero-block", FILE + bytes(512), "end is missing", path="file")
    e("end-one-zero-block-then-entry", FILE + bytes(512) + member(b"b"),
      "only one zero block", path="file")
    e("cut-in-contents", member(b"f", b"x" * 5000)[:2000], "cut short",
      path="f")
    e("cut-in-padding", member(b"f", b"x" * 600)[:1200], "cut short",
      path="f")
    e("cut-in-header", FILE + header(b"b")[:100], "cut short", path="file")
    e("cut-before-contents", header(b"f", size=1000), "cut short", path="f")
    e("cut-at-entry-boundary", FILE + member(b"b", b"x"), "end is missing",
      path="b")
    e("bytes-after-end", FILE + END + b"x" * 512, "after the end",
      "ETRAILING", "file")
    e("few-bytes-after-end", FILE + END + b"evil", "after the end",
      "ETRAILING", "file")
    e("byte-in-padding-after-end", FILE + END + bytes(9000) + b"x",
      "after the end", "ETRAILING", "file")
    e("second-archive-after-end", FILE + END + member(b"b", b"x") + END,
      "after the end", "ETRAILING", "file")
    e("nothing", b"", "no bytes", "EEMPTY")
    e("only-zeros", bytes(10240), "no file", "EEMPTY")
    e("only-directories", directory(b"a") + directory(b"a/b") + END,
      "no file", "EEMPTY")
    e("only-symlink", symlink(b"a", b"b") + END, "no file", "EEMPTY")
    e("text-file", b"hello\n" * 500, "not a tar archive")
    e("short-text-file", b"hello\n", "cut short")
    e("one-byte", b"x", "cut short")
    e("random", bytes((i * 7919 >> 3) & 0xff for i in range(4096)),
      "not a tar archive")
    e("cpio", b"070701" + b"0" * 2000, "not a tar archive")
    e("html", b"<html>" + b" " * 2000, "not a tar archive")


def limits():
    put("too-many-files.tar.gz", gzip.compress(
        b"".join(member(b"f%d" % i) for i in range(1001)) + END),
        "ELIMIT", "f1000", "more than 1000 entries")
    put("too-many-implicit-directories.tar.gz", gzip.compress(
        FILE + b"".join(member(b"%d/%d/%d/%d/x" % (i, i, i, i))
                        for i in range(300)) + END),
        "ELIMIT", "199/199/199/199/x", "more than 1000 entries")
    put("too-many-bytes.tar.gz", gzip.compress(
        member(b"big", bytes(17 << 20)) + END, 1),
        "ELIMIT", "big", "more than 16777216 bytes")
    put("too-many-bytes-in-sum.tar.gz", gzip.compress(
        b"".join(member(b"f%d" % i, bytes(3 << 20)) for i in range(6)) + END,
        1), "ELIMIT", "f5", "more than 16777216 bytes")
    put("hardlink-bomb.tar.gz", gzip.compress(
        member(b"f", bytes(1 << 20)) +
        b"".join(hardlink(b"h%02d" % i, b"f") for i in range(20)) + END, 1),
        "ELIMIT", "h15", "more than 16777216 bytes")
    put("zeros-bomb.gz", gzip.compress(FILE + END + bytes(70 << 20), 9),
        "ELIMIT", "", "unpacks to more than 67108864 bytes")
    put("declared-1-exabyte.tar", header(
        b"f", size_field=b"\x80\0\0\0\x0f" + b"\xff" * 7) + END,
        "ELIMIT", "f", "more than 16777216 bytes")


def gzips():
    t = FILE + END
    ok = gz(t)

    def g(name, data, text, error="ECOMPRESS"):
        put("gzip-" + name + ".tar.gz", data, error, "", text)
    g("wrong-crc", gz(t, crc=1), "CRC-32")
    g("wrong-size", gz(t, size=len(t) + 1), "gzip size")
    g("no-trailer", ok[:-8], "cut short")
    g("half-a-trailer", ok[:-3], "cut short")
    g("cut-in-data", ok[:40], "cut short")
    g("cut-in-header", ok[:7], "cut short")
    g("only-magic", ok[:2], "cut short")
    g("damaged-data", ok[:10] + b"\xff" * 20 + ok[30:], "damaged deflate")
    g("second-member", ok + gz(END), "second gzip member", "ETRAILING")
    g("second-empty-member", ok + gz(b""), "second gzip member", "ETRAILING")
    g("trailing-zero", ok + b"\0", "bytes after", "ETRAILING")
    g("trailing-zeros", ok + bytes(600000), "bytes after", "ETRAILING")
    g("trailing-garbage", ok + b"garbage", "bytes after", "ETRAILING")
    g("reserved-flag", gz(t, flags=0x20), "reserved")
    g("unknown-method", gz(t, method=7), "method")
    g("wrong-header-crc", gz(t, flags=2, extra=b"\0\0"), "header checksum")
    g("name-without-end", gz(t, flags=8, extra=b"n" * 70000), "name too long")
    g("comment-without-end", gz(t, flags=16, extra=b"c" * (17 << 20)),
      "comment too long")
    g("extra-cut-short", ok[:3] + b"\4" + ok[4:10] + b"\xff\xff" + b"x" * 100,
      "cut short")
    g("nested", gz(ok), "gzip inside gzip", "ENESTED")
    g("nested-5-times", gz(gz(gz(gz(gz(t))))), "gzip inside gzip", "ENESTED")
    g("nested-zstd", gz(zst(t)), "zstd inside gzip", "ENESTED")
    g("nested-xz", gz(lzma.compress(t)), "xz inside gzip", "ENESTED")
    g("nested-bzip2", gz(bz2.compress(t)), "bzip2 inside gzip", "ENESTED")
    g("nested-zstd-skippable", gz(b"\x50\x2a\x4d\x18" + bytes(4) + zst(t)),
      "inside gzip", "ENESTED")
    put("gzip-of-nothing.gz", gz(b""), "ECUT", "", "end is missing")
    # the damage is at the end: nothing of the last piece may count
    big = member(b"f", os.urandom(3 << 20)) + END
    g("wrong-crc-large", gz(big, crc=1), "CRC-32")
    put("gzip-tar-without-end.tar.gz", gz(FILE), "ECUT", "file",
        "end is missing")


def zstds():
    t = FILE + END
    ok = zst(t)

    def z(name, data, text, error="ECOMPRESS"):
        put("zstd-" + name + ".tar.zst", data, error, "", text)
    z("wrong-checksum", zst(t, wrong=1), "zstd checksum")
    z("window-16M", zst(t, window_log=24), "window", "ELIMIT")
    z("window-2G", zst(t, window_log=31), "window", "ELIMIT")
    z("dictionary", zst(t, dictid=7), "dictionary")
    z("second-frame", ok + zst(END), "bytes after", "ETRAILING")
    z("skippable-behind", ok + b"\x50\x2a\x4d\x18" + bytes(4), "bytes after",
      "ETRAILING")
    z("skippable-before", b"\x5f\x2a\x4d\x18\4\0\0\0abcd" + ok, "skippable")
    z("trailing-garbage", ok + b"x", "bytes after", "ETRAILING")
    z("cut-short", ok[:-6], "cut short")
    z("cut-in-header", ok[:5], "cut short")
    z("only-magic", ok[:4], "cut short")
    z("bad-block", ok[:6] + b"\xff\xff\xff" + ok[9:], "damaged zstd")
    z("nested-gzip", zst(gz(t)), "gzip inside zstd", "ENESTED")
    z("nested-zstd", zst(ok), "zstd inside zstd", "ENESTED")


def others():
    t = FILE + END
    for what, data in (
            ("xz", lzma.compress(t)), ("bzip2", bz2.compress(t)),
            ("lzma", lzma.compress(t, format=lzma.FORMAT_ALONE)),
            ("lzip", b"LZIP\1" + bytes(100)), ("lz4", b"\x04\x22\x4d\x18" +
                                               bytes(100)),
            ("compress", b"\x1f\x9d\x90" + bytes(600)),
            ("7z", b"7z\xbc\xaf\x27\x1c" + bytes(600)),
            ("zip", b"PK\x03\x04" + bytes(600))):
        put("other-" + what, data, "ECOMPRESS", "",
            what + " is not accepted: use gzip or zstd")


def python_tar(fmt, dirs=True, pax_headers=None):
    b = io.BytesIO()
    t = tarfile.open(fileobj=b, mode="w", format=fmt, pax_headers=pax_headers)
    def add(name, data=b"", type=tarfile.REGTYPE, link="", mode=0o644,
            headers=None):
        i = tarfile.TarInfo(name)
        i.size, i.type, i.linkname, i.mode = len(data), type, link, mode
        i.pax_headers = headers or {}
        t.addfile(i, io.BytesIO(data))
    if dirs:
        add("./", type=tarfile.DIRTYPE, mode=0o755)
        add("./bin", type=tarfile.DIRTYPE, mode=0o755)
    add("./bin/agent", b"#!/bin/sh\n", mode=0o755)
    add("./lib/libagent.so.1", b"x" * 70000)
    add("./lib/libagent.so", type=tarfile.SYMTYPE, link="libagent.so.1")
    add("./lib/up", type=tarfile.SYMTYPE, link="../bin/agent")
    add("./empty")
    add("./hard", type=tarfile.LNKTYPE, link="./bin/agent")
    if fmt != tarfile.USTAR_FORMAT:
        add("./" + "/".join(["l" * 120] * 6) + "/file", b"deep\n")
        add("./long", type=tarfile.SYMTYPE, link="t" * 250)
        add("./gr\u00fc\u00df \u65e5\u672c", b"utf-8\n")
    t.close()
    return b.getvalue()


def goods():
    t = FILE + END
    good("plain.tar", t)
    good("ustar.tar.gz", gz(python_tar(tarfile.USTAR_FORMAT)))
    good("gnu.tar.gz", gz(python_tar(tarfile.GNU_FORMAT)))
    good("pax.tar.gz", gz(python_tar(tarfile.PAX_FORMAT)))
    p = python_tar(tarfile.PAX_FORMAT)
    good("pax.tar.zst", zst(p), p)
    good("git-archive.tar.gz", gz(python_tar(
        tarfile.PAX_FORMAT, pax_headers={"comment": "1" * 40})))
    good("without-directory-entries.tar", python_tar(tarfile.PAX_FORMAT,
                                                     dirs=False))
    good("ustar-prefix.tar", member(b"f", b"x", prefix=b"a/b/c") + END)
    good("stored-blocks.tar.gz", gz(t, deflated=(
        lambda c: c.compress(t) + c.flush())(zlib.compressobj(
            0, zlib.DEFLATED, -15))))
    head = b"\x1f\x8b\x08\x1e" + bytes(4) + b"\0\x03" + b"\3\0abc" + \
        b"name\0" + b"comment\0"
    good("gzip-all-fields.tar.gz", head + struct.pack(
        "<H", zlib.crc32(head) & 0xffff) + gz(t)[10:])
    good("signify-sized-comment.tar.gz", gz(t, flags=16,
                                            extra=b"c" * (4 << 20) + b"\0"))
    good("zstd-without-checksum.tar.zst", zst(t, checksum=False), t)
    good("zstd-window-8M.tar.zst", zst(t, window_log=23), t)
    good("many-zeros-after-end.tar.gz", gz(t + bytes(3 << 20)))
    good("odd-zeros-after-end.tar", t + bytes(77))
    good("setuid-and-sticky.tar", member(b"s", b"x", mode=0o6755) +
         header(b"d", flag=b"5", mode=0o1777) + member(b"d/x", mode=0) + END)
    good("hardlinks.tar", FILE + hardlink(b"h1", b"file") +
         hardlink(b"d/h2", b"./h1") + member(b"behind", b"b" * 70000) +
         hardlink(b"d/h3", b"behind") + member(b"last", b"l") + END)
    good("directory-twice.tar", directory(b"d") + member(b"d/f", b"x") +
         directory(b"d/") + END)
    good("regular-with-slash-is-directory.tar", member(b"d/") +
         member(b"d/f", b"x") + END)
    good("case-twins.tar", member(b"a") + member(b"A") + END)
    good("odd-names.tar", b"".join(member(n, n) for n in (
        b"-rf", b"a b", b"back\\slash", b"#x", b"a=b", b"*", b"...", b"~",
        b"a\\040b", b"'", b'"', b"\xc2\xa0")) + END)
    good("name-like-bzip2.tar", member(b"BZh9.txt", b"x") + END)
    good("name-like-lzip.tar", member(b"LZIP", b"x") + END)
    # one as libarchive would compose it, one that it would change to that
    good("two-unicode-forms.tar", pax((b"path", b"\xc3\xa9")) +
         member(b"x", b"1") + pax((b"path", b"e\xcc\x81")) +
         member(b"x", b"2") + END)
    good("pax-binary-charset.tar", pax(
        (b"hdrcharset", b"BINARY"), (b"path", b"\xc3\xa9")) +
        member(b"x", b"1") + END)
    good("pax-size-override.tar", pax((b"size", b"9")) + header(
        b"f", size_field=b"00000000000\0") + pad(b"contents\n") + END)
    good("base256-size.tar", header(
        b"f", size_field=b"\x80" + bytes(10) + b"\x09") + pad(b"contents\n") +
        END)
    good("xattrs-and-times.tar", pax(
        (b"mtime", b"1700000000.123456789"), (b"uid", b"4294967294"),
        (b"SCHILY.xattr.user.x", b"\0\1\2"), (b"uname", b"nobody"),
        (b"SCHILY.acl.access", b"user::rw-,group::r--,other::r--")) +
        member(b"f", b"x") + END)
    good("pax-linkpath-on-a-file.tar", pax((b"linkpath", b"/etc/shadow")) +
         member(b"x", b"y") + END)
    good("pax-value-of-64K.tar", pax((b"comment", b"c" * 65536)) +
         member(b"f", b"x") + END)
    good("32-levels-and-255.tar", member(b"/".join([b"d"] * 32)) +
         pax((b"path", b"n" * 255)) + member(b"x") + END)
    p1024 = b"/".join([b"n" * 204] * 5)
    assert len(p1024) == 1024
    good("path-of-1024.tar", pax((b"path", p1024)) + member(b"x", b"x") + END)
    good("1000-entries.tar.gz", gz(b"".join(
        member(b"f%d" % i, b"x") for i in range(1000)) + END))
    good("16M-of-files.tar.gz", gz(member(b"f", bytes(16 << 20)) + END))
    good("dangling-symlink.tar", FILE + symlink(b"a/b", b"../nowhere") + END)


os.makedirs(OUT, exist_ok=True)
for part in (names, types, links, frames, ends, limits, gzips, zstds, others,
             goods):
    part()
with open(os.path.join(OUT, "verdicts"), "w") as f:
    for v in VERDICTS:
        f.write("\t".join(v) + "\n")
