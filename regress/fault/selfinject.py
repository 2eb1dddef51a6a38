"""Let one system call of the parent fail once while updaterd updates itself,
in the program before the exec or in the one after it; nobody starts it again.
Called by selfinject.sh: selfinject.py points [part]."""
import errno
import sys

from inject import KINDS, judge
from lab import read
from selfkill import begin, go_broken, go_rollback, go_unwanted, go_update, \
    other
from selflab import SelfLab
from tour import Tour

STEP = 3		# where all are tried: one in so many


class Point:
    """One kind of failure in one kind of run."""

    def __init__(self, title, go, kind):
        self.title, self.go, self.kind = title, go, kind
        self.who = "parent"

    def __str__(self):
        return f"{self.title}, {self.kind[0]}"

    def options(self, n, out=None):
        name, flags, calls = self.kind
        if name == "EINTR":
            # Its pipe for signals does not block: it cannot be cut short.
            calls = calls.replace("write,", "")
        args = ["-t", "parent", "-n", str(n), "-f", calls] + flags
        if name != "short":
            args += ["-e", str(getattr(errno, name))]
        return args + (["-o", out] if out else [])


def runs():
    for kind in KINDS:
        yield Point("update", go_update, kind)
        yield Point("update to one without a net", go_broken("no-net"), kind)
        yield Point("rollback", go_rollback, kind)
        yield Point("rollback of one not confirmed", go_unwanted, kind)


def run(lab, point, n, out=None):
    """(what was done, violations)"""
    lab.hands, lab.tidy = True, True
    if not lab.parts().get("parent"):
        why = lab.start()
        if why:
            return None, [why]
    lab.come_to_rest(10)
    lab.agent = lab.services()[0]
    lab.hands, lab.tidy = False, False
    old = lab.self_name()
    t, allowed, queued = point.go(lab, lambda: lab.trace(
        point.options(n, out), pid=lab.parts()["parent"][0]))
    did = lab.traced(t)
    if did is None:
        return None, []
    status, body = lab.answer
    wrong = judge(point, status, body)
    if not lab.wait(20, lab.is_settled):
        wrong.append(f"not at rest by itself: {lab.parts()}, "
                     f"{lab.self_state()}")
    now = lab.self_name()
    if now not in (allowed if queued else [old]):
        wrong.append(f"updaterd is {now}, answered {status}")
    lab.hands = lab.tidy = True
    new = other(lab)
    status, queued = lab.push_self(new)
    if status != 200:
        wrong.append(f"the next update: {lab.answer}")
        new = lab.self_name()
    lab.come_to_rest()
    # What cannot be watched is started anew.
    held = not did.startswith(("pidfd_open", "epoll_ctl"))
    return did, wrong + lab.check_self([new], queued, same=held)


def attempt(lab, point, n, out=None):
    try:
        did, wrong = run(lab, point, n, out)
    except (RuntimeError, OSError, LookupError) as e:
        did, wrong = None, [repr(e)]
    if wrong:
        lab.hands = True
        lab.kill_all()
    return did, wrong


def main():
    tour = Tour("failed")
    lab = SelfLab()
    if not begin(lab):
        return 1
    chosen = tour.choose(runs())
    if tour.sample:
        chosen = tour.draw(chosen, max(1, tour.sample // 6))
    out = lab.t + "/calls"
    for p in chosen:
        _, wrong = attempt(lab, p, 0, out)
        tour.violations += bool(wrong)
        calls = len(read(out).splitlines())
        tour.verbose(f"{p}: {calls} points {wrong or ''}")
        tour.add(p, calls, 1 if tour.sample else STEP)
    if tour.sample:
        tour.plan = tour.draw(tour.plan, tour.sample // 3)
    for p, n in tour.plan:
        tour.note(p, n, *attempt(lab, p, n))
    tour.sum_up()
    tour.end("injected errors")
    lab.stop()
    return 1 if tour.violations or not tour.tried else 0


if __name__ == "__main__":
    sys.exit(main())
