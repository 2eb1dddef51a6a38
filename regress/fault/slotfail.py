"""Let one system call of one process fail once while a pass looks at profiles
and makes a slot; then the log must say so, all others stay as they were, and
the next pass must put it right.  Called by slotfail.sh: points [phase]."""
import errno
import os
import random
import re
import sys

from lab import read
from slotlab import SlotLab
from slots import Phase, Run, base, begin, go_new, go_once, go_rotate, \
    stopped, wiped

CALM_S = 4		# seconds for what it does about it by itself
FILES = "openat,openat2,mkdirat,mkdir,renameat,rename"
SYNC = "fsync,fdatasync"
SHED = "unlinkat,unlink,fchown,fchownat,fchmod,fchmodat"
LOOK = "read,pread64,getdents64,newfstatat,fstat,readlinkat,faccessat2"
OPEN = "openat,openat2,pipe2,socketpair,socket,fcntl,dup3,epoll_create1"
# What can fail so: option of the tracer, calls.
KINDS = (
    ("ENOSPC", ["-r"], f"{FILES},{SYNC},write"),
    ("EIO", ["-r"], f"{FILES},{SYNC},{SHED},{LOOK},write"),
    ("EMFILE", [], OPEN),
    ("ENOMEM", [], f"clone,clone3,execve,mmap,brk,{OPEN},mkdirat,renameat,"
                   "unlinkat,newfstatat,getdents64,sendmsg,recvmsg,"
                   "epoll_ctl"),
    ("EACCES", [], f"{FILES},{SHED},newfstatat,faccessat2,execve"),
)
# What an operator looks for in the log.
NAMED = re.compile(r"gw|nat\b|nat-|/run/service|s6-svscan|boot\.log|"
                   r"reconcile|profile|state|updaterctl|control|net|probe|"
                   r"lock|cannot")


class Fault(Phase):
    def __init__(self, title, who, prepare, go, kind, moved=(),
                 then="daemon"):
        super().__init__(f"{title}, {kind[0]}", who, prepare, go, moved,
                         then)
        self.kind = kind

    def options(self, n, out=None):
        name, flags, calls = self.kind
        args = ["-t", self.who, "-n", str(n), "-f", calls,
                "-e", str(getattr(errno, name))] + flags
        return args + (["-o", out] if out else [])


def faults():
    natives = {f"nat-n{k}" for k in range(8)}
    up = {"gw-a", "gw-b", "gw-c"}
    for kind in KINDS:
        for who in ("parent", "profile"):
            yield Fault("a profile comes", who, base(), go_new, kind,
                        {"gw-d"})
            yield Fault("a pass", who, base(), go_rotate, kind)
            yield Fault("updaterd -R at boot", who, stopped(wiped), go_once,
                        kind, up | natives, "boot")


class Failure(Run):
    """One point: n 0 is the untouched run, as of slots.py."""

    def words(self):
        """What the log says since."""
        return read(self.lab.t + "/log").decode(errors="replace")[
            self.mark:]

    def mend(self, goals):
        """If it has not come right by itself the log says why; then the
        next pass."""
        lab, p = self.lab, self.phase
        if p.then == "boot":
            text = self.words()
            self.wrong += lab.once()
            lab.start_svscan()
            lab.pid = None
            why = lab.start()
            return self.wrong.extend([why] if why else [])
        if not lab.alive():
            self.wrong.append("the daemon died: " + self.words()[-300:])
            return lab.start()
        wrong = []

        def reached():
            wrong[:] = lab.look(goals[0])
            return not wrong
        if lab.wait(CALM_S, reached):
            return None
        text = [x for x in self.words().splitlines() if NAMED.search(x)]
        if not text:
            self.wrong.append(f"the log does not say why: {wrong[:2]}")
        if lab.order("reconcile").wait() != 0:
            self.wrong.append("the next pass is refused")
        return None

    def go(self):
        if self.n == 0:
            return super().go()
        lab, p = self.lab, self.phase
        self.wrong += ["before: " + w for w in p.prepare(lab)]
        before = lab.services()
        self.mark = os.path.getsize(lab.t + "/log")
        t, goals = p.go(lab, self.watch)
        self.did = lab.traced(t)
        others = {n: pids for n, pids in lab.services().items()
                  if n in before and n not in p.moved}
        if p.then != "boot" and others != {
                n: pids for n, pids in before.items() if n not in p.moved}:
            self.wrong.append("others were touched")
        self.mend(goals)
        self.goal = goals[0]
        conf = goals[0].conf
        self.wrong += self.reach(goals, ref=p.ref.get(conf),
                                 names=p.names.get(conf))
        self.wrong += lab.twice() + ["s6: " + x for x in lab.said()]
        self.same(before)
        return self


def main():
    lab = SlotLab()
    sample = int(sys.argv[1])
    only = sys.argv[2] if len(sys.argv) > 2 else None
    lane, lanes = map(int, os.environ.get("FAULT_LANE", "0/1").split("/"))
    if not begin(lab):
        return 1
    dice = random.Random(int(os.environ.get("SEED", "1")))
    chosen = [p for p in faults()
              if not only or re.search(only, f"{p.who} {p.title}")]
    if sample:		# a point takes seconds
        sample = max(1, sample // 4)
        chosen = dice.sample(chosen, min(len(chosen), max(1, sample // 3)))
    plan, tests, violations = [], 0, 0
    out = lab.t + "/calls"
    for p in chosen:
        r = Failure(lab, p, 0, out).go()
        violations += len(r.wrong)
        for w in r.wrong:
            print(f"# {p.who}, {p.title}, untouched: {w[:180]}", flush=True)
        plan += [(p, i) for i in range(1, len(read(out).splitlines()) + 1)
                 if i % lanes == lane]
    if sample:
        plan = dice.sample(plan, min(sample, len(plan)))
        plan.sort(key=lambda x: chosen.index(x[0]))
    bad, counted = {}, {}
    for p, n in plan:
        r = Failure(lab, p, n)
        try:
            r.go()
        except RuntimeError as e:
            r.wrong.append(str(e))
        if r.did:
            counted[p] = counted.get(p, 0) + 1
        if r.wrong:
            violations += 1
            bad[p] = bad.get(p, 0) + 1
            print(f"# {p.who}, {p.title}, at {n} ({r.did}):")
            for w in r.wrong[:8]:
                print("#   " + w[:400], flush=True)
    for p in dict.fromkeys(p for p, _ in plan):
        tests += 1
        print(f"{'not ok' if p in bad else 'ok'} {tests} - {p.who}, "
              f"{p.title}: failed at {counted.get(p, 0)} points, "
              f"{bad.get(p, 0)} violations")
    print(f"# injected errors: {sum(counted.values())}, violations: "
          f"{violations}")
    print(f"1..{tests}")
    lab.stop()
    lab.stop_svscan()
    return 1 if violations or not counted else 0


if __name__ == "__main__":
    sys.exit(main())
