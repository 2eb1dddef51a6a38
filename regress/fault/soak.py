"""Many updates one after the other, and what they cost.  Called by soak.sh;
prints name=value lines, and comments on the way."""
import argparse
import hashlib
import http.client
import json
import os
import ssl
import sys
import time

p = argparse.ArgumentParser()
p.add_argument("--port", type=int, required=True)
p.add_argument("--certs", required=True)
p.add_argument("--root", required=True)
p.add_argument("--state", required=True)
p.add_argument("--parent", type=int, required=True)
p.add_argument("--program", required=True)
p.add_argument("--dir", required=True)
p.add_argument("-n", type=int, default=60)
a = p.parse_args()

WARM = 30		# updates before the first measurement
REST_S = 20
SAYS_S = 60		# between comments on a long run
# What is asked for, and the answer; most of them good.
ROUND = [("r2", 200), ("r1", 200), ("bad", 409), ("r2", 200), ("torn", 422),
         ("r1", 200), ("cut", 0), ("back", 200), ("dry", 200), ("r1", 200)]

tls = ssl.create_default_context(cafile=a.certs + "/ca.crt")
tls.load_cert_chain(a.certs + "/master.crt", a.certs + "/master.key")


def request(method, path, body=None, cut=None):
    c = http.client.HTTPSConnection("127.0.0.1", a.port, context=tls,
                                    timeout=60)
    try:
        if cut is not None:
            c.putrequest(method, path)
            c.putheader("Content-Length", str(len(body)))
            c.endheaders(body[:cut])
            return 0, b""
        c.request(method, path, body)
        r = c.getresponse()
        return r.status, r.read()
    finally:
        c.close()


def push(what):
    name = {"cut": "r2", "dry": "r2"}.get(what, what)
    with open(f"{a.dir}/{name}.tgz", "rb") as f:
        data = f.read()
    path = f"/update?sha={name}&sha256={hashlib.sha256(data).hexdigest()}" \
        f"{'&dry_run=true' if what == 'dry' else '&force=true'}"
    return request("PUT", path, data, len(data) // 2 if what == "cut"
                   else None)


def ours():
    """pid -> what, of the daemon and all below it."""
    found, parent = {}, {}
    for d in os.listdir("/proc"):
        if not d.isdigit():
            continue
        try:
            with open(f"/proc/{d}/stat", encoding="utf-8",
                      errors="replace") as f:
                words = f.read().rsplit(")", 1)[1].split()
            parent[int(d)] = int(words[1])
            found[int(d)] = words[0]
        except OSError:
            continue
    return {pid for pid in found
            if pid == a.parent or parent.get(pid) == a.parent}


def disk():
    files = size = history = 0
    for top in (a.root, a.state):
        for where, dirs, names in os.walk(top):
            files += len(dirs) + len(names)
            for n in names:
                n = os.path.join(where, n)
                st = os.lstat(n)
                if "/history.jsonl" in n:
                    history += st.st_size
                    files -= n.endswith(".1")
                else:
                    # A digit more in a number is no growth.
                    size += st.st_blocks * 512
    return files, size, history


def measure():
    """Once all is at rest."""
    end = time.monotonic() + REST_S
    while time.monotonic() < end:
        left = [n for n in os.listdir(a.root + "/releases")
                if n.startswith(".")]
        if not left and not os.path.exists(a.root + "/update.json") and \
           len(ours()) == 4:
            break
        time.sleep(0.05)
    time.sleep(0.3)		# state files follow a moment later
    memory = fds = 0
    for pid in ours():
        try:
            if os.readlink(f"/proc/{pid}/exe") != a.program:
                continue
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
                memory += next(int(x.split()[1]) for x in f
                               if x.startswith("Private_Dirty:"))
            fds += len(os.listdir(f"/proc/{pid}/fd"))
        except OSError:
            continue
    return (memory, fds, len(ours())) + disk()


def settle():
    """The same releases each time a measurement is taken."""
    for name in ("r1", "r2", "r1"):
        push(name)
    return measure()


def main():
    odd, done, first = [], 0, None
    said = begin = time.monotonic()
    push("r1")
    push("r2")
    while done < a.n:
        what, expected = ROUND[done % len(ROUND)]
        end = time.monotonic() + REST_S
        while True:
            status, body = request("POST", "/rollback") if what == "back" \
                else push(what)
            # The one that was cut off may not have been cleared away yet.
            if status != 423 or time.monotonic() > end:
                break
            time.sleep(0.02)
        if status != expected:
            odd.append(f"{done} {what}: {status} {body[:200]!r}")
        done += 1
        if done == min(WARM, a.n // 2):
            first = settle()
        if time.monotonic() - said > SAYS_S:
            said = time.monotonic()
            print(f"# {done} after {said - begin:.0f} s: "
                  f"{json.dumps(measure())}", flush=True)
    last = settle()
    for i, name in enumerate(("memory", "fds", "processes", "files",
                              "bytes", "history")):
        if name == "memory":
            print(f"memory={first[i]} kB after {min(WARM, a.n // 2)}, "
                  f"{last[i]} kB after {done}")
            print(f"grown={last[i] - first[i]}")
        else:
            print(f"{name}0={first[i]}\n{name}={last[i]}")
    print(f"done={done}\nodd={'; '.join(odd[:5])}")
    print(f"# {done} updates in {time.monotonic() - begin:.1f} s")


try:
    main()
except (OSError, ValueError) as e:
    sys.exit(repr(e))
