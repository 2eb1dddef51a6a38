"""Kill one process of updaterd at one of its system calls while it updates
itself, play who starts it again, and check what must hold.  Called by
selfkill.sh with the number of points to try, 0: all of them; and which."""
import sys

from lab import read
from selflab import SelfLab
from tour import Tour

MORE = 4		# the next run may take a few more calls
QUIET_S = 0.1		# after the last thing that can be seen
CHILD = "read,write,sendmsg,recvmsg,openat,epoll_ctl,accept4,connect"
ALL = len(sys.argv) > 1 and sys.argv[1] == "0"


class Phase:
    """go(lab, watch) -> (names that may run then, id that was queued).
    every: where all points are tried, every call is one, not only those
    that change something.  step: there, one in so many."""

    def __init__(self, title, who, go, mode="rc", calls=None, new=False,
                 step=1, every=False):
        self.title, self.who, self.go, self.mode = title, who, go, mode
        self.calls, self.new, self.step = calls, new, step if ALL else 1
        self.every = every and ALL

    def __str__(self):
        return f"{'new ' if self.new else ''}{self.who}, {self.title}" + \
            (f" ({self.mode})" if self.mode != "rc" else "")

    def options(self, n, out=None):
        args = ["-t", self.who, "-n", str(n)]
        if self.every:
            args += ["-a"]
        elif self.calls:
            args += ["-f", self.calls]
        if self.new:
            args += ["-c"]
        return args + (["-o", out] if out else [])


def other(lab):
    return "b" if lab.self_name() == "a" else "a"


def until_settled(lab, t):
    """It is over, or somebody was killed: nobody is asked, for that would
    count."""
    lab.alone = None

    def over():
        if t.poll() is not None:
            return True
        lab.look_after()
        return lab.is_settled()
    lab.wait(12, over)
    lab.wait(QUIET_S, lambda: t.poll() is not None)


def go_update(lab, watch):
    old, new = lab.self_name(), other(lab)
    t = watch()
    _, rid = lab.push_self(new)
    until_settled(lab, t)
    return t, [old, new], rid


def go_broken(name):
    """A new one that passes its check, and then does not serve."""
    def go(lab, watch):
        old = lab.self_name()
        t = watch()
        _, rid = lab.push_self(name)
        until_settled(lab, t)
        return t, [old], rid
    return go


def go_refused(lab, watch):
    old = lab.self_name()
    t = watch()
    status, _ = lab.push_self("picky")
    until_settled(lab, t)
    return t, [old] if status != 200 else [], None


def go_rollback(lab, watch):
    old, new = lab.self_name(), other(lab)
    t = watch()
    _, rid = lab.roll_self()
    until_settled(lab, t)
    return t, [old, new], rid


def go_confirmed(lab, watch):
    """It is to be confirmed, and is, if it comes so far."""
    old, new = lab.self_name(), other(lab)
    t = watch()
    _, rid = lab.push_self(new, "&confirm=600")
    until_settled(lab, t)
    lab.confirm_self()
    return t, [old, new], rid


def go_unwanted(lab, watch):
    """It has proved itself, waits for that, and is rolled back."""
    old, new = lab.self_name(), other(lab)
    _, rid = lab.push_self(new, "&confirm=600")
    if not lab.wait(10, lambda: lab.is_settled() and lab.unconfirmed()):
        raise RuntimeError("it does not wait to be confirmed")
    t = watch()
    lab.roll_self()
    until_settled(lab, t)
    lab.confirm_self()
    return t, [old, new], rid


def go_start(before):
    """The host is back after `before`."""
    def go(lab, watch):
        allowed, rid = before(lab)
        lab.kill_all(services=True)
        t = lab.launch(trace=watch())
        lab.alone = None
        lab.wait(15, lambda: t.poll() is not None or
                 (lab.is_settled() and lab.at_rest()))
        return t, allowed, rid
    return go


def at_ease(lab):
    return [lab.self_name()], None


def cut_off(name, calls, at, match=None):
    """The host goes down at a call that only one step makes."""
    def before(lab):
        old = lab.self_name()
        new = name or other(lab)
        t = lab.trace(["-t", "parent", "-n", str(at), "-f", calls] +
                      (["-m", match] if match else []), pid=lab.pid)
        _, rid = lab.push_self(new)
        lab.wait(10, lambda: t.poll() is not None)
        if lab.traced(t) is None:
            raise RuntimeError("the update was not cut off")
        return [old] if name else [old, new], rid
    return before


def hanging(lab):
    """It goes down while the new one, which does nothing, is on trial."""
    old = lab.self_name()
    _, rid = lab.push_self("hang")
    lab.wait(5, lambda: "watch" in lab.parts() and
             lab.self_state().get("starts") == "1")
    return [old], rid


CUTS = (
    ("an end at rest", at_ease),
    ("an end before the links", cut_off(None, "symlinkat", 1)),
    ("an end between the links", cut_off(None, "symlinkat", 2)),
    ("an end before the count",
     cut_off(None, "renameat", 2, "self.state.tmp")),
    ("an end before the exec", cut_off(None, "execve", 1, "sbin/updaterd")),
    ("an end while it is on trial", hanging),
)
BROKEN = (
    ("that ends at once", "segfault"),
    ("without a net", "no-net"),
)


def phases():
    yield Phase("update", "parent", go_update, every=True)
    yield Phase("update", "watch", go_update, every=True)
    for who in ("task", "inflate", "unpack", "net", "probe"):
        yield Phase("update", who, go_update, step=3,
                    calls=None if who == "task" else CHILD)
    for who in ("net", "probe"):
        yield Phase("update", who, go_update, calls=CHILD, new=True)
    yield Phase("update refused by its check", "parent", go_refused)
    yield Phase("update that is confirmed", "parent", go_confirmed, step=3)
    for who in ("parent", "watch"):
        yield Phase("rollback of one not confirmed", who, go_unwanted)
    yield Phase("rollback", "parent", go_rollback)
    yield Phase("rollback", "watch", go_rollback)
    for what, name in BROKEN:
        title = f"update to one {what}"
        yield Phase(title, "parent", go_broken(name))
        yield Phase(title, "watch", go_broken(name), every=True, step=5)
        for mode in ("manager", "loop"):
            yield Phase(title, "parent", go_broken(name), mode, step=3)
            yield Phase(title, "watch", go_broken(name), mode)
    for who in ("net", "probe"):
        yield Phase("update to one without a net", who, go_broken("no-net"),
                    calls=CHILD, new=True, step=3)
    yield Phase("update to one that hangs", "watch", go_broken("hang"),
                step=7)
    yield Phase("update to one whose net hangs", "parent",
                go_broken("net-hangs"), step=7)
    for mode in ("manager", "loop"):
        yield Phase("update", "parent", go_update, mode, step=3)
        yield Phase("update", "watch", go_update, mode)
    for what, before in CUTS:
        yield Phase("start after " + what, "parent", go_start(before),
                    "loop")
        yield Phase("start after " + what, "watch", go_start(before),
                    "manager")


def run(lab, phase, n, out=None):
    """One point: (what was done, violations)."""
    try:
        did, wrong = run_phase(lab, phase, n, out)
    except (RuntimeError, OSError, LookupError) as e:
        did, wrong = None, [repr(e)]
    if wrong:
        lab.kill_all()
    return did, wrong


def run_phase(lab, phase, n, out):
    if lab.mode != phase.mode or not lab.parts().get("parent"):
        lab.stop()
        lab.mode = phase.mode
        why = lab.start()
        if why:
            return None, [why]
    lab.come_to_rest(5)
    lab.agent = lab.services()[0]
    boots = phase.title.startswith("start")
    if boots:
        def watch():
            return phase.options(n, out)
    else:
        def watch():
            old = phase.who in ("net", "probe") and not phase.new
            pid = lab.parts()[phase.who if old else "parent"][0]
            return lab.trace(phase.options(n, out), pid=pid)
    t, allowed, queued = phase.go(lab, watch)
    did = lab.traced(t)
    return did, lab.check_self(allowed, queued, same=not boots)


def begin(lab):
    """A daemon with both releases of itself, and a service."""
    if lab.start() is not None:
        print("Bail out! the daemon does not start")
        return False
    for name, ask in (("r1", lab.push), ("a", lab.push_self),
                      ("b", lab.push_self)):
        status = ask(name)[0]
        if status != 200 or not lab.come_to_rest():
            print(f"Bail out! push {name}: {status}")
            return False
    return True


def explore(lab, tour):
    """The points there are; and whether all is well without a kill."""
    chosen = tour.choose(phases())
    if tour.sample:
        chosen = chosen[:1] + tour.draw(chosen[1:], tour.sample // 6)
        chosen.sort(key=lambda p: p.mode)
    out = lab.t + "/calls"
    for p in chosen:
        _, wrong = run(lab, p, 0, out)
        calls = len(read(out).splitlines())
        tour.line(not wrong, f"{p}: {calls} points, untouched")
        tour.tell(wrong)
        tour.violations += bool(wrong)
        tour.add(p, calls + (0 if tour.sample else MORE), p.step)
    if tour.sample:
        tour.plan = tour.draw(tour.plan, tour.sample // 3)
    tour.plan.sort(key=lambda x: x[0].mode)


def main():
    lab = SelfLab()
    tour = Tour("killed")
    if not begin(lab):
        return 1
    explore(lab, tour)
    for p, n in tour.plan:
        tour.note(p, n, *run(lab, p, n))
    tour.sum_up()
    lab.come_to_rest()
    lab.agent = lab.services()[0]
    new = other(lab)
    status, rid = lab.push_self(new)
    wrong = lab.check_self([new], rid)
    ok = status == 200 and not wrong
    tour.line(ok, f"and an update goes through: {status} {wrong or ''}")
    tour.end("kill points tried", missed=True)
    lab.stop()
    return 0 if ok and tour.violations == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
