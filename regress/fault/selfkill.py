"""Kill one process of updaterd at one of its system calls while it updates
itself, play who starts it again, and check what must hold.  Called by
selfkill.sh with the number of points to try, 0: all of them; and which."""
import os
import random
import re
import sys

from lab import read
from selflab import SelfLab

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


def plan_of(lab, chosen, sample, dice):
    """The points there are; and whether all is well without a kill."""
    lane, lanes = map(int, os.environ.get("FAULT_LANE", "0/1").split("/"))
    out = lab.t + "/calls"
    plan, bad = [], 0
    for k, p in enumerate(chosen):
        _, wrong = run(lab, p, 0, out)
        calls = len(read(out).splitlines())
        print(f"{'not ok' if wrong else 'ok'} {k + 1} - {p}: {calls} points,"
              " untouched", flush=True)
        for w in wrong:
            print("#   " + w[:400])
        bad += bool(wrong)
        plan += [(p, i) for i in
                 range(1, calls + (1 if sample else MORE), p.step)
                 if i // p.step % lanes == lane]
    if sample:
        plan = dice.sample(plan, min(sample, len(plan)))
    plan.sort(key=lambda x: x[0].mode)
    return plan, bad


def main():
    sample = int(sys.argv[1])
    only = sys.argv[2] if len(sys.argv) > 2 else None
    dice = random.Random(int(os.environ.get("SEED", "1")))
    lab = SelfLab()
    if lab.start() is not None:
        print("Bail out! the daemon does not start")
        return 1
    for name, ask in (("r1", lab.push), ("a", lab.push_self),
                      ("b", lab.push_self)):
        status = ask(name)[0]
        if status != 200 or not lab.come_to_rest():
            print(f"Bail out! push {name}: {status}")
            return 1
    chosen = [p for p in phases() if not only or re.search(only, str(p))]
    if sample:
        chosen = chosen[:1] + \
            dice.sample(chosen[1:], min(len(chosen) - 1, sample // 6))
        chosen.sort(key=lambda p: p.mode)
    plan, violations = plan_of(lab, chosen, sample // 3, dice)
    tests = len(chosen)
    tried = missed = 0
    bad, counted = {}, {}
    for p, n in plan:
        did, wrong = run(lab, p, n)
        if did:
            tried += 1
            counted[p] = counted.get(p, 0) + 1
        else:
            missed += 1
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
        print(f"{'not ok' if p in bad else 'ok'} {tests} - {p}: killed at "
              f"{counted.get(p, 0)} points, {bad.get(p, 0)} violations")
    lab.come_to_rest()
    lab.agent = lab.services()[0]
    tests += 1
    new = other(lab)
    status, rid = lab.push_self(new)
    wrong = lab.check_self([new], rid)
    ok = status == 200 and not wrong
    print(f"{'ok' if ok else 'not ok'} {tests} - and an update goes "
          f"through: {status} {wrong or ''}")
    print(f"# kill points tried: {tried}, violations: {violations}, "
          f"not reached: {missed}")
    print(f"1..{tests}")
    lab.stop()
    return 0 if ok and violations == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
