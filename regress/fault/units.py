"""Kill the parent at one of its system calls while units of systemd come,
change and go; start again; check what must hold.  Called by units.sh with the
number of points to try, 0: all of them."""
import os
import sys

from slots import explore, visit
from tour import Tour
from unitlab import Goal, UnitLab

END_S = 12		# seconds for what is done to come to its end
FEW = 4			# of a sample: a point takes a second
QUIET_S = 0.1		# after it: the last calls
EVERY = bool(os.environ.get("FAULT_EVERY"))


class Phase:
    """begin: the goal that is reached first.  go(lab, watch) does what is
    watched, and returns the tracer and the goals of which one must be
    reached.  away: with that configuration instead, the daemon was killed,
    and go() starts another."""

    who = "parent"

    def __init__(self, title, go, begin=None, away=None):
        self.title, self.go = title, go
        self.begin, self.away = begin or Goal(), away

    def __str__(self):
        return self.title


def until(lab, t, g):
    """Until that is reached, or somebody was killed."""
    lab.wait(END_S, lambda: t.poll() is not None or
             not lab.look(g, ask=False))


def push(name=None, conf="a"):
    def go(lab, watch):
        old = lab.name()
        new = name or ("r2" if old == "r1" else "r1")
        t = watch()
        status, _ = lab.push(new)
        must = new if status == 200 else None
        return t, [Goal(conf, names=[old] if name else [old, new],
                        must=must)]
    return go


def rollback(lab, watch):
    old = lab.name()
    t = watch()
    status, _ = lab.ask("POST", "/rollback")
    new = "r2" if old == "r1" else "r1"
    return t, [Goal(names=[old, new], must=new if status == 200 else None)]


def order(word, *down):
    """What updaterctl answers holds; what it does not may be either way."""
    def go(lab, watch):
        old, new = Goal(), Goal(down=down)
        if word == "start":
            lab.order("stop", "app").wait()
            lab.settle(Goal(down=["app"]))
            old = Goal(down=["app"])
        t = watch()
        p = lab.order(word, "app")
        done = p.wait() == 0
        until(lab, t, new)
        return t, [new] if done or word == "restart" else [new, old]
    return go


def outside(lab, watch):
    """Somebody stops it by systemctl.  Killed before it is written down it
    still is a wish, as it is seen to be down by no wish of ours."""
    new = Goal(down=["app"])
    t = watch()
    lab.systemctl("stop", "app.service")
    until(lab, t, new)
    return t, [new]


def reload(conf):
    def go(lab, watch):
        g = Goal(conf)
        t = watch()
        lab.reload(conf, t)
        if conf == "other" or conf == "swapped":
            # Another unit counts from the next start on.
            for s in g.units:
                lab.order("restart", s).wait()
        until(lab, t, g)
        return t, [g]
    return go


def start(lab, watch):
    g = Goal(lab.served)
    t = lab.launch(trace=watch(None))
    until(lab, t, g)
    return t, [g]


def phases():
    yield Phase("a push", push())
    yield Phase("a push of a broken one", push("bad"))
    yield Phase("a rollback", rollback)
    yield Phase("a stop", order("stop", "app"))
    yield Phase("a start", order("start"))
    yield Phase("a restart", order("restart"))
    yield Phase("a stop by others", outside)
    yield Phase("all is taken out", reload("none"))
    yield Phase("all is put in", reload("a"), Goal("none"))
    yield Phase("other units", reload("other"))
    yield Phase("from systemd to native", reload("native"))
    yield Phase("from native to systemd", reload("a"), Goal("native"))
    yield Phase("a start, all runs", start, away="a")
    yield Phase("a start without them", start, away="none")
    yield Phase("a start with other units", start, away="other")
    yield Phase("a start with exchanged units", start, away="swapped")
    yield Phase("a start natively", start, away="native")
    yield Phase("a start after natively", start, Goal("native"), "a")


def serve(lab, g):
    """A daemon that has reached that goal."""
    if not lab.alive():
        lab.use(g.conf)
        why = lab.start()
        if why:
            return [why]
    elif lab.served != g.conf:
        # Units count from a start on: so all goes, and comes anew.
        for conf in ("none", g.conf):
            lab.reload(conf)
            lab.settle(Goal(conf))
    for name in set(g.units) - g.down:
        lab.order("start", name).wait()
    return lab.settle(g)


class Run:
    """One point of a phase, or the untouched run (n 0)."""

    def __init__(self, lab, phase, n, out=None):
        self.lab, self.phase, self.n, self.out = lab, phase, n, out
        self.did, self.wrong = None, []

    def options(self):
        args = ["-t", "parent", "-n", str(self.n)]
        return args + (["-a"] if EVERY else []) + \
            (["-o", self.out] if self.out else [])

    def watch(self, pid=0):
        """Options for a start, or the tracer of what runs."""
        return self.options() if pid is None else \
            self.lab.trace(self.options(), pid=self.lab.pid)

    def reach(self, goals):
        """One of the goals, or what is wrong with the first."""
        wrong = {}

        def reached():
            for g in goals:
                wrong[g] = self.lab.look(g)
                if not wrong[g]:
                    return True
            return False
        return [] if self.lab.wait(END_S, reached) else wrong[goals[0]]

    def go(self):
        lab, p = self.lab, self.phase
        self.wrong += ["before: " + w for w in serve(lab, p.begin)]
        if p.away:
            lab.kill()
            lab.use(p.away)
        t, goals = p.go(lab, self.watch)
        lab.wait(QUIET_S, lambda: t.poll() is not None)
        self.did = lab.traced(t)
        if self.did:
            lab.wait(10, lambda: not lab.alive())
        if not lab.alive():
            why = lab.start()
            if why:
                self.wrong.append(why)
        self.wrong += self.reach(goals) + lab.twice()
        return self


def begin(lab):
    """A daemon with two releases."""
    lab.use("none")
    if lab.start() is None:
        lab.reload("a")
        if all(lab.wait(END_S, lambda: lab.push(r)[0] == 200)
               for r in ("r1", "r2")):
            return True
    print("Bail out! the daemon does not start, or takes no release")
    return False


def main():
    lab = UnitLab()
    tour = Tour("killed")
    if not begin(lab):
        return 1
    explore(lab, tour, phases(), Run, FEW)
    visit(tour, lab, Run)
    tour.end("kill points tried", missed=True)
    lab.stop()
    return 1 if tour.violations else 0


if __name__ == "__main__":
    sys.exit(main())
