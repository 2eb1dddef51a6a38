"""Let one system call of the parent fail once while updaterd updates itself,
in the program before the exec or in the one after it; nobody starts it again.
Called by selfinject.sh: selfinject.py points [part]."""
import errno
import os
import random
import re
import sys

from inject import KINDS, judge
from lab import read
from selfkill import go_broken, go_rollback, go_update, other
from selflab import SelfLab

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
    sample = int(sys.argv[1])
    only = sys.argv[2] if len(sys.argv) > 2 else None
    dice = random.Random(int(os.environ.get("SEED", "1")))
    lane, lanes = map(int, os.environ.get("FAULT_LANE", "0/1").split("/"))
    lab = SelfLab()
    if lab.start() is not None:
        print("Bail out! the daemon does not start")
        return 1
    for name, ask in (("r1", lab.push), ("a", lab.push_self),
                      ("b", lab.push_self)):
        if ask(name)[0] != 200 or not lab.come_to_rest():
            print(f"Bail out! push {name}")
            return 1
    chosen = [p for p in runs() if not only or re.search(only, str(p))]
    if sample:
        chosen = dice.sample(chosen, min(len(chosen), max(1, sample // 6)))
    out, plan = lab.t + "/calls", []
    tests = violations = tried = 0
    for p in chosen:
        _, wrong = attempt(lab, p, 0, out)
        violations += bool(wrong)
        calls = len(read(out).splitlines())
        if os.environ.get("VERBOSE"):
            print(f"# {p}: {calls} points {wrong or ''}", flush=True)
        step = 1 if sample else STEP
        plan += [(p, i) for i in range(1, calls + 1, step)
                 if i // step % lanes == lane]
    if sample:
        plan = dice.sample(plan, min(sample // 3, len(plan)))
    bad, counted = {}, {}
    for p, n in plan:
        did, wrong = attempt(lab, p, n)
        if did:
            tried += 1
            counted[p] = counted.get(p, 0) + 1
        if os.environ.get("VERBOSE"):
            print(f"# {p}, at {n}: {did}", flush=True)
        if wrong:
            violations += 1
            bad[p] = bad.get(p, 0) + 1
            print(f"# {p}, at {n} ({did}):")
            for w in wrong[:8]:
                print("#   " + w[:400], flush=True)
    for p in dict.fromkeys(p for p, _ in plan):
        tests += 1
        print(f"{'not ok' if p in bad else 'ok'} {tests} - {p}: failed at "
              f"{counted.get(p, 0)} points, {bad.get(p, 0)} violations")
    print(f"# injected errors: {tried}, violations: {violations}")
    print(f"1..{tests}")
    lab.stop()
    return 1 if violations or not tried else 0


if __name__ == "__main__":
    sys.exit(main())
