#!/usr/bin/env python3
"""Hostile load on loopback addresses: many slow or idle clients, refused
pushes at a rate, and good requests that must all go through meanwhile.

Prints one JSON object: what was tried, how it ended, the peak of memory."""
import argparse
import asyncio
import collections
import hashlib
import json
import os
import random
import ssl
import sys
import time

p = argparse.ArgumentParser()
p.add_argument("--port", type=int, required=True)
p.add_argument("--certs", required=True)
p.add_argument("--parent", type=int, required=True, help="its pid")
p.add_argument("--program", required=True, help="whose memory counts")
p.add_argument("--release", action="append", default=[], help="NAME.tgz")
p.add_argument("--clients", type=int, default=1000)
p.add_argument("--refused", type=float, default=50, help="a second")
p.add_argument("--seconds", type=float, default=10)
p.add_argument("--timeout", type=float, default=60, help="of a good request")
p.add_argument("--dial", type=float, default=100,
               help="new connections of the slow crowd a second, at most")
p.add_argument("--good", action="store_true", help="only good requests")
a = p.parse_args()

STEP_S = 1		# between the bytes of a slow one
TRIES = 10		# of who is thrown out: on a machine that is slow itself
			# he is as slow as the crowd
LOST = (ConnectionResetError, BrokenPipeError)
count = collections.Counter()
held = peak_held = 0
peaks = {}


def context(who):
    c = ssl.create_default_context(cafile=a.certs + "/ca.crt")
    c.load_cert_chain(f"{a.certs}/{who}.crt", f"{a.certs}/{who}.key")
    return c


TLS = {who: context(who)
       for who in ("master", "monitor", "nobody", "stranger", "expired")}


async def dial(who, source):
    return await asyncio.open_connection(
        "127.0.0.1", a.port, local_addr=(source, 0),
        ssl=TLS[who] if who else None,
        server_hostname="127.0.0.1" if who else None,
        ssl_handshake_timeout=a.timeout if who else None)


def drop(w):
    try:
        w.transport.abort()
    except (AttributeError, OSError):
        pass


# --- the crowd ----------------------------------------------------------

class Turnstile:
    """So many a second, however many are waiting."""

    def __init__(self, rate):
        self.gap, self.next = 1 / rate, 0.0

    async def wait(self):
        now = time.monotonic()
        self.next = max(self.next + self.gap, now)
        await asyncio.sleep(self.next - now)


async def slow(i, turnstile, end):
    """One that never gets to the point, and comes again when thrown out."""
    global held, peak_held
    kind = ("silent", "idle", "head", "garbage")[i % 4]
    source = f"127.0.{1 + i // 8}.{2 + i % 8}"
    request = b"GET /health HTTP/1.1\r\nHost: h\r\nX-Slow: "
    while time.monotonic() < end:
        await turnstile.wait()
        try:
            r, w = await dial(None if kind in ("silent", "garbage") else
                              "nobody", source)
        except (OSError, ssl.SSLError, asyncio.TimeoutError):
            count["crowd refused"] += 1
            continue
        count["crowd " + kind] += 1
        held += 1
        peak_held = max(peak_held, held)
        try:
            n = 0
            reading = asyncio.ensure_future(r.read(4096))
            while time.monotonic() < end and not reading.done():
                if kind == "head":
                    w.write(request[n:n + 1] or b"x")
                elif kind == "garbage":
                    w.write(b"\x16\x03\x01\x40\x00"[n:n + 1] or b"\0")
                n += 1
                await asyncio.wait([reading], timeout=STEP_S *
                                   (0.5 + random.random()))
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        except (OSError, ssl.SSLError):
            pass
        finally:
            held -= 1
            drop(w)


# --- refused pushes -----------------------------------------------------

REFUSALS = (
    ("nobody", "403", f"sha=x&sha256={'0' * 64}"),
    ("stranger", "alert", f"sha=x&sha256={'0' * 64}"),
    ("master", "400", "sha=x"),
    ("expired", "alert", f"sha=x&sha256={'0' * 64}"),
    ("master", "422", f"sha=x&sha256={'0' * 64}"),
)


async def refused_once(n):
    who, expected, query = REFUSALS[n % len(REFUSALS)]
    body = b"not an archive at all" * 10
    w = None
    try:
        r, w = await dial(who, f"127.1.{n // 200 % 200 + 1}.{n % 200 + 2}")
        w.write(f"PUT /update?{query} HTTP/1.1\r\nHost: h\r\n"
                f"Content-Type: application/octet-stream\r\n"
                f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        line = await asyncio.wait_for(r.readline(), a.timeout)
        return line.split(b" ")[1].decode() if line else "nothing"
    except ssl.SSLError:
        return "alert"
    except LOST:
        # The alert may be lost with the bytes that nobody read.
        return "alert" if expected == "alert" else "thrown out"
    except (OSError, asyncio.TimeoutError, IndexError) as e:
        return type(e).__name__
    finally:
        if w is not None:
            drop(w)


async def refused(n):
    expected = REFUSALS[n % len(REFUSALS)][1]
    for _ in range(TRIES):
        got = await refused_once(n)
        count["refused " + got] += 1
        if got != "thrown out":
            break
    # Who meets another update is told so; who comes when all is full, too.
    ok = got in (expected, "423", "503") or \
        expected == "alert" and got == "nothing"
    if not ok:
        count["not refused rightly"] += 1


async def refusals(end):
    tasks, n = set(), 0
    start = time.monotonic()
    while time.monotonic() < end and a.refused > 0:
        t = asyncio.create_task(refused(n))
        tasks.add(t)
        t.add_done_callback(tasks.discard)
        n += 1
        await asyncio.sleep(max(0, start + n / a.refused - time.monotonic()))
    if tasks:
        await asyncio.wait(tasks)


# --- good requests ------------------------------------------------------

async def ask(who, method, path, body=b""):
    r, w = await dial(who, "127.0.0.1")
    try:
        w.write(f"{method} {path} HTTP/1.1\r\nHost: h\r\n"
                f"Content-Type: application/octet-stream\r\n"
                f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        line = await asyncio.wait_for(r.readline(), a.timeout)
        return line.split(b" ")[1].decode() if line else "nothing"
    finally:
        drop(w)


async def good(what, end, pause, make):
    while time.monotonic() < end:
        who, method, path, body = make()
        begin = time.monotonic()
        for _ in range(TRIES):
            try:
                status = await ask(who, method, path, body)
                break
            except LOST:
                status = "thrown out"
                count[what + "s thrown out"] += 1
            except (OSError, ssl.SSLError, asyncio.TimeoutError) as e:
                status = type(e).__name__
                break
        count[f"{what} {status}"] += 1
        took = int((time.monotonic() - begin) * 1000)
        count[f"{what} slowest ms"] = max(count[f"{what} slowest ms"], took)
        await asyncio.sleep(pause)


def pusher():
    names = a.release

    def make():
        name = names[0]
        names.append(names.pop(0))
        with open(name, "rb") as f:
            data = f.read()
        sha = os.path.basename(name).split(".")[0]
        return ("master", "PUT", f"/update?sha={sha}&sha256="
                f"{hashlib.sha256(data).hexdigest()}", data)
    return make


# --- memory -------------------------------------------------------------

def pss():
    total = 0
    for d in os.listdir("/proc"):
        if not d.isdigit():
            continue
        try:
            if os.readlink(f"/proc/{d}/exe") != a.program:
                continue
            with open(f"/proc/{d}/stat", encoding="ascii") as f:
                ppid = int(f.read().rsplit(")", 1)[1].split()[1])
            if a.parent not in (int(d), ppid):
                continue
            with open(f"/proc/{d}/smaps_rollup", encoding="ascii") as f:
                total += next(int(x.split()[1]) for x in f
                              if x.startswith("Pss:"))
        except (OSError, ValueError, StopIteration):
            continue
    return total


async def watch(end):
    peaks["before kB"] = pss()
    while time.monotonic() < end:
        peaks["peak kB"] = max(peaks.get("peak kB", 0), pss())
        await asyncio.sleep(0.25)


async def main():
    end = time.monotonic() + a.seconds
    if a.good:
        work = [good("health", end, 0.2, lambda: ("monitor", "GET",
                                                  "/health", b""))]
        if a.release:
            work.append(good("push", end, 0.5, pusher()))
        await asyncio.gather(*work)
        print(json.dumps(dict(sorted(count.items()))))
        return
    turnstile = Turnstile(a.dial)
    crowd = [asyncio.create_task(slow(i, turnstile, end))
             for i in range(a.clients)]
    # The good ones do not share our loop: what is slow is not to be us.
    other = await asyncio.create_subprocess_exec(
        sys.executable, *sys.argv, "--good", stdout=asyncio.subprocess.PIPE)
    await asyncio.gather(refusals(end), watch(end))
    out, _ = await other.communicate()
    count.update(json.loads(out))
    if crowd:
        await asyncio.wait(crowd, timeout=a.timeout)
    peaks["after kB"] = pss()
    print(json.dumps({"held": peak_held, **dict(sorted(count.items())),
                      **peaks}))


asyncio.run(main())
