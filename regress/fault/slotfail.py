"""Let one system call of one process fail once while a pass looks at profiles
and makes a slot; then the log must say so, all others stay as they were, and
the next pass must put it right.  Called by slotfail.sh: points [phase]."""
import errno
import os
import re
import sys

from lab import read
from slotlab import SlotLab
from slots import Phase, Run, base, begin, choose, draw, go_new, go_once, \
    go_rotate, stopped, visit, wiped
from tour import Tour

FEW = 4			# of a sample: a point takes seconds
BOOT_STEP = 25		# one in so many: slotonce.py has them all
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


def loaded(calls):
    """How many of them the loader has made, before it was our program."""
    return max((n for n, c in enumerate(calls, 1) if b" /lib/" in c),
               default=0)


def main():
    lab = SlotLab()
    tour = Tour("failed")
    if not begin(lab):
        return 1
    chosen = choose(tour, faults(), FEW)
    out = lab.t + "/calls"
    for p in chosen:
        r = Failure(lab, p, 0, out).go()
        tour.violations += len(r.wrong)
        for w in r.wrong:
            print(f"# {p}, untouched: {w[:180]}", flush=True)
        calls = read(out).splitlines()
        first = loaded(calls) + 1 if p.then == "boot" else 1
        tour.verbose(f"{p}: {len(calls) - first + 1} points")
        tour.add(p, len(calls), first=first,
                 step=BOOT_STEP if p.then == "boot" else 1)
    draw(tour, chosen, FEW)
    visit(tour, lab, Failure)
    tour.end("injected errors")
    lab.stop()
    lab.stop_svscan()
    return 1 if tour.violations or not tour.tried else 0


if __name__ == "__main__":
    sys.exit(main())
