"""Kill one process of updaterd at one of its system calls while slots and
profiles come, change and go; start again; check what must hold.  Called by
slots.sh with the number of points to try, 0: all of them."""
import os
import subprocess
import sys

from lab import read
from servicelab import REST_S
from slotlab import LOG_MAX, SlotLab, goal, natives
from tour import Tour

ONCE_S = 60		# seconds for -R, which holds up a boot
END_S = 12		# seconds for what is done to come to its end
FEW = 3			# of a sample: a point takes a second
MORE = 4		# points beyond those of the untouched run
QUIET_S = 0.1		# after it: the last calls
EVERY = bool(os.environ.get("FAULT_EVERY"))
LOCKED = "read,write,sendmsg,recvmsg,openat,openat2,mkdirat,renameat," \
         "unlinkat,fsync,fchmod"
A_LINE = b'2026-11-22T01:49:55+0000 profile=old prior_state=None ' \
         b'action=registered prior_exit=none service=gw release=- ' \
         b'backend=s6 boot=00000000 reason="-"\n'


class Phase:
    """prepare() brings the world to where go(lab, watch) begins; that does
    it, and returns the tracer and the goals of which one must be reached."""

    def __init__(self, title, who, prepare, go, moved=(), then="daemon",
                 again=None):
        self.title, self.who, self.prepare, self.go = title, who, prepare, go
        self.moved = set(moved)	# those that may be started again
        self.then = then	# what comes after: see Run
        self.again = again	# whose restart is lost with the daemon
        self.ref, self.names = {}, {}	# conf -> how it was, untouched

    def __str__(self):
        return f"{self.who}, {self.title}"

    def options(self, n, out=None):
        args = ["-t", self.who, "-n", str(n)]
        if EVERY:
            args += ["-a"]
        elif self.who == "profile":
            args += ["-f", LOCKED]
        return args + (["-o", out] if out else [])


def serve(lab, g):
    """A daemon that has reached that goal."""
    if lab.served == "elsewhere" != g.conf:	# takes a start
        lab.stop()
    lab.use(g.conf)
    for where in {lab.scan, g.scan or lab.scan} - set(lab.svscan):
        lab.start_svscan(where)
    if not lab.alive():
        lab.pid = None
        why = lab.start()
        if why:
            return [why]
    elif getattr(lab, "served", None) != g.conf:
        lab.order("reload").wait()
    lab.served = g.conf
    return lab.settle(g)


def profiles(lab, names):
    """Exactly these, of gw; new ones want to run."""
    there = set(os.listdir(lab.home + "/gw"))
    for n in there - set(names):
        lab.unprofile(n)
    for n in set(names) - there:
        lab.profile("gw", n, "stopped" if n == "c" else "running")


def base(names="abc", conf="a"):
    def prepare(lab):
        profiles(lab, names)
        up = [n for n in names if n != "c"]
        g = goal(up, "c", conf)
        for n in up:
            if lab.alive() and getattr(lab, "held", None):
                lab.order("start", "gw-" + n).wait()
        lab.held = None
        wrong = serve(lab, g)
        # A logger goes with a restart only.
        logged = [n for n in lab.slots() if os.path.exists(
            f"{lab.scan}/{n}/log")] if not wrong else ()
        for n in logged:
            lab.order("restart", n).wait()
            if n not in g.up:
                lab.order("stop", n).wait()
        return lab.settle(g) if logged else wrong
    return prepare


def until(lab, t, g, **how):
    """Until that is reached, or somebody was killed."""
    lab.wait(END_S, lambda: t.poll() is not None or
             not lab.look(g, ask=False, **how))


# --- with a daemon that serves ----------------------------------------

def go_new(lab, watch):
    g = goal("abd")
    t = watch()
    lab.profile("gw", "d", "running")
    p = lab.order("reconcile")
    until(lab, t, g)
    p.wait()
    return t, [g]


def go_gone(lab, watch):
    g = goal()
    t = watch()
    lab.unprofile("d")
    until(lab, t, g)
    return t, [g]


def go_reload(conf, scan=None):
    def go(lab, watch):
        g = goal(conf=conf, scan=scan)
        for where in {scan or lab.scan} - set(lab.svscan):
            lab.start_svscan(where)
        lab.use(conf)
        t = watch()
        p = lab.order("reload")
        lab.served = conf
        p.wait()
        until(lab, t, g)
        return t, [g]
    return go


def go_change(lab, watch):
    return go_reload("b" if lab.served == "a" else "a")(lab, watch)


def go_logger(lab, watch):
    """A logger comes into a slot that lives: it is made anew."""
    lab.use("log")
    lab.order("reload").wait()
    lab.served = "log"
    g = goal(conf="log")
    t = watch()
    p = lab.order("restart", "gw-a")
    until(lab, t, g)
    p.wait()
    return t, [g]


def go_order(word):
    def go(lab, watch):
        old, new = goal(), goal("b", "ca")
        if word == "start":
            old, new = new, old
            lab.order("stop", "gw-a").wait()
            lab.settle(old)
        t = watch()
        p = lab.order(word, "gw-a")
        until(lab, t, new)
        lab.held = 1
        return t, [new] if p.wait() == 0 else [new, old]
    return go


def go_owner(lab, watch):
    """Who owns the slots stops one by s6-svc."""
    g = goal("b", "ca")
    t = watch()
    subprocess.run(["setpriv", "--reuid=_updagent", "--regid=_updagent",
                    "--clear-groups", "s6-svc", "-d", lab.scan + "/gw-a"],
                   check=True)
    until(lab, t, g)
    lab.held = 1
    return t, [g]


def go_rotate(lab, watch):
    g = goal()
    path = lab.home + "/boot.log"
    with open(path, "wb") as f:
        f.write(A_LINE * (LOG_MAX // len(A_LINE) + 1))
    subprocess.run(["chown", "_updagent", path], check=True)
    t = watch()
    lab.order("reconcile").wait()
    until(lab, t, g)
    lab.wait(END_S, lambda: t.poll() is not None or
             os.path.getsize(path) < LOG_MAX)
    return t, [g]


# --- at a start --------------------------------------------------------

def go_start(lab, watch):
    g = goal(conf=lab.served, scan=lab.scan + ".2"
             if lab.served == "elsewhere" else None)
    t = lab.launch(trace=watch(None))
    until(lab, t, g)
    return t, [g]


def stopped(then=None):
    """All is well, then the daemon ends, and this happens."""
    def prepare(lab):
        wrong = base()(lab)
        lab.stop()
        if then:
            then(lab)
        return wrong
    return prepare


def killed_and(conf, was="a"):
    """Killed, while all runs, and configured otherwise."""
    def prepare(lab):
        wrong = base(conf=was)(lab)
        lab.kill()
        away(conf)(lab)
        return wrong
    return prepare


def away(conf):
    """While it is away its configuration changes."""
    def change(lab):
        if conf == "elsewhere" and lab.scan + ".2" not in lab.svscan:
            lab.start_svscan(lab.scan + ".2")
        lab.use(conf)
        lab.served = conf
    return change


def wiped(lab):
    lab.stop_svscan()
    lab.boot()


def go_once(lab, watch):
    t = lab.launch_once(watch(None))
    lab.pid = None
    if not lab.ended(t, ONCE_S):
        raise RuntimeError(f"updaterd -R does not end: {lab.traced(t)}")
    return t, [goal(conf=lab.served)]


def phases():
    up = {"gw-a", "gw-b", "gw-d"}
    plain = base()
    for who in ("parent", "profile"):
        yield Phase("a profile comes", who, plain, go_new)
        yield Phase("a stop", who, plain, go_order("stop"), {"gw-a"})
        yield Phase("a start", who, plain, go_order("start"), {"gw-a"})
        yield Phase("the log is rotated", who, plain, go_rotate)
    for who in ("parent", "task"):
        yield Phase("a profile goes", who, base("abcd"), go_gone)
        yield Phase("a logger is wanted", who, plain, go_logger, {"gw-a"},
                    again="gw-a")
        yield Phase("the service goes", who, plain, go_reload("none"), up)
    yield Phase("slots change", "parent", plain, go_change)
    yield Phase("its owner stops one", "parent", plain, go_owner, {"gw-a"})
    yield Phase("from s6 to native", "parent", plain, go_reload("native"),
                up)
    yield Phase("from native to s6", "parent", base(conf="native"),
                go_reload("a"), up)
    yield Phase("natives start", "parent", stopped(), go_start, natives())
    yield Phase("all is adopted", "parent", killed_and("a"), go_start)
    yield Phase("a start after s6, natively", "parent",
                killed_and("native"), go_start, up)
    yield Phase("a start after native, under s6", "parent",
                killed_and("a", "native"), go_start, up)
    yield Phase("a start in another directory", "parent",
                killed_and("elsewhere"), go_start, up)
    yield Phase("a start without the service", "parent", stopped(away("none")),
                go_start, up | natives())
    yield Phase("a start with changed slots", "parent", stopped(away("b")),
                go_start, natives())
    for who in ("parent", "profile"):
        yield Phase("updaterd -R at boot", who, stopped(wiped), go_once,
                    up | natives(), "boot")
        yield Phase("updaterd -R beside s6-svscan", who, stopped(away("b")),
                    go_once, natives(), "once")


class Run:
    """One point of a phase, or the untouched run (n 0)."""

    def __init__(self, lab, phase, n, out=None):
        self.lab, self.phase, self.n, self.out = lab, phase, n, out
        self.did, self.wrong = None, []

    def watch(self, pid=0):
        """Options for a start, or the tracer of what runs."""
        options = self.phase.options(self.n, self.out)
        return options if pid is None else \
            self.lab.trace(options, pid=self.lab.pid)

    def whole(self, before):
        """A slot that was not there, and is, is whole at that instant."""
        lab, p = self.lab, self.phase
        ref = p.ref.get(lab.served)
        for n in lab.slots() - before if ref else ():
            if n.startswith("."):
                continue
            if n not in ref:
                self.wrong.append(f"in {lab.scan}: {n}")
                continue
            found = lab.slot(n)
            self.wrong += [f"slot {n} is not whole: {x}" for x in ref[n]
                           if x not in found and x.count("/") == 1
                           and x not in ("/down", "/event")]

    def revive(self, goals):
        """The next start; what it must come to."""
        lab, p = self.lab, self.phase
        if p.then != "daemon":
            self.wrong += lab.once()
            if p.then == "boot":
                self.wrong += [w for w in self.reach(
                    goals, live=False, daemon=False)]
                lab.start_svscan()
            self.wrong += self.reach(goals, daemon=False)
        if not lab.alive():
            lab.pid = None
            why = lab.start()
            if why:
                self.wrong.append(why)

    def reach(self, goals, **how):
        """One of the goals, or what is wrong with the first."""
        wrong = {}

        def reached():
            for g in goals:
                wrong[g] = self.lab.look(g, **how)
                if not wrong[g]:
                    self.goal = g
                    return True
            return False
        return [] if self.lab.wait(REST_S, reached) else wrong[goals[0]]

    def same(self, before):
        """Nobody was restarted that had no reason to be."""
        now = self.lab.services()
        self.wrong += [f"{n} was started again" for n in before
                       if n not in self.phase.moved and
                       n in self.goal.up and now.get(n) != before[n]]

    def go(self):
        lab, p = self.lab, self.phase
        lab.swept = p.who != "profile"
        self.wrong += ["before: " + w for w in p.prepare(lab)]
        before, slots = lab.services(), lab.slots()
        t, goals = p.go(lab, self.watch)
        lab.wait(QUIET_S, lambda: t.poll() is not None)
        self.did = lab.traced(t)
        if self.did and p.who == "parent" and p.then == "daemon":
            lab.wait(10, lambda: not lab.alive())
        self.whole(slots)
        self.revive(goals)
        if p.again and self.did:
            self.wrong += self.reach(goals)
            if lab.order("restart", p.again).wait() != 0:
                self.wrong.append("the restart is refused")
        self.goal = goals[0]
        # With two ways to go there is no one reference.
        conf = goals[0].conf if len(goals) == 1 else None
        self.wrong += self.reach(goals, ref=p.ref.get(conf),
                                 names=p.names.get(conf))
        self.wrong += lab.twice() + ["s6: " + x for x in lab.said()]
        self.same(before)
        if conf and conf not in p.ref and not self.wrong:
            where = self.goal.scan or lab.scan
            p.ref[conf] = {n: lab.slot(n, where) for n in lab.slots(where)}
            p.names[conf] = lab.names()
        return self


def choose(tour, kinds, few):
    """A point takes seconds: of a sample it is one in so few."""
    chosen = tour.choose(kinds, lambda p: f"{p.who} {p.title}")
    return tour.draw(chosen, max(1, tour.sample // few // 3)) \
        if tour.sample else chosen


def draw(tour, chosen, few):
    if tour.sample:
        tour.plan = tour.draw(tour.plan, max(1, tour.sample // few))
        tour.plan.sort(key=lambda x: chosen.index(x[0]))


def explore(lab, tour, kinds, one, few):
    """The untouched runs of these phases: how many points each has."""
    chosen = choose(tour, kinds, few)
    out = lab.t + "/calls"
    for p in chosen:
        r = one(lab, p, 0, out).go()
        calls = len(read(out).splitlines())
        tour.line(not r.wrong, f"{p}: {calls} points, untouched")
        tour.tell(r.wrong)
        tour.violations += len(r.wrong)
        tour.add(p, calls + (0 if tour.sample else MORE))
    draw(tour, chosen, few)


def begin(lab):
    """A daemon with a release, and nothing under s6 yet."""
    lab.use("none")
    lab.served = "none"
    lab.start_svscan()
    if lab.start() is None and lab.wait(END_S, lambda: lab.order(
            "update", "default", lab.t + "/r1.tgz").wait() == 0):
        return True
    print("Bail out! the daemon does not start, or takes no release")
    return False


def visit(tour, lab, one):
    """Each point of the plan, by a Run of that class."""
    for p, n in tour.plan:
        r = one(lab, p, n)
        try:
            r.go()
        except RuntimeError as e:
            r.wrong.append(str(e))
        tour.note(p, n, r.did, r.wrong)
    tour.sum_up()


def main():
    lab = SlotLab()
    tour = Tour("killed")
    if not begin(lab):
        return 1
    explore(lab, tour, phases(), Run, FEW)
    visit(tour, lab, Run)
    tour.end("kill points tried", missed=True)
    lab.stop()
    lab.stop_svscan()
    return 1 if tour.violations else 0


if __name__ == "__main__":
    sys.exit(main())
