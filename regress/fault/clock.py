"""Step the wall clock of a daemon under it, and check what must hold.
Called by clock.sh."""
import hashlib
import http.client
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time

from lab import Lab, read

HOUR, DAY = 3600, 86400
# The certificates are good from now for 30 days: their middle.
MIDDLE = 15 * DAY
TIMING_MAX = 30000	# ms; more is a difference of wall clocks


class Test:
    def __init__(self):
        self.lab = Lab()
        self.page = self.lab.updaterd + ".clock"
        self.offset = 0
        self.n = self.bad = self.jumps = 0
        self.lines = 0		# of history that there must be

    def jump(self, seconds):
        """To so many seconds from the true time."""
        with open(self.page, "r+b" if os.path.exists(self.page) else "wb",
                  buffering=0) as f:
            f.write(struct.pack("q", seconds))
        self.jumps += seconds != self.offset
        self.offset = seconds

    def ok(self, good, title, *why):
        self.n += 1
        self.bad += not good
        print(f"{'ok' if good else 'not ok'} {self.n} - {title}", flush=True)
        for w in why if not good else ():
            print(f"#   {w}", flush=True)

    def sound(self, name, title):
        wrong = self.lab.check([name], name)
        try:
            have = len(self.lab.history())
            if have < self.lines:
                wrong.append(f"history: {have} lines of {self.lines}")
        except ValueError as e:
            wrong.append(f"history: {e}")
        if self.ctl("history") != 0:
            wrong.append("updaterctl history fails")
        self.ok(not wrong, title, *wrong)

    def ctl(self, *args):
        return subprocess.run(
            [self.lab.ctl, "-s", self.lab.t + "/updaterd.sock", *args],
            stdout=subprocess.DEVNULL,
            check=False).returncode

    def push(self, name, expected=200):
        """Push, with the answer's times looked at."""
        status, body = self.lab.push(name, "&force=true")
        self.lines += 1
        times = body.get("timings") or \
            (body.get("detail") or {}).get("timings", {}) \
            if isinstance(body, dict) else {}
        good = status == expected and bool(times) and \
            all(0 <= v < TIMING_MAX for v in times.values())
        return good, f"{status} {body}"

    def service(self):
        for a in self.lab.status().get("agents", []):
            for s in a["services"]:
                return s
        return {}

    def children(self):
        return [self.lab.process(x) for x in ("net", "probe")]

    def is_refused(self):
        """TLS as the daemon sees it: 1 an alert about the certificate."""
        try:
            self.lab.request("GET", "/health", timeout=5)
        except OSError as e:
            return "certificate" in str(e)
        return False

    def start(self, conf=None):
        if conf:
            self.lab.conf = self.lab.t + "/" + conf
        why = self.lab.start()
        if why:
            print(f"Bail out! {why}")
            sys.exit(1)


def at_rest(t):
    """Each time another release, and the one before is kept."""
    name = "r1"
    for by in (-HOUR, HOUR, -10 * DAY, 10 * DAY, -14 * DAY, 0):
        name = "r2" if name == "r1" else "r1"
        t.jump(MIDDLE + by)
        good, why = t.push(name)
        t.ok(good, f"{by / HOUR:+.0f} h: a push", why)
        t.sound(name, f"{by / HOUR:+.0f} h: all is sound")
        left = os.readlink(t.lab.root + "/previous")[9:]
        t.ok(os.path.isdir(f"{t.lab.root}/releases/{left}"),
             f"{by / HOUR:+.0f} h: what rollback leads to is there", left)
        status, body = t.lab.ask("POST", "/rollback")
        t.lines += 1
        name = "r2" if name == "r1" else "r1"
        t.ok(status == 200, f"{by / HOUR:+.0f} h: a rollback", body)
        t.sound(name, f"{by / HOUR:+.0f} h: all is sound after it")
    return name


def in_update(t, old):
    """While it receives, while it waits for health, while it goes back."""
    for by in (-10 * DAY, 10 * DAY):
        new = "r2" if old == "r1" else "r1"
        data = read(f"{t.lab.t}/{new}.tgz")
        digest = hashlib.sha256(data).hexdigest()
        c = http.client.HTTPSConnection("127.0.0.1", t.lab.port,
                                        context=t.lab.tls, timeout=40)
        c.putrequest("PUT", f"/update?sha={new}&sha256={digest}&force=true")
        c.putheader("Content-Length", str(len(data)))
        c.endheaders(data[:len(data) // 2])
        t.lab.wait(10, lambda: t.lab.status().get("update"))
        t.jump(MIDDLE + by)
        c.send(data[len(data) // 2:])
        status = c.getresponse().status
        c.close()
        t.lines += 1
        t.ok(status == 200, f"{by / DAY:+.0f} d while it is received", status)
        t.sound(new, "all is sound")

        got = []
        th = threading.Thread(target=lambda: got.append(t.push("slow")))
        th.start()
        t.lab.wait(10, lambda: (t.lab.status().get("update") or {}).get(
            "state") == "probing")
        t.jump(MIDDLE)
        th.join()
        t.ok(got[0][0], f"{-by / DAY:+.0f} d while health is awaited",
             got[0][1])
        t.sound("slow", "all is sound")

        th = threading.Thread(target=lambda: got.append(t.push("bad", 409)))
        th.start()
        t.lab.wait(10, lambda: (t.lab.status().get("update") or {}).get(
            "state") in ("probing", "rollback", "verifying"))
        t.jump(MIDDLE + by // 2)
        th.join()
        t.ok(got[1][0], "while it goes back", got[1][1])
        t.sound("slow", "all is sound")
        t.jump(MIDDLE)
        good, why = t.push(old)
        t.ok(good, "and back", why)
    return old


def between_starts(t, old):
    """A service is adopted, an update cut off is recovered."""
    for by in (-10 * DAY, 10 * DAY):
        t.jump(MIDDLE)
        pid = t.service().get("pid")
        t.lab.kill()
        t.jump(MIDDLE + by)
        t.start()
        t.ok(pid and t.service().get("pid") == pid,
             f"{by / DAY:+.0f} d: the service is taken over", t.service())
        t.sound(old, "all is sound")
        new = "r2" if old == "r1" else "r1"
        tracer = t.lab.trace(["-t", "parent", "-n", "3", "-f", "unlinkat",
                              "-m", "json.tmp"], pid=t.lab.pid)
        t.lab.push(new, "&force=true")
        t.ok(t.lab.traced(tracer), "an update is cut off at its verdict")
        t.lab.wait(10, lambda: not t.lab.alive())
        t.jump(MIDDLE - by)
        t.start()
        t.lines += 1
        t.sound(new, f"{-2 * by / DAY:+.0f} d before it is recovered")
        old = new
        pid = t.service().get("pid")
        os.kill(pid, signal.SIGKILL)
        t.jump(MIDDLE)
        t.ok(t.lab.wait(20, lambda: t.lab.serving() == old),
             "a service that is killed comes back")
        t.sound(old, "all is sound")
    return old


def validity(t, old):
    for to, what in ((120 * DAY, "expired"), (-120 * DAY, "not yet valid")):
        t.jump(MIDDLE)
        before, pid = t.children(), t.service().get("pid")
        t.jump(to)
        t.ok(t.is_refused(), f"certificates {what}: refused by name")
        t.ok(t.service().get("pid") == pid, "the service goes on",
             t.service())
        t.jump(MIDDLE)
        new = "r2" if old == "r1" else "r1"
        good, why = t.push(new)
        t.ok(good, "good again: a push", why)
        t.sound(new, "all is sound")
        t.ok(t.children() == before, "the same net and probe")
        old = new
    return old


def far(t, old):
    """Ids of another century; TLS is out of the question there."""
    t.lab.stop()
    now = int(time.time())
    for when, to in (("1970", 10 - now), ("2038", (1 << 31) - 5 - now),
                     ("2106", (1 << 32) - 5 - now), ("now", MIDDLE)):
        t.jump(to)
        t.lab.up = lambda: bool(t.lab.status().get("agents"))
        t.start("conf.tcp")
        new = "r2" if old == "r1" else "r1"
        done = t.ctl("update", "-f", "default", f"{t.lab.t}/{new}.tgz", new)
        t.lines += 1
        t.ok(done == 0, f"{when}: an update")
        t.sound(new, f"{when}: all is sound")
        t.ok(t.lab.current().startswith("20" if when == "now" else when),
             f"{when}: in its name", t.lab.current())
        old = new
        t.lab.stop()
    del t.lab.up
    t.start("conf")
    good, why = t.push(old)
    t.ok(good, "a push at the true time", why)
    t.sound(old, "all is sound")
    status, body = t.lab.ask("GET", "/releases")
    t.ok(status == 200 and len(body["releases"]) >= 2,
         "the releases are told", body)


def main():
    t = Test()
    t.jump(MIDDLE)
    t.start()
    for name in ("r2", "r1"):
        good, why = t.push(name)
        t.ok(good, f"push {name}", why)
    name = at_rest(t)
    name = in_update(t, name)
    name = between_starts(t, name)
    name = validity(t, name)
    far(t, name)
    why = t.lab.stop()
    t.ok(not why, "it ends", why)
    print(f"# jumps of the clock: {t.jumps}, violations: {t.bad}")
    print(f"1..{t.n}")
    return 1 if t.bad else 0


if __name__ == "__main__":
    sys.exit(main())
