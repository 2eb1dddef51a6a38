"""What slots.py kills in: a daemon with profiles, a real s6-svscan, services
that say when there are two of them; and the checker of what must hold.

The checker believes nothing that the daemon or s6 says about processes: it
reads /proc, the slots, the intents and the logs itself.
"""
import json
import os
import re
import signal
import stat
import subprocess
import uuid

from lab import read
from servicelab import ServiceLab

LOG_MAX = 262144	# bytes of the reconcile log, then it is rotated
NATIVE = 8		# profiles of the native service
BOOT_ID = "/proc/sys/kernel/random/boot_id"
LINE = re.compile(
    rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0000 profile=\S+ prior_state=\S+ "
    rb"action=(started|registered|adopted|stopped|removed|skipped|failed) "
    rb"prior_exit=\S+ service=\S+ release=\S+ backend=\S+ boot=\S+ "
    rb'reason="[^"]*"')
# What s6 writes in a slot, and at other times than we do.
S6_OWN = {"supervise", "event"}
# Said by s6 in the ordinary course of things.
QUIET = re.compile(r"warning: unable to (exec|stat)|^$")


class Goal:
    """How all is to be in the end."""

    def __init__(self, up, down, conf="a", scan=None):
        self.up, self.down, self.conf = set(up), set(down), conf
        self.scan = scan		# other than the usual one

    def names(self, service):
        return {n for n in self.up | self.down if n.startswith(service)}

    def slots(self):
        return set() if self.conf in ("none", "native") else \
            self.names("gw-")


def natives():
    return {f"nat-n{k}" for k in range(NATIVE)}


def goal(up="ab", down="c", conf="a", nat=None, scan=None):
    """Of gw these profiles up, those down, and default; of nat all."""
    gw = conf != "none"
    nat = natives() if nat is None else nat
    return Goal({"gw-" + n for n in up if gw} | nat,
                {"gw-" + n for n in down if gw} |
                ({"gw-default"} if gw else set()) |
                (natives() - nat) | {"nat-default"}, conf, scan)


class SlotLab(ServiceLab):
    def __init__(self):
        super().__init__()
        self.scan, self.home = os.environ["SCAN"], os.environ["H"]
        self.svscan = {}		# directory -> process
        self.heard = 0			# bytes of what it said
        self.svlog = self.t + "/svscan.out"
        self.swept = True		# stale files must have gone
        for n in "ab":
            self.profile("gw", n, "running")
        self.profile("gw", "c", "stopped")
        for k in range(NATIVE):
            self.profile("nat", f"n{k}", "running")
        subprocess.run(["chown", "-hR", "_updagent", self.home], check=True)

    # --- the world ----------------------------------------------------

    def profile(self, service, name, state, where=None):
        """Made beside, put into its place as a whole."""
        tmp = f"{self.home}/spare/{name}"
        os.makedirs(tmp)
        with open(tmp + f"/{service}_state.json", "w",
                  encoding="ascii") as f:
            json.dump({f"{service}_state": state, "keep": "me"}, f)
        for extra in ("SOUL.md", "gw.pid"):
            with open(f"{tmp}/{extra}", "w", encoding="ascii"):
                pass
        subprocess.run(["chown", "-R", "_updagent", tmp], check=True)
        os.rename(tmp, where or f"{self.home}/{service}/{name}")

    def unprofile(self, name):
        gone = f"{self.home}/spare/gone"
        os.rename(f"{self.home}/gw/{name}", gone)
        subprocess.run(["rm", "-rf", gone], check=True)

    def boot(self):
        """Another boot: nothing of what belongs to one is left."""
        with open(self.t + "/boot_id.new", "w", encoding="ascii") as f:
            f.write(f"{uuid.uuid4()}\n")
        subprocess.run(["umount", BOOT_ID], stderr=subprocess.DEVNULL,
                       check=False)
        os.rename(self.t + "/boot_id.new", self.t + "/boot_id")
        subprocess.run(["mount", "--bind", self.t + "/boot_id", BOOT_ID],
                       check=True)
        subprocess.run(f"rm -rf /run/updaterd {self.scan}/* "
                       f"{self.scan}/.[!.]*", shell=True, check=True)

    def start_svscan(self, where=None):
        where = where or self.scan
        os.makedirs(where, exist_ok=True)
        with open(self.svlog, "ab") as out:
            p = subprocess.Popen(["s6-svscan", where], stdout=out, stderr=out,
                                 stdin=subprocess.DEVNULL)
        self.svscan[where] = p
        self.wait(10, lambda: os.path.exists(where + "/.s6-svscan/control"))

    def stop_svscan(self):
        for where, p in self.svscan.items():
            subprocess.run(["s6-svscanctl", "-t", where], check=False)
            p.wait()
        self.svscan = {}
        self.wait(10, lambda: not self.supervisors())

    def launch_once(self, options):
        """updaterd -R, watched."""
        return self.trace(options, [self.updaterd, "-R", "-f", self.conf])

    def ended(self, t, seconds):
        """Whoever is watched by it has ended, or else is killed; the tracer
        goes once it has done its work."""
        pid = t.pid_traced
        if self.wait(seconds, lambda: t.poll() is not None and
                     not self.alive(pid)):
            return True
        os.kill(pid, signal.SIGKILL)
        return False

    def once(self):
        p = subprocess.run([self.updaterd, "-R", "-f", self.conf],
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=self.log, check=False)
        return [] if p.returncode == 0 else \
            [f"updaterd -R exits {p.returncode}"]

    def up(self):
        return "processes" in self.status()

    # --- what is there ------------------------------------------------

    def supervisors(self):
        """(slot, pid, path of its directory) of each s6-supervise."""
        found = []
        for pid, (_, state, comm, line) in self.processes().items():
            if comm != "s6-supervise" or state in "ZX":
                continue
            try:
                cwd = os.readlink(f"/proc/{pid}/cwd")
            except OSError:
                continue
            if line:
                found.append((line.split()[-1], pid, cwd))
        return found

    def slots(self, where=None):
        try:
            return set(os.listdir(where or self.scan)) - {".s6-svscan"}
        except FileNotFoundError:
            return set()

    def slot(self, name, where=None):
        """Path -> (mode, uid, gid, bytes) of what is ours in it."""
        found = {}

        def look(path, rel):
            st = os.lstat(path)
            data = None
            if stat.S_ISREG(st.st_mode):
                data = read(path)
            found[rel] = (st.st_mode, st.st_uid, st.st_gid, data)
            if not stat.S_ISDIR(st.st_mode):
                return
            names = os.listdir(path)
            if os.path.basename(rel) in S6_OWN:
                names = {"control"} & set(names)
            for n in names:
                look(f"{path}/{n}", f"{rel}/{n}")

        look(f"{where or self.scan}/{name}", "")
        return found

    def intents(self):
        found = {}
        for n in os.listdir(self.t + "/state/services"):
            found[n] = json.loads(read(f"{self.t}/state/services/{n}"))
        return found

    def names(self):
        """Of what belongs to instances, and stays."""
        found = set()
        for top in (self.t + "/state/services", "/run/updaterd",
                    "/run/updaterd/.slots"):
            if os.path.isdir(top):
                found |= {f"{top}/{n}" for n in os.listdir(top)
                          if not n.endswith(".tmp")}	# see temporary()
        return found

    def temporary(self):
        left = []
        for top in (self.t + "/state", "/run/updaterd", self.home,
                    self.scan, self.scan + ".2"):
            for where, _, names in os.walk(top):
                left += [os.path.join(where, n) for n in names
                         if n.endswith((".tmp", ".new"))]
        return left

    def orphans(self):
        """Processes that nobody should have left behind."""
        wrong = []
        mine = {os.getpid(), 1}
        known = {"s6-supervise", "s6-svscan", "s6-log", "stay"}
        for pid, (ppid, state, comm, line) in self.processes().items():
            if comm in known or pid == self.pid or ppid in mine:
                if comm == "updaterd" and pid != self.pid and \
                   state not in "ZX":
                    wrong.append(f"orphan {pid} {line}")
                continue
            if state in "ZX":
                if ppid == self.pid:
                    wrong.append(f"zombie {comm}")
            elif not (ppid == self.pid and
                      re.search(r"(net|probe)\b", line)):
                wrong.append(f"process {pid} of {ppid}: {line}")
        return wrong

    def said(self):
        """What s6 has complained of since this was asked last."""
        data = read(self.svlog) if os.path.exists(self.svlog) else b""
        new, self.heard = data[self.heard:], len(data)
        return [x for x in new.decode(errors="replace").splitlines()
                if not QUIET.search(x)]

    # --- the invariants -----------------------------------------------

    def logs_wrong(self):
        wrong = []
        for n in ("boot.log", "boot.log.1"):
            path = f"{self.home}/{n}"
            if not os.path.exists(path):
                continue
            data = read(path)
            if data and not data.endswith(b"\n"):
                wrong.append(f"{n}: its last line is torn")
            bad = [x for x in data.split(b"\n")[:-1]
                   if not LINE.fullmatch(x)]
            wrong += [f"{n}: {x!r}" for x in bad[:2]]
        return wrong

    def services_wrong(self, g):
        wrong, there = [], self.services()
        for n in g.up - set(there):
            wrong.append(f"{n} does not run")
        for n, pids in there.items():
            if n not in g.up:
                wrong.append(f"{n} runs")
            elif len(pids) != 1:
                wrong.append(f"{n} runs {len(pids)} times")
        return wrong

    def slots_wrong(self, g, ref, live):
        wrong, where = [], g.scan or self.scan
        for d in (self.scan, self.scan + ".2"):
            want = g.slots() if d == where else set()
            if self.slots(d) != want:
                wrong.append(f"in {d}: {sorted(self.slots(d))}, "
                             f"should be {sorted(want)}")
        for n in g.slots() & self.slots(where):
            found = self.slot(n, where)
            if ref is not None:
                wrong += [f"slot {n}{p}: is {found.get(p)}, should be "
                          f"{ref[n].get(p)}" for p in set(found) |
                          set(ref[n]) if found.get(p) != ref[n].get(p)]
            elif ("/down" in found) != (n in g.down):
                wrong.append(f"slot {n}: its down file")
        want = {where + "/" + n for n in g.slots()}
        want |= {p + "/log" for p in want if os.path.isdir(p + "/log")}
        sups = [cwd for _, _, cwd in self.supervisors()]
        if live and sorted(sups) != sorted(want):
            wrong.append(f"supervised: {sorted(sups)}, should be "
                         f"{sorted(want)}")
        return wrong

    def intents_wrong(self, g):
        wrong, found = [], self.intents()
        want = {n + ".json" for n in g.up | g.down}
        if set(found) != want:
            wrong.append(f"intents: {sorted(set(found) ^ want)}")
        for n, o in found.items():
            desired = "running" if n[:-5] in g.up else "stopped"
            if o.get("desired") != desired:
                wrong.append(f"intent of {n}: {o.get('desired')}")
        return wrong

    def files_wrong(self, g):
        """The profiles' own files.  Who sweeps may be the one that is
        killed, and a start does not wait for another."""
        wrong = []
        for n in g.names("gw-") - {"gw-default"}:
            top = f"{self.home}/gw/{n[3:]}"
            o = json.loads(read(top + "/gw_state.json"))
            word = "running" if n in g.up else "stopped"
            if o.get("keep") != "me" or o.get("gw_state") != word or \
               o.get("desired_state", word) != word:
                wrong.append(f"{n}: its own file says {o}")
            if self.swept and os.path.exists(top + "/gw.pid"):
                wrong.append(f"{n}: stale gw.pid is there")
        return wrong

    def daemon_wrong(self, g):
        if not self.alive():
            return ["the daemon is not alive"]
        s = {i["name"]: i["state"] for a in self.status().get("agents", [])
             for i in a["services"]}
        return [f"status of {n}: {s.get(n)}" for n in g.up | g.down
                if s.get(n) != ("up" if n in g.up else "down")]

    def look(self, g, ref=None, live=True, daemon=True, ask=True,
             names=None):
        """The violations of now.  live: s6-svscan runs; ask: the daemon
        may be asked, too."""
        if not live or not daemon:	# natives wait for the daemon
            running = {n for n in g.up if n.startswith("gw-") and live}
            wrong = self.services_wrong(Goal(running, ()))
        else:
            wrong = self.services_wrong(g)
        try:
            wrong += self.slots_wrong(g, ref, live)
            wrong += self.intents_wrong(g)
            if daemon:
                wrong += self.files_wrong(g)
                wrong += self.daemon_wrong(g) if ask else []
        except (OSError, ValueError) as e:
            wrong.append(repr(e))
        wrong += ["left: " + x for x in self.temporary()]
        wrong += self.orphans() + self.logs_wrong()
        if names is not None and names != self.names():
            wrong.append(f"names: {sorted(names ^ self.names())}")
        return wrong
