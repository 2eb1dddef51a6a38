#!/usr/bin/env python3
"""The parts of the benchmarks that a shell is too slow for."""
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import time


def tree(path, files, size):
    """Half text like source, half random; the same each time."""
    rnd = random.Random(20261122)
    words = ["int", "return", "struct", "if", "else", "static", "char",
             "while", "size_t", "buffer", "length", "(", ")", "{", "}", ";"]
    words += ["name%d" % i for i in range(500)]
    text = " ".join(rnd.choice(words) for _ in range(400000))
    left = size
    for i in range(files):
        d = "%s/d%02d" % (path, i % 70)
        os.makedirs(d, exist_ok=True)
        n = min(left, int(size / files * rnd.uniform(0.2, 1.8)))
        if i == files - 1:
            n = left
        left -= n
        with open("%s/f%05d" % (d, i), "wb") as f:
            if i % 2:
                f.write(rnd.randbytes(n))
            else:
                while n > 0:
                    at = rnd.randrange(len(text) - 10000)
                    k = min(n, 10000)
                    f.write(text[at:at + k].encode())
                    n -= k


def own(runs, argv):
    """Milliseconds from spawn to listening plus TERM to exit: the median."""
    sums = []
    for _ in range(runs):
        a = time.monotonic()
        p = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
        for line in p.stderr:
            if "listen" in line:
                break
        b = time.monotonic()
        time.sleep(0.05)
        c = time.monotonic()
        p.send_signal(signal.SIGTERM)
        p.wait()
        d = time.monotonic()
        sums.append((b - a + d - c) * 1000)
    print("%.2f" % statistics.median(sums))


def downtime(log, own_ms, what):
    gaps, stop = [], None
    for line in open(log, errors="replace"):
        m = re.search(r"agent: (stop|listen).* at (\d+) us", line)
        if not m:
            continue
        if m.group(1) == "stop":
            stop = int(m.group(2))
        elif stop is not None:
            gaps.append((int(m.group(2)) - stop) / 1000)
            stop = None
    if not gaps:
        print("    %s: nothing measured" % what)
        return
    med = statistics.median(gaps)
    print("    %s: %.1f (max %.1f, n %d); the service's own stop and start "
          "%.1f; beyond it %.1f" % (what, med, max(gaps), len(gaps),
                                   float(own_ms), med - float(own_ms)))


def family(pid, program):
    pids = [pid]
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            pids += [int(p) for p in f.read().split()]
    except OSError:
        pass
    out = []
    for p in pids:
        try:
            if os.path.realpath("/proc/%d/exe" % p) == \
               os.path.realpath(program):
                out.append(p)
        except OSError:
            pass
    return out


def pss(pid):
    try:
        with open("/proc/%d/smaps_rollup" % pid) as f:
            for line in f:
                if line.startswith("Pss:"):
                    return int(line.split()[1])
    except OSError:
        pass
    return 0


def peak(pid, program, out):
    top = 0
    while not os.path.exists(out + ".stop"):
        top = max(top, sum(pss(p) for p in family(pid, program)))
        time.sleep(0.02)
    with open(out, "w") as f:
        f.write("%.1f MiB" % (top / 1024))


def switches(pid):
    n = 0
    with open("/proc/%d/status" % pid) as f:
        for line in f:
            if "ctxt_switches" in line:
                n += int(line.split()[1])
    return n


def idle(pid, program, seconds):
    pids = family(pid, program)
    before = [switches(p) for p in pids]
    time.sleep(seconds)
    after = [switches(p) for p in pids]
    print("    processes %d, PSS %.1f MiB, wake-ups %d" % (
        len(pids), sum(pss(p) for p in pids) / 1024,
        sum(after) - sum(before)))


a = sys.argv[2:]
{
    "tree": lambda: tree(a[0], int(a[1]), int(a[2])),
    "own": lambda: own(int(a[0]), a[1:]),
    "downtime": lambda: downtime(*a),
    "peak": lambda: peak(int(a[0]), a[1], a[2]),
    "idle": lambda: idle(int(a[0]), a[1], float(a[2])),
}[sys.argv[1]]()
