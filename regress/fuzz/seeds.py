#!/usr/bin/env python3
"""Write seed corpora for the fuzz harnesses, out of the inputs that the
other tests have.

    seeds.py directory [most]

One directory a harness.  With `most` no more than so many files and 90 KB
each, spread over all there is: that makes what is checked in.  Standard
library only.
"""
import glob
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
REGRESS = os.path.dirname(HERE)
OUT = sys.argv[1]
MOST = int(sys.argv[2]) if len(sys.argv) > 2 else 0
MOST_BYTES = 90 * 1024
FILE_MAX = 100 * 1024       # of any seed, bytes
STEPS = b"\x00\x02\x10\xff"  # pieces of 1, 3, 17 and 256 bytes
ID = "20261122T014955Z-1a2b3c4d5e6f"
DIGEST = "63cb" * 16

# Types of messages by their place in enum imsg_type of common/proto.h.
with open(os.path.join(REGRESS, "../common/proto.h")) as header:
    text = header.read()
body = text[text.index("enum imsg_type {"):]
NAMES = [w.strip().split(",")[0] for w in body[:body.index("};")].split("\n")
         if w.strip().startswith("IMSG_")]
TYPE = {name[len("IMSG_"):]: i for i, name in enumerate(NAMES)}


def read(path):
    with open(path, "rb") as f:
        return f.read()


def thin(seeds):
    """Spread over the whole list; the small ones first where too large."""
    if not MOST:
        return seeds
    n = min(MOST, len(seeds))
    spread = [seeds[i * len(seeds) // n] for i in range(n)]
    kept, total = [], 0
    for name, data in sorted(spread, key=lambda s: len(s[1])):
        total += len(data)
        if total > MOST_BYTES:
            break
        kept.append((name, data))
    return kept


def put(harness, seeds):
    directory = os.path.join(OUT, harness)
    os.makedirs(directory, exist_ok=True)
    seeds = [(n, d) for n, d in seeds if 0 < len(d) <= FILE_MAX]
    for name, data in thin(seeds):
        with open(os.path.join(directory, name), "wb") as f:
            f.write(data)


def numbered(items):
    return [("%02d" % i, d) for i, d in enumerate(items, 1)]


# --- http -------------------------------------------------------------------

def http():
    requests = [(os.path.basename(p)[:-4], read(p)) for p in
                sorted(glob.glob(os.path.join(REGRESS, "http/*.req")))]
    put("http", [(n, STEPS + d) for n, d in requests])
    if not MOST:  # its oracle is not there when what is checked in runs
        put("llhttp", requests)
    bodies = []
    for name, data in requests:
        head, blank, rest = data.partition(b"\r\n\r\n")
        if not blank or not rest:
            continue
        flags = 1 if b"chunked" in head.lower() else 0
        length = 1 + (len(rest) if len(rest) < 255 else 254)
        bodies.append((name, STEPS + bytes([flags, length, 255]) + rest))
        bodies.append((name + "-any", STEPS + b"\x05\x00\x00" + rest))
    put("body", bodies)


def multipart():
    def field(name, value):
        return (b'--b\r\nContent-Disposition: form-data; name="' + name +
                b'"\r\n\r\n' + value + b"\r\n")
    tar = (b'--b\r\nContent-Disposition: form-data; name="tarball"; '
           b'filename="a.tar"\r\nContent-Type: application/x-tar\r\n\r\n')
    forms = [
        field(b"sha", b"1a2b") + tar + b"x" * 100 + b"\r\n--b--\r\n",
        tar + b"--b\r\n-\r\n--\r\n--a\r\n--b--\r\n",
        field(b"sha", b"") + field(b"force", b"true") + b"--b--",
        tar + b"\r\n\r\n--b--", b"--b--\r\n", b"--b\r\n\r\nx\r\n--b--",
        b"preamble\r\n--b\r\n", tar + b"\r\r\n\r\r\n--b--",
        b"--b\r\nCONTENT-DISPOSITION:form-data ; filename*=UTF-8''x ;"
        b'name="a\\"b"\r\n\r\nx\r\n--b--',
        b"--b\r\n X: y\r\n\r\n", b"--b \r\n", b"--b\n",
        field(b"sha256", DIGEST.encode()) + tar + bytes(64) + b"\r\n--b--",
    ]
    types = [b" boundary=b", b' boundary="a b"; charset=x', b"boundary=",
             b" boundary=b; boundary=c", b' boundary="', b"x" * 100]
    put("multipart", numbered([STEPS + d for d in forms + types]))


def reply():
    ok = b"HTTP/1.1 200 OK\r\n"
    chunked = ok + b"Transfer-Encoding: chunked\r\n\r\n"
    put("reply", numbered([bytes([7]) + d for d in [
        ok + b"Content-Length: 5\r\n\r\nhello", ok + b"\r\nto the end",
        b"HTTP/1.0 503 Down\n\nlater", b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 100 Go\r\n\r\n" + ok + b"\r\nx",
        chunked + b"3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nT: 1\r\n\r\n",
        chunked + b"FFFFFFFFFFFFFFFFF\r\n", chunked + b"1\r\nabc\r\n",
        ok + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        ok + b"Content-Length: +3\r\n\r\nabc", b"\x15\x03\x01\x01x",
        b"220 mail.example.org ESMTP\r\n", b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n", ok + b"no colon\r\n\r\n",
        ok + b"Transfer-Encoding: gzip, chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
    ]]))


# --- archives and names -----------------------------------------------------

def archives():
    directory = tempfile.mkdtemp()
    subprocess.run([sys.executable, os.path.join(REGRESS, "archive/make.py"),
                    directory], check=True, stdout=subprocess.DEVNULL)
    tars, packed = [], []
    for path in sorted(glob.glob(directory + "/*")):
        name = os.path.basename(path)
        if name == "verdicts" or os.path.getsize(path) > FILE_MAX:
            continue
        if name.endswith(".tar"):
            tars.append((name, read(path)))
        else:
            packed.append((name, read(path)))
    shutil.rmtree(directory)
    put("frame", tars)
    put("extract", tars)
    put("inflate", packed)


def signed():
    digest = b"5" * 64 + b"\n"
    text = b"date=%s\nkey=%s\nalgorithm=%s\nblocksize=%s\n\n"
    usual = [b"2026-11-22T02:23:48Z", b"one.sec", b"SHA512/256", b"65536"]
    whole = text % tuple(usual) + digest
    seeds = [whole, whole + digest * 3, whole.upper(), whole[:-1],
             whole.replace(b"\n", b"\r\n"), whole[:-66], whole + b"\0",
             whole.replace(b"5", b"A"), b"", b"\n\n"]
    for i, other in enumerate([b"1970-01-01T00:00:00Z", b"../a/b.sec",
                               b"SHA512", b"065536"]):
        seeds.append(text % tuple(usual[:i] + [other] + usual[i + 1:]) +
                     digest)
    seeds.append(text % (b"2024-02-29T23:59:59Z", b"", b"SHA512/256",
                         b"65536") + digest)
    head = b"\x1f\x8b\x08\x10\0\0\0\0\0\x03untrusted comment: x\n"
    archives = [head + b"RWQ" + b"x" * 96 + b"=\n" + whole + b"\0body",
                head + b"RWQxMjM0NTY3OA" + b"A" * 85 + b"=\n" + whole +
                b"\0body", head + b"\n\0", head[:10] + b"\0",
                head.replace(b"\x10", b"\x18") + b"\0", b"\x28\xb5\x2f\xfd",
                b"\x1f\x8b\x08\0\0\0\0\0\0\x03"]
    put("signify", numbered([b"\1" + s for s in seeds] +
                            [b"\2" + a for a in archives]))


def names():
    put("entry", numbered([
        b"a/b/c", b"./a", b"a/../b", b"../a", b"/etc/passwd", b"a//b", b"a/",
        b".", b"", b"a" * 256, b"a/" * 33 + b"b", b"\xc3\xa9", b"\xff",
        b"a\x7f", b"a\nb", b"bin/x\0../lib/y", b"a\0../../b", b"a\0/etc",
        b"l\0.", b"a/b\0..", b"a/b\0../..", b"x\0a//b/../c", b"x\0",
        b"d/" * 31 + b"l\0" + b"../" * 31 + b"x",
    ]))
    line = b"./bin/a type=file mode=0755 size=123 sha256digest=%s" % (
        DIGEST.encode())
    put("manifest", numbered([
        line, b"#mtree\n. type=dir mode=0755\n" + line + b"\n",
        b"./l type=link mode=0777 link=../a\\040b", b". type=dir mode=0755",
        b"./a type=fifo mode=0755", b"./a\\000b type=dir mode=0755",
        b"./a/../b type=dir mode=0755", b"#mtree", b"#mtree\n\n",
        b"./a type=dir mode=0755 mode=0755", b"./a\\9 type=dir mode=0755",
        b"./a type=file mode=0644 size=99999999999999999999",
        b"#mtree\n. type=dir mode=0755\n" + b"./" + b"\\303" * 1100,
    ]))


# --- configuration, state, text ---------------------------------------------

def config():
    files = [(os.path.basename(p), read(p)) for p in
             sorted(glob.glob(os.path.join(REGRESS, "config/*.conf")))]
    files.append(("example", read(os.path.join(REGRESS,
                                               "../etc/updaterd.conf"))))
    put("config", files)


def state():
    intent = {
        "version": 1, "service": "x", "desired": "running",
        "desired_by": "updater-master", "desired_at": 1795305000000000,
        "state": "up", "phase": "running", "boot": "0" * 36, "pid": 4711,
        "start_time": 123456, "started_at": 1795305000000000, "release": ID,
        "conf": "00ff00ff00ff00ff", "exit": {
            "kind": "code", "value": 1, "at": 1795305000000000,
            "planned": False, "text": "exited 1 after 12 ms"},
        "failed": {"code": 78, "release": ID, "at": 1795305000000000},
        "restarts": 3, "deaths": 4}
    quiet = dict(intent, exit=None, failed=None, pid=0, phase="exited",
                 desired="stopped", release="")
    journal = {"version": 1, "phase": "promote", "attempts": 1,
               "is_rollback": False, "to": ID, "from": ID + "x",
               "from_prev": None, "by": "master", "started_at": 1}
    record = {"version": 1, "id": ID, "sha": "1a2b", "sha256": DIGEST,
              "signer": None, "by": "master", "installed_at": 1,
              "size": 100, "files": 2, "packed": 50, "state": "good",
              "why": None}
    lines = b'{"at":1,"what":"update"}\n' * 3
    seeds = [(0, intent), (0, quiet), (0, dict(intent, pid=1)),
             (0, dict(intent, desired_by="\x01" * 255)),
             (1, journal), (1, dict(journal, phase="rollback")),
             (1, dict(journal, to="../x")), (2, record),
             (2, dict(record, state="failed", why="\u00e9" * 300)),
             (2, dict(record, id="other"))]
    data = [bytes([kind]) + json.dumps(o).encode() for kind, o in seeds]
    data += [bytes([3 | 5 << 2]) + d for d in (
        lines, lines[:-1], b"\n\n" + lines + b"{\n[]\n1\n", b"\xff" * 100)]
    data += [bytes([k]) + d for k in range(3)
             for d in (b"{", b"[]", b'{"version":1e0}', b"\xff")]
    put("state", numbered(data))


def text():
    put("text", numbered([
        b"sha=1a2b&sha256=" + DIGEST.encode() + b"&force=true&dry_run=false",
        b"sha=%31%32&confirm=30", b"a=b&&c", b"a=%00", b"a=%zz", b"=x",
        b"a+b=c+d", b"x=" + b"y" * 1100, b"/health", b"/agents/default/update",
        b"/services/a%2Fb/start", b"/services/gateway-x/restart",
        b"/agents//status", b"/agents/%2e%2e/status",
        b"\xc3\xa9 \xf0\x9f\x98\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80",
        b"\xc0\xaf", b"\xe2\x82", b'"\\\n\x01\x7f', b"confirm_self=true",
    ]))


def hosts():
    full = (b"# ours\nweb1 192.0.2.7:8766 groups=web,eu fingerprint=SHA256:" +
            DIGEST.encode() + b" serial=0a1b worker=0c san=web1.example.org,"
            b"192.0.2.7 expires=2028-02-29 revoked # gone\n\nweb2 [2001:db8::1]"
            b":99\n")
    inventory = {
        "_meta": {"hostvars": {"web1": {
            "ansible_host": "192.0.2.9", "updater_port": 8767}, "db": {}}},
        "all": {"children": ["web", "ungrouped"]},
        "web": {"hosts": ["web1"], "children": ["inner"]},
        "inner": {"hosts": ["db"], "children": ["web"]}}
    put("hosts", numbered(
        [b"\0" + d for d in (
            full, full[:-1], b"a b\na c\n", b"a\n", b"a b:0\n", b"a b:65536\n",
            b"a [::1\n", b"a ::1\n", b"updater-master x\n", b"a b revoked=x\n",
            b"a b groups=\n", b"a b groups=,\n", b"a b expires=2028-02-30\n",
            b"a b\0\n", b"\t a\tb\r\n", b"a b serial=xyz\n")] +
        [b"\1" + json.dumps(o).encode() for o in (
            inventory, {}, [], {"all": {"hosts": [1]}},
            {"x": {"hosts": ["A_B"]}})] + [b"\1{"]))


def profiles():
    put("profile", numbered([
        b'{"gw_state":"running"}', b'{"gw_state":"draining",'
        b'"desired_state":"stopped","timestamp":1795312195.5,"z":{"a":[1]}}',
        b'\xef\xbb\xbf{"gw_state":"degraded"}',
        b'{\r\n"gw_state":\r\n"starting"}\r\n',
        b'{"desired_state":"running","timestamp":"2026-11-22T01:49:55Z"}',
        b'{"desired_state":"maybe","timestamp":-1}', b'{"gw_state":1}',
        b'{"gw_state":["running"]}', b'{"gw_state":"running\\nx"}',
        b'{"gw_state":"running","gw_state":"stopped"}', b"[]", b'"x"', b"1",
        b"{", b"null", b'{"x":"\xff"}', b'{"a":' * 40 + b"1" + b"}" * 40,
        b'{"gw_state":"a\\u0000b"}', b'{"timestamp":1e400}',
        b'{"timestamp":99999999999999999999}', b"gw_state: running",
    ]))


def supervisors():
    at = " @4000000" "06b0121cd35a4e900 "
    svstat = ["true true true 4711 -1 -1" + at + "12",
              "true true false 2 -1 -1" + at + "0",
              "false true false -1 78 -1" + at + "3",
              "false false false -1 -1 9" + at + "99999",
              "true true true 1 -1 -1" + at + "12",
              "true maybe true 7 -1 -1" + at + "12",
              "false false false 0 256 -1 @" + "f" * 24 + " 1",
              "false false false -1 0 -1 @00 -1", "s6-svstat: fatal: x"]
    up = ("Id=agent.service\nLoadState=loaded\nActiveState=active\n"
          "SubState=running\nResult=success\nMainPID=4711\nNRestarts=0\n"
          "ExecMainPID=4711\nExecMainCode=0\nExecMainStatus=0\n"
          "ExecMainStartTimestampMonotonic=12345678\n"
          "ExecMainExitTimestampMonotonic=0\n"
          "ActiveExitTimestampMonotonic=0\nSlice=system.slice\n"
          "NeedDaemonReload=no\nJob=\nRestart=always\n"
          "InvocationID=0123456789abcdef0123456789abcdef\n")
    down = up.replace("=active", "=failed").replace(
        "\nMainPID=4711", "\nMainPID=0").replace(
        "MainCode=0", "MainCode=1").replace("MainStatus=0", "MainStatus=78")
    few = ("Id=x.service\nLoadState=not-found\nActiveState=inactive\n"
           "SubState=dead\n")
    units = [up, down, few, up + "\n" + down + "\n" + few,
             up.replace("Job=", "Job=42"), up.replace("=4711", "=1"),
             up.replace("=4711", "=-1"), up.replace("=4711", "=99999999999"),
             up + "Id=y.service\n", up.replace("always", "on-failure"),
             up.replace("MainCode=0", "MainCode=3"), few + "What=1\n",
             few[:30], few.replace("dead", "x" * 60), "\n\n", few + "Job\n"]
    put("supervisor", numbered(
        [b"\0" + s.encode() + b"\n" for s in svstat] +
        [b"\1" + u.encode() for u in units]))


# --- messages ---------------------------------------------------------------

def imsg(kind, payload=b"", mark=False, length=None):
    size = 16 + len(payload) if length is None else length
    return struct.pack("=IIII", kind, size | (1 << 31 if mark else 0), 1,
                       0) + payload


def packet(data, fds=0):
    """In packets of at most 64 bytes; descriptors go with the first."""
    out = b""
    for i in range(0, len(data), 62):
        piece = data[i:i + 62]
        out += bytes([(fds if i == 0 else 0) << 6 | len(piece) - 1]) + piece
    return out


def reader():
    one = imsg(5, b"x" * 40)
    put("imsg", numbered([
        b"\x01" + packet(one), b"\x01" + packet(one + one + one),
        b"\x01" + packet(imsg(5, b"abc", True), 1),
        b"\x01" + packet(imsg(4, b"", True), 1) + packet(one),
        b"\x01" + packet(imsg(5, b"", True)), b"\x01" + packet(one, 1),
        b"\x01" + packet(one, 2), b"\x00" + packet(one, 1),
        b"\x00" + packet(one), b"\x01" + packet(imsg(5, b"", length=15)),
        b"\x01" + packet(imsg(5, b"", length=16385)),
        b"\x01" + packet(imsg(5, b"y" * 16368)),
        b"\x01" + packet(imsg(5, b"", length=0)), b"\x01" + packet(one[:9]),
        b"\x01\x3f" + one * 200,
        b"\x01\x3f" + imsg(5, b"y" * 16369) + one,
    ]))


def record(name, flags, payload=b""):
    return struct.pack("<BBH", TYPE[name], flags, len(payload)) + payload


def senders():
    fit, fd = 2, 1
    request = struct.pack("=II", 1, 2) + b"default\0"
    seeds = [bytes([root]) + record("REQUEST", fit, struct.pack(
        "=II", op, op) + b"default\0") for op in range(18) for root in (0, 1)]
    update = struct.pack("=IIq", 1, 0, -1) + b"default".ljust(65, b"\0") + \
        b"1a2b"
    seeds += [
        b"\x01" + record("CTL_UPDATE", fit | fd, update),
        b"\x00" + record("CTL_UPDATE", fit | fd, update),
        b"\x01" + record("CTL_UPDATE", fit, update),
        b"\x01" + record("CTL_UPDATE", fit | fd, update + b"/../x"),
        b"\x01" + record("REQUEST", 0, request),
        b"\x01" + record("REQUEST", fit | 4, request),
        b"\x01" + record("REQUEST", fit, request + b"x" * 2000),
        b"\x01" + record("REQUEST", fit | 8, request) * 12,
    ]
    # no NUL in any text
    seeds += [b"\x01" + record("REQUEST", fit, struct.pack("=II", 1, 2) +
                               b"a" * 2000),
              b"\x01" + record("CTL_UPDATE", fit | fd, b"a" * 2000)]
    put("control", numbered(seeds))

    first = {"net": 0, "net-waiting": 4, "probe": 1, "inflate": 2,
             "unpack": 7}
    opened = struct.pack("=IIq", 1, 0, 100) + b"default\0"
    done = struct.pack("=IIIIQQ", 1, 0, 0, 0, 10, 10)
    abort = struct.pack("=II", 1, 3) + b"the client went away\0"
    result = struct.pack("=IIIIQII", 1, 1, 200, 1, 10, 4, 0) + b"ok\0"
    fail = struct.pack("=IiQQ", 3, 0, 10, 10) + b"refused\0"
    diff = struct.pack("=IIII", 1, 1, 2, 3) + b"bin/a\0"
    who = ["net", "net", "net", "net", "net", "net", "net-waiting",
           "net-waiting", "probe", "probe", "inflate", "inflate", "unpack",
           "unpack", "unpack", "net"]
    what = [("REQUEST", request), ("CANCEL", struct.pack("=I", 1)),
            ("UPDATE_OPEN", opened), ("UPDATE_DONE", done),
            ("UPDATE_ABORT", abort), ("READY", b""), ("NET_OK", b""),
            ("NET_BAD", b"no\xff\xc3"), ("PROBE_RESULT", result),
            ("READY", b""), ("INFLATE_DONE", bytes(16)),
            ("INFLATE_FAIL", fail), ("UNPACK_DONE", bytes(16)),
            ("UNPACK_FAIL", fail), ("UNPACK_DIFF", diff), ("NET_OK", b"")]
    seeds = []
    for child, (name, payload) in zip(who, what):
        lead = bytes([first[child]])
        seeds.append(lead + record(name, fit, payload))
        seeds.append(lead + record(name, fit, payload) * 2)
        seeds.append(lead + record(name, fit | fd, payload))
        seeds.append(lead + record(name, fit, payload[:16] + b"a" * 6000))
    put("children", numbered(seeds))


def rosters():
    def found(name, skip=0, state=5, desired=2, stale=1, stamp=7, error=0):
        return struct.pack("=IIIIqiI", skip, state, desired, stale, stamp,
                           error, 0) + name + b"\0"

    fit, fd = 2, 1
    scan = record("PROFILE_FOUND", fit, found(b"default")) + \
        record("PROFILE_FOUND", fit, found(b"coder")) + \
        record("PROFILE_FOUND", fit, found(b"x.y", 2, 0, 0, 0, 0)) + \
        record("PROFILE_WATCH", fit | fd) + \
        record("PROFILE_SCANNED", fit, struct.pack("=iI", 0, 0))
    end = record("PROFILE_SYNCED", fit) + \
        record("PROFILE_DONE", fit, struct.pack("=II", 1, 0) + b"no space\0")
    ready = record("READY", fit)
    put("roster", numbered([
        b"\0" + ready + scan + end, b"\2" + scan + end[4:],
        b"\1" + ready + end, b"\4" + ready + scan + end,
        b"\x08" + scan + end, b"\0" + scan + scan, b"\0" + ready * 2,
        b"\0" + end, b"\0" + scan + end + end,
        b"\0" + record("PROFILE_FOUND", fit, found(b"b")) +
        record("PROFILE_FOUND", fit, found(b"a")),
        b"\0" + record("PROFILE_FOUND", fit, found(b"../etc")),
        b"\0" + record("PROFILE_FOUND", fit, found(b"a", 9)),
        b"\0" + record("PROFILE_FOUND", fit, found(b"a", 0, 99)),
        b"\0" + record("PROFILE_FOUND", fit, found(b"a", 0, 5, 2, 999)),
        b"\0" + record("PROFILE_FOUND", fit, found(b"a", 0, 5, 2, 1, -1)),
        b"\0" + record("PROFILE_FOUND", fit, found(b"a", error=5)) +
        record("PROFILE_FOUND", fit, found(b"b", 4, error=5)),
        b"\0" + record("PROFILE_FOUND", fit, found(b"a", error=-5)),
        b"\0" + record("PROFILE_FOUND", fit, b"a" * 6000),
        b"\0" + record("PROFILE_WATCH", fit),
        b"\0" + record("PROFILE_WATCH", fit | fd) * 70,
        b"\0" + record("PROFILE_SCANNED", fit, struct.pack("=iI", -1, 0)),
        b"\0" + record("PROFILE_SCANNED", fit, struct.pack("=iI", 2, 1)) +
        end]))


http()
multipart()
reply()
archives()
signed()
names()
config()
state()
text()
hosts()
profiles()
supervisors()
reader()
senders()
rosters()
