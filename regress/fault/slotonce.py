"""Let one system call of one process of `updaterd -R` fail once, at a boot
before s6-svscan is there: it must come to its end, for the boot waits for
it, and the next one must leave all slots whole.  Called by slotonce.sh:
points [phase]."""
import sys
import time

from lab import read
from slotfail import KINDS, Fault, loaded
from slotlab import SlotLab
from slots import base, begin, choose, draw, wiped
from tour import Tour

FEW = 2			# of a sample: a point takes a third of a second
ONCE_S = 40		# seconds; it takes 0.2 of one
SLOW_S = 2.5		# seconds more than usual: it has waited in vain


class Once:
    def __init__(self, lab):
        self.lab, self.ref, self.usual, self.slow = lab, None, 0, 0

    def look(self):
        lab = self.lab
        return {n: lab.slot(n) for n in lab.slots()}, \
            {n: o.get("desired") for n, o in lab.intents().items()}

    def differs(self):
        """What is not as the untouched run has left it."""
        slots, wishes = self.look()
        if self.ref is None:
            self.ref = slots, wishes
        wrong = [f"slot {n}{p}" for n in set(self.ref[0]) | set(slots)
                 for was, now in [(self.ref[0].get(n, {}), slots.get(n, {}))]
                 for p in set(was) | set(now) if was.get(p) != now.get(p)]
        return wrong + ([] if wishes == self.ref[1] else
                        [f"wishes: {wishes}, were {self.ref[1]}"])

    def run(self, kind, n, out=None):
        """What was done at that point, and what is wrong."""
        lab, wrong = self.lab, []
        lab.boot()
        since = time.monotonic()
        t = lab.launch_once(kind.options(n, out))
        if not lab.ended(t, ONCE_S):
            wrong.append("updaterd -R does not end")
        took = time.monotonic() - since
        did = lab.traced(t)
        if n == 0:
            self.usual = max(took, self.usual)
        elif took > self.usual + SLOW_S:
            self.slow += 1
            print(f"# {kind}, at {n} ({did}): took {took:.1f} s",
                  flush=True)
        if n:
            wrong += lab.once()
        wrong += self.differs()
        wrong += lab.orphans() + ["left: " + x for x in lab.temporary()]
        return did, wrong


def main():
    lab, tour = SlotLab(), Tour("failed")
    if not begin(lab):
        return 1
    base()(lab)
    lab.stop()
    wiped(lab)
    lab.pid = None
    once, out = Once(lab), lab.t + "/calls"
    chosen = choose(tour, [Fault("updaterd -R", who, None, None, k)
                           for k in KINDS for who in ("parent", "profile")],
                    FEW)
    for k in chosen:
        _, wrong = once.run(k, 0, out)
        calls = read(out).splitlines()
        first = loaded(calls) + 1
        tour.line(not wrong, f"{k}: {len(calls) - first + 1} points")
        tour.tell(wrong)
        tour.violations += len(wrong)
        tour.add(k, len(calls), first=first)
    draw(tour, chosen, FEW)
    for k, n in tour.plan:
        try:
            did, wrong = once.run(k, n)
        except RuntimeError as e:
            did, wrong = None, [str(e)]
        tour.note(k, n, did, wrong)
    tour.sum_up()
    tour.end("injected errors")
    print(f"# waited in vain: {once.slow}")
    return 1 if tour.violations or not tour.tried else 0


if __name__ == "__main__":
    sys.exit(main())
