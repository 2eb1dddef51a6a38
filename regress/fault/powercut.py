"""Cut the power of a file system under updaterd, mount what is left, start
again and check what must hold.  Called by powercut.sh; prints TAP.

A moment is known by two readings of the clock around the copy, an update
by two around its request.  What was answered before the first reading must
be there; what was asked before the second one may be."""
import argparse
import fcntl
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
import uuid

from lab import Lab, landing, read

FICLONE = 0x40049409
SHUTDOWN = 0x8004587d		# EXT4_IOC_SHUTDOWN, XFS_IOC_GOINGDOWN
NOLOGFLUSH = 2
SPACE = "512M"			# of the image; xfs takes no less than 300M
SYSTEMS = {
    "ext4": (["mkfs.ext4", "-q", "-F", "-O", "has_journal"], ""),
    "ext4, data=writeback": (["mkfs.ext4", "-q", "-F", "-O", "has_journal"],
                             "data=writeback"),
    "xfs": (["mkfs.xfs", "-q", "-f"], ""),
    "btrfs": (["mkfs.btrfs", "-q", "-f"], ""),
}
# What is asked for, one after the other; ".." is a rollback.
STEPS = ["r2", "bad", "r3", "..", "r1", "r3", "bad", "r2"]
LATER_S = (0, 7, 40)		# cuts after success was reported


def run(*cmd):
    subprocess.run(cmd, check=True, stdout=subprocess.DEVNULL)


class Asked:
    """One request: when, what would be current then, how it ended."""

    def __init__(self, what, old, new):
        self.what, self.old, self.new = what, old, new
        self.begin = time.monotonic()
        self.end = self.status = self.body = None


class Disk(Lab):
    booted = False

    def __init__(self, system):
        super().__init__()
        self.mkfs, self.options = SYSTEMS[system]
        self.image = self.t + "/outer/disk.img"
        self.mnt = self.t + "/disk"
        self.root = self.mnt + "/agent"
        self.state = self.mnt + "/state"
        self.asked = []
        self.known_before = []		# pushed before those
        self.took = 0.1			# seconds, the last update
        self.shots = []

    # --- the file system ----------------------------------------------

    def make(self):
        if os.path.exists(self.image):
            os.unlink(self.image)
        run("truncate", "-s", SPACE, self.image)
        run(*self.mkfs, self.image)
        self.mount(self.image)

    def probe(self):
        """Fails where this machine does not have that file system."""
        self.make()
        self.umount()

    def mount(self, image):
        options = "loop" + ("," + self.options if self.options else "")
        run("mount", "-o", options, image, self.mnt)
        self.boot()

    def boot(self):
        """As after power-on: nothing in /run, and another boot id."""
        for name in os.listdir("/run"):
            path = "/run/" + name
            if name.startswith("updaterd") and os.path.isdir(path):
                shutil.rmtree(path)
        where = "/proc/sys/kernel/random/boot_id"
        if Disk.booted:
            run("umount", where)
        Disk.booted = True
        with open(self.t + "/boot_id", "w", encoding="ascii") as f:
            f.write(str(uuid.uuid4()) + "\n")
        run("mount", "--bind", self.t + "/boot_id", where)

    def umount(self):
        for _ in range(100):
            if subprocess.run(["umount", self.mnt], check=False,
                              capture_output=True).returncode == 0:
                return
            time.sleep(0.05)
        run("umount", self.mnt)

    def reap(self):
        """Power takes every process; the name space holds only ours."""
        me = os.getpid()
        while True:
            left = []
            for pid, (ppid, state, _, _) in self.processes().items():
                if state not in "ZX" and ppid != 0 and pid != os.getppid() \
                   and ppid != me or pid == self.pid and state not in "ZX":
                    left.append(pid)
            if not left:
                return
            for pid in left:
                try:
                    exe = os.readlink(f"/proc/{pid}/exe")
                    if exe == self.updaterd or exe.startswith(self.mnt):
                        os.kill(pid, signal.SIGKILL)
                    else:
                        return
                except OSError:
                    pass
            time.sleep(0.01)

    def shot(self):
        """What the disk holds now."""
        path = f"{self.t}/outer/shot{len(self.shots)}.img"
        a = time.monotonic()
        with open(self.image, "rb") as src, open(path, "wb") as dst:
            fcntl.ioctl(dst.fileno(), FICLONE, src.fileno())
        self.shots.append((a, time.monotonic(), path))

    # --- what is asked for --------------------------------------------

    def ask_for(self, what):
        old = self.name()
        new = {"bad": old}.get(what, what)
        if what == "..":
            prev = os.readlink(self.root + "/previous")
            new = read(f"{self.root}/{prev}/VERSION").decode().strip()
        r = Asked(what, old, new)
        self.asked.append(r)
        status, body = self.ask("POST", "/rollback") if what == ".." \
            else self.push(what)
        r.end, r.status, r.body = time.monotonic(), status, body
        return r

    def expect(self, a, b, first):
        """Names allowed, the one that must be, answers given, all begun."""
        must, given, begun, allowed = first, [], [], set()
        for r in self.asked:
            if r.begin > b:
                break
            begun.append(r)
            if r.end is not None and r.end < a:
                given.append(r)
                if r.status == 200:
                    must = r.new
        allowed = {must}
        for r in begun:
            if r not in given:
                allowed.add(r.new)
        sure = must if len(begun) == len(given) else None
        return allowed, sure, given, begun

    def state_temps(self):
        return [os.path.join(where, n) for where, _, names in
                os.walk(self.state) for n in names if n.endswith(".tmp")]

    def told(self, given, begun):
        """History must have every answer given, and no other success."""
        wrong = []
        lines = [x for x in self.history()
                 if x["event"] in ("update", "rollback")]
        i = 0
        for r in given:
            if r.body.get("unchanged"):
                continue
            event = "rollback" if r.what == ".." else "update"
            while i < len(lines) and not (
                    lines[i]["event"] == event and
                    lines[i]["status"] == r.status and
                    (event == "rollback" or lines[i]["sha"] == r.what)):
                i += 1
            if i == len(lines):
                wrong.append(f"{r.what} was answered {r.status}: history "
                             "does not know")
            i += 1
        names = self.known_before + [r.what for r in begun]
        for x in lines:
            if x["event"] == "update" and x["status"] == 200 and \
               x["sha"] not in names:
                wrong.append(f"history tells of {x['sha']}, never asked for")
        return wrong

    def judge(self, a, b, first):
        """Of what is mounted: the violations."""
        allowed, must, given, begun = self.expect(a, b, first)
        why = self.start()
        if why:
            return [why]
        self.seen_ids = set()
        wrong = self.check(allowed, must)
        try:
            wrong += self.told(given, begun)
        except (OSError, ValueError, KeyError) as e:
            wrong.append(f"history: {e!r}")
        # It is written a moment after the start.
        state = self.state + "/services/agent.json"
        self.wait(5, lambda: os.path.exists(state))
        if not os.path.exists(state) or b'"running"' not in read(state):
            wrong.append("the wish to run is lost")
        # One may be there for as long as a write takes.
        if not self.wait(5, lambda: not self.state_temps()):
            wrong += ["left: " + x for x in self.state_temps()]
        return wrong


count = failed = images = violations = 0


def ok(good, text):
    global count, failed
    count += 1
    failed += not good
    print(f"{'' if good else 'not '}ok {count} - {text}", flush=True)


def report(where, wrong):
    global violations
    violations += len(wrong)
    for w in wrong:
        print(f"# {where}: {w}", flush=True)


def begin(disk):
    disk.make()
    why = disk.start()
    if why:
        print(f"Bail out! {why}")
        sys.exit(1)
    status, body = disk.push("r1")
    disk.known_before = ["r1"]
    wrong = disk.check({"r1"}, "r1")
    if status != 200 or wrong:
        print(f"Bail out! first push: {status} {body} {wrong}")
        sys.exit(1)


def verdicts(system, disk, chosen):
    """Mount each copy and judge it."""
    global images
    bad = 0
    for a, b, path, where in chosen:
        images += 1
        disk.mount(path)
        wrong = disk.judge(a, b, "r1")
        report(f"{system}, {where}", wrong)
        bad += bool(wrong)
        if wrong and os.environ.get("KEEP_IMAGES"):
            shutil.copy(path, os.environ["KEEP_IMAGES"])
        disk.stop()
        disk.reap()
        disk.umount()
        os.unlink(path)
    ok(bad == 0, f"{system}: {len(chosen)} copies, {bad} not sound")


def where_of(disk, a):
    for r in disk.asked:
        end = r.end or a
        if r.begin <= a <= end:
            return f"{(a - r.begin) * 1000:.0f} of " \
                f"{(end - r.begin) * 1000:.0f} ms into {r.what}"
        if a < r.begin:
            return f"{(r.begin - a) * 1000:.0f} ms before {r.what}"
    return "at the end"


def copies(system, full, few):
    """Reflink copies all along a series of updates."""
    disk = Disk(system)
    begin(disk)
    going = True

    def shoot():
        while going:
            disk.shot()
            time.sleep(0.004)

    after = []
    steps = STEPS if full else STEPS[:3]
    t = threading.Thread(target=shoot)
    t.start()
    for s in steps:
        r = disk.ask_for(s)
        if r.status != (409 if s == "bad" else 200):
            report(system, [f"{s}: {r.status} {r.body}"])
        n = len(disk.shots)
        Lab.wait(10, lambda n=n: len(disk.shots) > n + 1)
    going = False
    t.join()
    during = list(disk.shots)
    for s in LATER_S if full else LATER_S[:1]:
        r = disk.asked[-1]
        Lab.wait(60, lambda s=s, r=r: time.monotonic() >= r.end + s)
        disk.shot()
        after.append(disk.shots[-1] + (f"{s} s after the last 200",))
    disk.stop()
    disk.reap()
    disk.umount()
    # Those within an update, evenly, and what is soonest after a 200.
    inside = [x for x in during if not where_of(disk, x[0]).endswith("end")]
    want = min(len(inside), few)
    step = len(inside) / max(want, 1)
    chosen = sorted({inside[int(i * step + random.random() * step)]
                     for i in range(want)})
    for r in disk.asked:
        soon = [x for x in during if x[0] >= r.end]
        if soon and soon[0] not in chosen and (full or r.status == 200):
            chosen.append(soon[0])
    chosen = [x + (where_of(disk, x[0]),) for x in sorted(chosen)] + after
    for x in disk.shots:
        if x[2] not in [c[2] for c in chosen]:
            os.unlink(x[2])
    print(f"# {system}: {len(disk.shots)} copies made during "
          f"{len(disk.asked)} updates", flush=True)
    verdicts(system, disk, chosen)


def live(system, n):
    """The file system shut down under the running daemon."""
    global images
    disk = Disk(system)
    begin(disk)
    first, bad, ended = "r1", 0, 0
    for _ in range(n):
        images += 1
        disk.known_before += [r.what for r in disk.asked]
        disk.asked = []
        what = random.choice(["r2", "r3", "bad", "r1"])
        t = threading.Thread(target=disk.ask_for, args=(what,))
        t.start()
        Lab.wait(5, lambda: disk.asked)
        time.sleep(random.random() * disk.took * 1.1)
        fd = os.open(disk.mnt, os.O_RDONLY)
        a = time.monotonic()
        fcntl.ioctl(fd, SHUTDOWN, struct.pack("I", NOLOGFLUSH))
        b = time.monotonic()
        os.close(fd)
        # What it dares to answer now is held against it, too.
        Lab.wait(random.choice((0, 0.3)), lambda: not t.is_alive())
        disk.kill()
        disk.reap()
        t.join()
        r = disk.asked[0]
        where = f"shut down {(a - r.begin) * 1000:.0f} ms into {what}" \
            f" from {first} ({r.status})"
        late = r.status == 200 and r.end >= a
        if r.end < a:
            disk.took = r.end - r.begin
            ended += 1
        else:
            r.end = None
        disk.umount()
        disk.mount(disk.image)
        wrong = disk.judge(a, b, first)
        first = disk.name()
        if late and first != what:
            wrong.append(f"{what} was answered 200 when it was too late")
        report(f"{system}, {where}", wrong)
        bad += bool(wrong)
    disk.stop()
    disk.reap()
    disk.umount()
    ok(bad == 0, f"{system}: shut down {n} times, {n - ended} before the "
       f"answer, {bad} not sound")


def main():
    global count
    p = argparse.ArgumentParser()
    p.add_argument("--full", action="store_true")
    p.add_argument("--seed", type=int, default=random.randrange(1 << 31))
    p.add_argument("--copies", type=int)
    p.add_argument("--live", type=int)
    p.add_argument("--only")
    a = p.parse_args()
    random.seed(a.seed)
    print(f"# --seed {a.seed}")
    few = a.copies if a.copies is not None else 80 if a.full else 10
    cuts = a.live if a.live is not None else 60 if a.full else 5
    for system in SYSTEMS:
        if a.only and system != a.only or \
           not a.full and system == "ext4, data=writeback":
            continue
        try:
            Disk(system).probe()
        except (OSError, subprocess.CalledProcessError):
            count += 1
            print(f"ok {count} # SKIP no {system} on a loop device here")
            continue
        if few:
            copies(system, a.full, few)
        if cuts and system != "btrfs":
            live(system, cuts)
    print(f"# {images} cuts, {violations} violations")
    print(f"1..{count}")
    sys.exit(failed > 0)


main()
