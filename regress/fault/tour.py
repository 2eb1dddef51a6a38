"""A tour of the points at which a process is killed, or something fails:
which there are, which of them were asked for, and what came of each.

sys.argv has how many points to try (0: all) and, if not all, a pattern for
the kinds of runs; FAULT_LANE=1/3 takes every third point, SEED says which are
drawn, VERBOSE=1 tells of each."""
import os
import random
import re
import sys


class Tour:
    def __init__(self, verb):
        self.verb = verb		# what happens at a point
        self.sample = int(sys.argv[1])
        self.only = sys.argv[2] if len(sys.argv) > 2 else None
        self.dice = random.Random(int(os.environ.get("SEED", "1")))
        self.lane, self.lanes = map(
            int, os.environ.get("FAULT_LANE", "0/1").split("/"))
        self.plan = []			# (kind of run, number of the point)
        self.tests = self.tried = self.missed = self.violations = 0
        self.bad, self.counted = {}, {}

    def choose(self, kinds, key=str):
        """Those that were asked for."""
        return [k for k in kinds
                if not self.only or re.search(self.only, key(k))]

    def draw(self, things, n):
        """So many of them, or all."""
        return self.dice.sample(things, min(n, len(things)))

    def add(self, kind, points, step=1, first=1):
        """Points from the first on: one in so many, and of these our
        lane's."""
        self.plan += [(kind, i) for i in range(first, points + 1, step)
                      if i // step % self.lanes == self.lane]

    def line(self, ok, text):
        self.tests += 1
        print(f"{'ok' if ok else 'not ok'} {self.tests} - {text}", flush=True)

    @staticmethod
    def tell(wrong):
        for w in wrong[:8]:
            print("#   " + w[:1000], flush=True)

    @staticmethod
    def verbose(text):
        if os.environ.get("VERBOSE"):
            print("# " + text, flush=True)

    def note(self, kind, n, did, wrong, answer=""):
        """What came of that point; did: what was done there, if it was
        reached."""
        if did:
            self.tried += 1
            self.counted[kind] = self.counted.get(kind, 0) + 1
        else:
            self.missed += 1
        self.verbose(f"{kind}, at {n}: {did}")
        if wrong:
            self.violations += 1
            self.bad[kind] = self.bad.get(kind, 0) + 1
            print(f"# {kind}, at {n} ({did}){answer}:")
            self.tell(wrong)

    def sum_up(self):
        """A line for each kind of run."""
        for k in dict.fromkeys(k for k, _ in self.plan):
            self.line(k not in self.bad, f"{k}: {self.verb} at "
                      f"{self.counted.get(k, 0)} points, "
                      f"{self.bad.get(k, 0)} violations")

    def end(self, what, missed=False):
        print(f"# {what}: {self.tried}, violations: {self.violations}" +
              (f", not reached: {self.missed}" if missed else ""))
        print(f"1..{self.tests}")
