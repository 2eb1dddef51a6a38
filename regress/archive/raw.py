"""Archives byte by byte, right or wrong: entries of tar, gzip members, zstd
frames.  Standard library only."""
import struct
import zlib

END = bytes(1024)


# --- tar, byte by byte ------------------------------------------------------

def pad(data):
    return data + bytes(-len(data) % 512)


def header(name, size=0, flag=b"0", link=b"", mode=0o644, prefix=b"",
           magic=b"ustar\x0000", size_field=None, signed=False, chksum=None):
    h = bytearray(512)
    h[0:len(name)] = name
    h[100:108] = b"%07o\0" % mode
    h[108:116] = h[116:124] = b"0000000\0"
    h[124:136] = size_field if size_field is not None else b"%011o\0" % size
    h[136:148] = b"%011o\0" % 0
    h[148:156] = b" " * 8
    h[156:157] = flag
    h[157:157 + len(link)] = link
    h[257:257 + len(magic)] = magic
    h[345:345 + len(prefix)] = prefix
    total = sum(h)
    if signed:
        total = sum(b - 256 if b > 127 else b for b in h)
    if chksum is not None:
        total = chksum
    h[148:156] = b"%06o\0 " % total
    return bytes(h)


def member(name, data=b"", **kw):
    return header(name, size=len(data), **kw) + pad(data)


def directory(name, **kw):
    return header(name, flag=b"5", mode=0o755, **kw)


def symlink(name, target):
    return header(name, flag=b"2", link=target, mode=0o777)


def hardlink(name, target, **kw):
    return header(name, flag=b"1", link=target, **kw)


def record(key, value):
    body = b" " + key + b"=" + value + b"\n"
    n = len(body)
    while len(b"%d" % n) + len(body) != n:
        n = len(b"%d" % n) + len(body)
    return b"%d" % n + body


def pax(*records, flag=b"x", raw=None):
    body = raw if raw is not None else b"".join(record(k, v)
                                                for k, v in records)
    return header(b"PaxHeaders/x", size=len(body), flag=flag) + pad(body)


def gnulong(name, flag=b"L"):
    return header(b"././@LongLink", size=len(name) + 1, flag=flag,
                  magic=b"ustar  \0") + pad(name + b"\0")


FILE = member(b"file", b"contents\n")


# --- compression ------------------------------------------------------------

def gz(data, flags=0, extra=b"", crc=None, size=None, method=8, deflated=None):
    if deflated is None:
        c = zlib.compressobj(6, zlib.DEFLATED, -15)
        deflated = c.compress(data) + c.flush()
    return (b"\x1f\x8b" + bytes([method, flags]) + bytes(4) + b"\0\x03" +
            extra + deflated +
            struct.pack("<II", zlib.crc32(data) if crc is None else crc,
                        (len(data) if size is None else size) & 0xffffffff))


def rotl(x, r):
    return (x << r | x >> (64 - r)) & 0xffffffffffffffff


P1, P2, P3, P4, P5 = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F,
                      0x165667B19E3779F9, 0x85EBCA77C2B2AE63,
                      0x27D4EB2F165667C5)
M64 = 0xffffffffffffffff


def xxh64(data):
    def rnd(acc, lane):
        return rotl((acc + lane * P2) & M64, 31) * P1 & M64
    n, p = len(data), 0
    if n >= 32:
        v = [(P1 + P2) & M64, P2, 0, -P1 & M64]
        while p + 32 <= n:
            for i, lane in enumerate(struct.unpack_from("<4Q", data, p)):
                v[i] = rnd(v[i], lane)
            p += 32
        h = (rotl(v[0], 1) + rotl(v[1], 7) + rotl(v[2], 12) +
             rotl(v[3], 18)) & M64
        for x in v:
            h = ((h ^ rnd(0, x)) * P1 + P4) & M64
    else:
        h = P5
    h = (h + n) & M64
    while p + 8 <= n:
        h ^= rnd(0, struct.unpack_from("<Q", data, p)[0])
        h = (rotl(h, 27) * P1 + P4) & M64
        p += 8
    if p + 4 <= n:
        h ^= struct.unpack_from("<I", data, p)[0] * P1 & M64
        h = (rotl(h, 23) * P2 + P3) & M64
        p += 4
    for b in data[p:]:
        h ^= b * P5 & M64
        h = rotl(h, 11) * P1 & M64
    h = (h ^ h >> 33) * P2 & M64
    h = (h ^ h >> 29) * P3 & M64
    return h ^ h >> 32


def zst(data, window_log=17, checksum=True, wrong=0, dictid=None):
    """A zstd frame of raw blocks."""
    fhd = (4 if checksum else 0) | (1 if dictid is not None else 0)
    out = b"\x28\xb5\x2f\xfd" + bytes([fhd, (window_log - 10) << 3])
    if dictid is not None:
        out += bytes([dictid])
    blocks = [data[i:i + 65536] for i in range(0, len(data), 65536)] or [b""]
    for i, b in enumerate(blocks):
        last = i == len(blocks) - 1
        out += struct.pack("<I", len(b) << 3 | last)[:3] + b
    if checksum:
        out += struct.pack("<I", (xxh64(data) ^ wrong) & 0xffffffff)
    return out
