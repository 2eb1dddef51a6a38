"""Kill one process of updaterd at one of its system calls, start again
where it was the parent, and check what must hold.  Called by kill.sh with
the number of points to try, 0: all of them."""
import json
import os
import signal
import sys
import threading
import time

from lab import Lab, read
from tour import Tour

# What counts in the locked-in processes beside what changes state: there
# is little else for them to be killed at.
REST_S = 5
MORE = 6
TRIAL_S = 15
QUIET_S = 0.15		# after the last thing that can be seen
# All points: every call, not only those that change something.
EVERY = len(sys.argv) > 1 and sys.argv[1] == "0"
CHILD = "read,write,sendmsg,recvmsg,openat,openat2,mkdirat,symlinkat"


class Phase:
    """One kind of run; go() returns (status, names allowed, must)."""

    def __init__(self, lab, title, who, conf, go, calls=None):
        self.lab, self.title, self.who = lab, title, who
        self.conf, self.go, self.calls = conf, go, calls

    def __str__(self):
        return f"{self.who}, {self.title}"

    def options(self, n, out=None):
        args = ["-t", self.who, "-n", str(n)]
        if EVERY:
            args += ["-a"]
        elif self.calls:
            args += ["-f", self.calls]
        if out:
            args += ["-o", out]
        return args


def other(lab, a="r1", b="r2"):
    return b if lab.name() == a else a


def go_push(lab, watch):
    old, new = lab.name(), other(lab)
    t = watch()
    status, body = lab.push(new)
    return t, status, body, [old, new], new if status == 200 else None


def go_broken(lab, watch):
    old = lab.name()
    t = watch()
    status, body = lab.push("bad")
    wrong = "bad" if status == 200 else None
    return t, status, body, [old], wrong


def go_rollback(lab, watch):
    old = lab.name()
    new = json.loads(read(f"{lab.root}/releases/" + os.readlink(
        lab.root + "/previous")[9:] + ".json"))["sha"]
    t = watch()
    status, body = lab.ask("POST", "/rollback")
    return t, status, body, [old, new], new if status == 200 else None


def go_confirm(lab, watch):
    """A release that is on trial is confirmed."""
    new = other(lab)
    lab.push(new, "&confirm=120")
    t = watch()
    status, body = lab.ask("POST", "/confirm")
    return t, status, body, [new], new if status == 200 else None


def go_lapse(lab, watch):
    """One that nobody confirms goes back."""
    old, new = lab.name(), other(lab)
    lab.push(new, "&confirm=1")
    t = watch()
    lab.wait(10, lambda: not lab.alive() or
             (lab.name() == old and not lab.leftovers()))
    return t, None, None, [old], None


def settled(lab):
    """Trial and all: nothing is open, or it was killed."""
    return not lab.alive() or not lab.leftovers()


def go_trial(lab, watch):
    """Good, and good throughout its probation."""
    old, new = lab.name(), other(lab)
    t = watch()
    status, body = lab.push(new)
    lab.wait(TRIAL_S, lambda: settled(lab))
    return t, status, body, [old, new], new if status == 200 else None


def go_fall(lab, watch):
    """Good at first, and then no more."""
    old = lab.name()
    t = watch()
    status, body = lab.push("crash")
    lab.wait(TRIAL_S, lambda: settled(lab))
    return t, status, body, [old], None


def go_unconfirmed(lab, watch):
    """From the push of one that nobody confirms."""
    old, new = lab.name(), other(lab)
    t = watch()
    status, body = lab.push(new, "&confirm=1")
    lab.wait(TRIAL_S, lambda: settled(lab))
    return t, status, body, [old], None


def go_trial_recovered(lab, watch):
    """Killed amid a trial that nobody confirms; the next start goes on."""
    old, new = lab.name(), other(lab)
    status, body = lab.push(new, "&confirm=1")
    if status != 200:
        raise RuntimeError(f"the push on trial: {status} {body}")
    lab.kill()
    t = lab.launch(trace=watch())
    lab.wait(30, lambda: t.poll() is not None or
             (lab.alive() and lab.up() and settled(lab)))
    return t, None, None, [old], None


def settle(lab, status):
    """After a confirmation that was cut off: it is, or it can be repeated;
    but not where it was answered."""
    lab.wait(5, lab.up)
    again, _ = lab.ask("POST", "/confirm")
    if again not in (200, 404):
        return [f"a second confirmation is answered {again}"]
    if status == 200 and again == 200:
        return ["confirmed, answered 200, and still on trial"]
    return []


def recovery(before):
    """Cut an update off as `before` says, then watch the next start."""
    def go(lab, watch):
        old, new = lab.name(), other(lab)
        name = "bad" if before[0] == "bad" else new
        t = lab.trace(before[1], pid=lab.pid)
        if before[0] == "back":
            status, _ = lab.ask("POST", "/rollback")
        else:
            status, _ = lab.push(name)
        if lab.traced(t) is None:
            raise RuntimeError("the update was not cut off")
        lab.wait(10, lambda: not lab.alive())
        t = lab.launch(trace=watch())
        lab.wait(30, lambda: t.poll() is not None or
                 (lab.alive() and lab.up() and not lab.leftovers()))
        return t, None, None, [old] if name == "bad" else [old, new], \
            new if status == 200 else None
    return go


def cut(at, calls, match=None):
    """Options that kill the parent at a call that only one step makes."""
    return ["-t", "parent", "-n", str(at), "-f", calls] + \
        (["-m", match] if match else [])


# Where an update is cut off, before its recovery is: what, by which call.
CUTS = (
    ("receiving", "new", cut(3, "clone")),
    ("installing", "new", cut(1, "kill")),
    ("committing", "new", cut(1, "renameat", ".json.tmp")),
    ("promoting", "new", cut(1, "symlinkat")),
    ("flipping", "new", cut(2, "symlinkat")),
    ("probing", "new", cut(3, "unlinkat", "json.tmp")),
    ("going back", "bad", cut(3, "symlinkat")),
    ("pruning", "new", cut(1, "renameat", ".dead-")),
    ("a rollback", "back", cut(2, "symlinkat")),
)


def phases(lab):
    plain, install = lab.conf, lab.conf + ".install"
    yield Phase(lab, "push", "parent", plain, go_push)
    yield Phase(lab, "push with install", "parent", install, go_push)
    yield Phase(lab, "push of a broken one", "parent", plain, go_broken)
    yield Phase(lab, "rollback", "parent", plain, go_rollback)
    yield Phase(lab, "confirm", "parent", plain, go_confirm)
    yield Phase(lab, "not confirmed", "parent", plain, go_lapse)
    trial, fall = lab.conf + ".trial", lab.conf + ".fall"
    yield Phase(lab, "push on probation", "parent", trial, go_trial)
    yield Phase(lab, "fall in probation", "parent", fall, go_fall)
    yield Phase(lab, "fall in probation", "task", fall, go_fall)
    yield Phase(lab, "push not confirmed", "parent", plain, go_unconfirmed)
    yield Phase(lab, "recovery of a trial", "parent", plain,
                go_trial_recovered)
    for title, name, at in CUTS:
        conf = install if title == "installing" else plain
        yield Phase(lab, "recovery of " + title, "parent", conf,
                    recovery((name, at)))
        # Who works for the parent while it recovers.
        for who in {"receiving": ("task", "net"),
                    "promoting": ("task",),
                    "probing": ("probe",),
                    "going back": ("probe", "task")}.get(title, ()):
            yield Phase(lab, "recovery of " + title, who, conf,
                        recovery((name, at)), None if who == "task"
                        else CHILD)
    for who in ("net", "probe", "inflate", "unpack", "task"):
        calls = None if who == "task" else CHILD
        yield Phase(lab, "push", who, plain, go_push, calls)
    for who in ("unpack", "task"):
        yield Phase(lab, "push with install", who, install, go_push,
                    CHILD if who == "unpack" else None)
    for who in ("probe", "unpack", "task"):
        yield Phase(lab, "push of a broken one", who, plain, go_broken,
                    None if who == "task" else CHILD)
    for who in ("unpack", "probe", "task"):
        yield Phase(lab, "rollback", who, plain, go_rollback,
                    None if who == "task" else CHILD)


def run(lab, phase, n, out=None):
    """One point: (what was done, status, body, violations)."""
    if lab.conf != phase.conf:
        lab.stop()
        lab.conf = phase.conf
    if not lab.alive():
        why = lab.start()
        if why is None:
            lab.wait(20, lab.at_rest)
        else:
            return None, None, None, [why]
    if phase.title.startswith("recovery"):
        def watch():
            return phase.options(n, out)
    else:
        def watch():
            pid = lab.process(phase.who) if phase.who in ("net", "probe") \
                else lab.pid
            return lab.trace(phase.options(n, out), pid=pid)
    t, status, body, allowed, must = phase.go(lab, watch)
    # The last steps come after the answer.  The daemon is not asked: its
    # answers would count.
    lab.wait(REST_S, lambda: t.poll() is not None or not lab.leftovers())
    lab.wait(QUIET_S, lambda: t.poll() is not None)
    did = lab.traced(t)
    wrong = []
    if did and phase.who == "parent":
        lab.wait(10, lambda: not lab.alive())
        why = lab.start()
        if why:
            wrong.append(why)
    elif not lab.alive():
        wrong.append("the daemon died by itself")
        lab.start()
    if phase.go is go_confirm and lab.alive():
        wrong += settle(lab, status)
    wrong += lab.check(allowed, must)
    if phase.who in ("net", "probe") and not wrong:
        lab.stop()		# else it comes back later each time
    return did, status, body, wrong


def main():
    lab = Lab()
    tour = Tour("killed")
    if lab.start() is not None:
        print("Bail out! the daemon does not start")
        return 1
    for name in ("r1", "r2", "r1"):
        status, body = lab.push(name)
        if status != 200:
            print(f"Bail out! push {name}: {status} {body}")
            return 1
    chosen = tour.choose(phases(lab), lambda p: f"{p.who} {p.title}")
    if tour.sample:
        chosen = tour.draw(chosen, tour.sample // 2)
        chosen.sort(key=lambda p: p.conf)
    out = lab.t + "/calls"
    for p in chosen:
        _, status, _, wrong = run(lab, p, 0, out)
        calls = len(read(out).splitlines())
        tour.line(not wrong, f"{p}: {calls} points, untouched: {status}")
        tour.tell(wrong)
        tour.violations += len(wrong)
        # The next run may take a few more.
        tour.add(p, calls + (0 if tour.sample else MORE))
    if tour.sample:
        tour.plan = tour.draw(tour.plan, tour.sample)
        tour.plan.sort(key=lambda x: x[0].conf)
    for p, n in tour.plan:
        try:
            did, status, _, wrong = run(lab, p, n)
        except RuntimeError as e:
            did, status, wrong = None, None, [str(e)]
        tour.note(p, n, did, wrong, f", answer {status}")
        if wrong:
            lab.kill()
            lab.start()
            lab.check([lab.name()])
    tour.sum_up()
    if not lab.alive():
        lab.start()
    status, _ = lab.push(other(lab), "&force=true")
    tour.line(status == 200, f"and a push goes through: {status}")
    tour.end("kill points tried", missed=True)
    lab.stop()
    return 1 if tour.violations or status != 200 else 0


if __name__ == "__main__":
    sys.exit(main())
