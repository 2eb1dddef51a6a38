"""What units.py kills in: a daemon whose services are units of a real
systemd, in whose name spaces this runs; and the checker of what must hold.

The checker believes nothing that the daemon says: it reads the releases, the
records, the unit files, /proc, and what systemd says of its units.
"""
import json
import os
import re
import subprocess

from lab import STAGED, landing, read
from servicelab import REST_S, ServiceLab

STATE = "/var/lib/updaterd"
RUN = "/run/updaterd"
FILES = "/run/systemd/system"
PIN = "updaterd-watch@{}.target"
SHIPPED = ("app.service", "app2.service")
THEIRS = ("own.service", "own2.service")
UNITS = SHIPPED + THEIRS
# Which unit each service has.
VARIANTS = {
    "none": {},
    "a": {"app": "app.service", "own": "own.service"},
    "other": {"app": "app2.service", "own": "own2.service"},
    "swapped": {"app": "own.service", "own": "app.service"},
    "native": {"app": None, "own": "own.service"},
}
PROPERTIES = ("Id,ActiveState,SubState,MainPID,NeedDaemonReload,"
              "InvocationID,FragmentPath,Job")


class Goal:
    """How all is to be in the end: which configuration, what is down, which
    releases may be current, which was answered 200."""

    def __init__(self, conf="a", down=(), names=None, must=None):
        self.conf, self.down = conf, set(down)
        self.allowed, self.must = names, must
        self.units = VARIANTS[conf]

    def cared(self):
        return {u for u in self.units.values() if u}

    def running(self):
        """Names that bin/stay is told, of all that is to run."""
        return {u.replace(".service", "") if u else "native-" + s
                for s, u in self.units.items() if s not in self.down}


class UnitLab(ServiceLab):
    def __init__(self):
        super().__init__()
        # Beside systemd's own control groups, not among them.
        own = "/sys/fs/cgroup/updtest"
        os.makedirs(own, exist_ok=True)
        with open(own + "/cgroup.procs", "w", encoding="ascii") as f:
            f.write(str(os.getpid()))
        self.served = None
        self.foreign = self.show("foreign.service")["foreign.service"]

    # --- the world ----------------------------------------------------

    def use(self, conf):
        super().use(conf)
        self.served = conf

    def systemctl(self, *words):
        return subprocess.run(["systemctl", *words], check=False,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              text=True).stdout

    def show(self, *units):
        """unit -> its properties."""
        found = {}
        out = self.systemctl("show", "-p", PROPERTIES, "--", *units)
        for record in out.split("\n\n"):
            p = dict(x.split("=", 1) for x in record.splitlines() if x)
            if p:
                found[p["Id"]] = p
        return found

    def reload(self, conf, t=None):
        """That configuration; refused while something is under way."""
        self.use(conf)
        self.wait(REST_S, lambda: self.order("reload").wait() == 0 or
                  (t and t.poll() is not None))

    # --- what is there ------------------------------------------------

    def leftovers(self):
        left = self.leftovers_in(self.root, r"[a-z0-9_-]+\.pid")
        for top in (STATE, RUN, FILES):
            for where, _, names in os.walk(top):
                left += [os.path.join(where, n) for n in names
                         if n.endswith((".tmp", ".new"))]
        return left

    @staticmethod
    def listed(path):
        try:
            return set(os.listdir(path))
        except FileNotFoundError:
            return set()

    # --- the invariants -----------------------------------------------

    def units_wrong(self, g):
        wrong = []
        shown = self.show(*UNITS, "foreign.service",
                          *(PIN.format(u) for u in UNITS))
        for u in UNITS:
            p = shown[u]
            want = "active" if u.replace(".service", "") in g.running() \
                else "inactive"
            if p["ActiveState"] != want or p.get("Job"):
                wrong.append(f"{u} is {p['ActiveState']}, not {want}")
            if p["NeedDaemonReload"] != "no":
                wrong.append(f"{u} is not what its file says")
            pin = shown[PIN.format(u)]["ActiveState"]
            if (pin == "active") != (u in g.cared()):
                wrong.append(f"the target of {u} is {pin}")
        if shown["foreign.service"] != self.foreign:
            wrong.append(f"others' unit was touched: "
                         f"{shown['foreign.service']}")
        return wrong

    def files_wrong(self, g):
        wrong = []
        want = {u for u in g.cared() if u in SHIPPED}
        # One that was never started need not be there yet.
        for n in self.listed(FILES):
            if n == PIN.format(""):
                continue
            if n not in want:
                wrong.append(f"{FILES}/{n} is left")
            elif read(f"{FILES}/{n}") != read(
                    f"{self.root}/current/etc/systemd/system/{n}") and \
                    n.replace(".service", "") in g.running():
                wrong.append(f"{FILES}/{n} is not the release's")
        records = {s for s, u in g.units.items() if u}
        if self.listed(RUN + "/.units") != records:
            wrong.append(f"records: {self.listed(RUN + '/.units')}, "
                         f"should be {records}")
        for s in records & self.listed(RUN + "/.units"):
            unit = read(f"{RUN}/.units/{s}").decode().split()[0]
            if unit != g.units[s]:
                wrong.append(f"record of {s}: {unit}")
        wrong += [f"still on record to leave: {n}"
                  for n in self.listed(RUN + "/.units-leaving")]
        return wrong

    def services_wrong(self, g):
        wrong, there = [], self.services()
        if set(there) != g.running():
            wrong.append(f"{sorted(there)} run, should be "
                         f"{sorted(g.running())}")
        for n, pids in there.items():
            if len(pids) != 1:
                wrong.append(f"{n} runs {len(pids)} times")
            elif n + ".service" in SHIPPED:
                try:
                    env = read(f"/proc/{pids[0]}/environ").split(b"\0")
                except OSError:
                    env = []
                if b"REL=" + self.name().encode() not in env:
                    wrong.append(f"{n} runs of another release's unit")
        return wrong

    def intents_wrong(self, g):
        wrong, found = [], self.listed(STATE + "/services")
        want = {s + ".json" for s in g.units}
        if found != want:
            wrong.append(f"intents: {sorted(found ^ want)}")
        for n in found & want:
            o = json.loads(read(f"{STATE}/services/{n}"))
            desired = "stopped" if n[:-5] in g.down else "running"
            if o.get("desired") != desired:
                wrong.append(f"intent of {n}: {o.get('desired')}")
        return wrong

    def release_state_wrong(self, g):
        wrong, now, cur = [], self.name(), self.current()
        if g.allowed and now not in g.allowed:
            wrong.append(f"current is {now}, not one of {g.allowed}")
        if g.must and now != g.must:
            wrong.append(f"{g.must} was answered 200, current is {now}")
        for rid in {r.split(".")[0] for r in
                    os.listdir(self.root + "/releases")
                    if STAGED.match(r)} - self.seen_ids | {cur}:
            damage = self.release_wrong(rid)
            wrong += damage
            if not damage:
                self.seen_ids.add(rid)
        state = json.loads(read(f"{self.root}/releases/{cur}.json"))
        if state["state"] != "good":
            wrong.append(f"current is {state['state']}")
        last = [x for x in map(landing, self.history()) if x]
        if last and last[-1] != cur:
            wrong.append(f"history ends at {last[-1]}, current is {cur}")
        return wrong

    def daemon_wrong(self, g):
        if not self.alive():
            return ["the daemon is not alive"]
        s = self.status()
        if s.get("update", 1) is not None:
            return [f"busy: {s.get('update')}"]
        found = {i["name"]: i["state"] for a in s["agents"]
                 for i in a["services"]}
        want = {n: "down" if n in g.down else "up" for n in g.units}
        return [] if found == want else [f"status: {found}"]

    def orphans(self):
        known = {"systemd", "stay", "python3", "sleep", "tracer"}
        return [f"process {pid} of {ppid}: {line or comm}"
                for pid, (ppid, state, comm, line)
                in self.processes().items()
                if comm not in known and pid != self.pid and
                state not in "ZX" and
                not (ppid == self.pid and
                     re.search(r"(net|probe)\b", line))]

    def look(self, g, ask=True):
        """The violations of now; without asking the daemon, whose answers
        are calls."""
        try:
            wrong = self.services_wrong(g) + self.units_wrong(g) + \
                self.files_wrong(g) + self.intents_wrong(g) + \
                self.release_state_wrong(g) + \
                (self.daemon_wrong(g) if ask else [])
        except (OSError, ValueError, KeyError) as e:
            wrong = [repr(e)]
        return wrong + ["left: " + x for x in self.leftovers()] + \
            self.orphans()
