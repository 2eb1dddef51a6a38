"""Let one system call of one process fail once, or one allocation of the
parent, in each kind of update; then it must have answered clearly, and the
next push must go in.  Called by inject.sh: inject.py points [part]."""
import errno
import mmap
import os
import shutil
import struct
import sys

from kill import TRIAL_S, go_broken, go_fall, go_push, go_rollback, \
    go_trial, go_unconfirmed, other, settled
from lab import Lab, read
from tour import Tour

QUIET_S = 0.1
FILES = "openat,openat2,mkdirat,symlinkat,symlink,mkdir,renameat,rename"
SYNC = "fsync,fdatasync,syncfs,sync_file_range"
SHED = "unlinkat,unlink,rmdir,fchown,fchownat,fchmod,fchmodat,ftruncate"
LOOK = "read,pread64,getdents64,newfstatat,fstat,fstatfs,lseek," \
       "readlinkat,readlink,faccessat2"
WAIT = "read,write,sendmsg,recvmsg,sendto,recvfrom,epoll_wait,epoll_pwait," \
       "accept4,poll,connect"
OPEN = "openat,openat2,pipe2,socketpair,socket,accept4,fcntl,dup2,dup3," \
       "epoll_create1,pidfd_open,landlock_create_ruleset"
# What can fail so: option of the tracer, calls.
KINDS = (
    ("ENOSPC", ["-r"], f"{FILES},{SYNC},write,pwrite64"),
    ("EIO", ["-r"], f"{FILES},{SYNC},{SHED},{LOOK},write,pwrite64,close"),
    ("EMFILE", [], OPEN),
    ("ENOMEM", [], f"clone,clone3,execve,mmap,brk,mprotect,{OPEN},mkdirat,"
                   "renameat,unlinkat,newfstatat,getdents64,sendmsg,recvmsg,"
                   "sendto,recvfrom,epoll_ctl,setsockopt,getsockopt,prctl,"
                   "getsockname,bind,seccomp,landlock_add_rule,chroot,chdir"),
    ("EAGAIN", [], "clone,clone3,setresuid,getrandom"),
    ("EPERM", [], "chroot,chdir,fchdir,setgroups,setresuid,setresgid,setsid,"
                  "prctl,seccomp,landlock_create_ruleset,landlock_add_rule,"
                  "landlock_restrict_self,prlimit64,close_range,kill,"
                  "pidfd_open,fchown,fchownat,fchmod,fchmodat,unlinkat,"
                  "renameat,setpriority,execve,connect,socket"),
    ("EINTR", [], WAIT),
    ("short", ["-s"], "read,write,pwrite64,sendto,recvfrom,getdents64"),
)
# A handshake is thousands of allocations of its library's: one in so many.
CRYPTO_STEP = 29
TRIAL_STEP = 5		# a trial takes seconds
ROLES = ("parent", "task", "net", "probe", "inflate", "unpack")


def go_confirm(lab, watch):
    """The confirmation; in vain, it goes back soon."""
    old, new = lab.name(), other(lab)
    lab.push(new, "&confirm=3")
    t = watch()
    status, body = lab.ask("POST", "/confirm")
    lab.wait(TRIAL_S, lambda: settled(lab))
    return t, status, body, [old, new], new if status == 200 else None


class Point:
    """One run in which something fails."""

    def __init__(self, title, who, conf, go, kind=None, crypto=False,
                 trial=None):
        self.title, self.who, self.conf = title, who, conf
        self.go, self.kind, self.crypto = go, kind, crypto
        self.trial = trial		# configuration to go on with
        self.step = CRYPTO_STEP if crypto else TRIAL_STEP if trial else 1

    def __str__(self):
        kind = self.kind[0] if self.kind else "no memory"
        return f"{self.who}, {self.title}, {kind}" + \
            (" for libcrypto" if self.crypto else "")

    def options(self, n, out):
        name, flags, calls = self.kind
        if name == "EINTR" and self.who == "parent":
            # Its pipe for signals does not block: it cannot be cut short.
            calls = calls.replace("write,", "")
        args = ["-t", self.who, "-n", str(n), "-f", calls] + flags
        if name != "short":
            args += ["-e", str(getattr(errno, name))]
        return args + (["-o", out] if out else [])


def runs(lab):
    plain, install = lab.conf, lab.conf + ".install"
    trial, fall = lab.conf + ".trial", lab.conf + ".fall"
    for kind in KINDS:
        yield Point("push", "parent", plain, go_push, kind)
        yield Point("push with install", "parent", install, go_push, kind)
        yield Point("push of a broken one", "parent", plain, go_broken,
                    kind)
        yield Point("rollback", "parent", plain, go_rollback, kind)
        yield Point("push on probation", "parent", trial, go_trial, kind,
                    trial=plain)
        yield Point("fall in probation", "parent", fall, go_fall, kind,
                    trial=plain)
        yield Point("push not confirmed", "parent", plain, go_unconfirmed,
                    kind, trial=plain)
        yield Point("confirmation", "parent", plain, go_confirm, kind)
        for who in ("task", "net", "probe", "inflate", "unpack"):
            yield Point("push", who, plain, go_push, kind)
        for who in ("task", "unpack"):
            yield Point("push with install", who, install, go_push, kind)
    for who in ROLES:
        yield Point("push", who, plain, go_push)
    for who in ("net", "probe", "unpack"):
        yield Point("push", who, plain, go_push, crypto=True)
    for who in ("parent", "task", "unpack"):
        yield Point("push with install", who, install, go_push)
        yield Point("push of a broken one", who, plain, go_broken)
        yield Point("rollback", who, plain, go_rollback)
    yield Point("push on probation", "parent", trial, go_trial, trial=plain)
    yield Point("fall in probation", "parent", fall, go_fall, trial=plain)
    yield Point("push not confirmed", "parent", plain, go_unconfirmed,
                trial=plain)
    yield Point("confirmation", "parent", plain, go_confirm)


class Memory:
    """The page that nomem.c looks at; it traces like the tracer."""

    def __init__(self, lab):
        path = lab.updaterd + ".page"
        with open(path, "wb") as f:
            f.write(bytes(4096))
        os.chmod(path, 0o666)
        with open(path, "r+b") as f:
            self.page = mmap.mmap(f.fileno(), 4096)

    def arm(self, who, n, crypto):
        self.page[40:48] = struct.pack("Q", crypto)
        self.page[0:24] = struct.pack("3Q", 0, n, 0)
        self.page[24:40] = who.encode().ljust(16, b"\0")

    def disarm(self):
        count, _, failed = struct.unpack("3Q", self.page[0:24])
        self.page[0:40] = bytes(40)
        return count, failed


class Nothing:
    @staticmethod
    def poll():
        return None


def judge(point, status, body):
    """Was the caller told?"""
    if status is None:
        # Whoever answers may be the one that was lost.
        return [] if point.who == "net" else [f"no answer: {body}"]
    if status == 200:
        return []
    detail = body.get("detail") if isinstance(body, dict) else None
    if isinstance(detail, dict):
        detail = detail.get("error")
    if not detail or status < 400:
        return [f"no clear error: {status} {body}"]
    if status < 500 and status not in (409, 423):
        return [f"it is not the caller's fault: {status} {body}"]
    return []


def run(lab, memory, point, n, out=None):
    wrong = []
    if lab.conf != point.conf:
        lab.stop()
        lab.conf = point.conf
    if not lab.alive():
        why = lab.start()
        if why:
            return None, None, [why]
    if not lab.wait(20, lab.at_rest):
        wrong.append("was not at rest before")

    def watch():
        if point.kind is None:
            memory.arm(point.who, n, point.crypto)
            return Nothing
        pid = lab.process(point.who) if point.who in ("net", "probe") \
            else lab.pid
        return lab.trace(point.options(n, out), pid=pid)

    t, status, body, allowed, must = point.go(lab, watch)
    if t is Nothing or n == 0:
        lab.wait(1, lambda: not lab.leftovers())
        lab.wait(QUIET_S, lambda: False)
    if t is Nothing:
        count, failed = memory.disarm()
        did = f"allocation {n}" if failed else None
        if out:
            with open(out, "w", encoding="ascii") as f:
                f.write("malloc\n" * count)
    else:
        did = lab.traced(t)
    if n == 0 or did is None:
        return did, status, wrong
    if not lab.alive():
        wrong.append("the daemon died: " + read(lab.t + "/log").decode(
            errors="replace").splitlines()[-1])
        lab.start()
    wrong += judge(point, status, body)
    if must is not None and lab.name() != must:
        wrong.append(f"{must} was answered 200, current is {lab.name()}")
    if lab.name() not in allowed:
        wrong.append(f"current is {lab.name()}, not one of {allowed}")
    # What a failure left may stay until the next push, and no longer.
    lab.wait(20, lambda: lab.status().get("update", 1) is None)
    if point.trial:
        lab.wait(20, lab.at_rest)
        lab.stop()
        lab.conf = point.trial
        lab.start()
    new = other(lab)
    after, why = lab.push(new)
    if after != 200:
        wrong.append(f"the next push: {after} {why}")
    wrong += lab.check([new], new if after == 200 else None)
    if point.who in ("net", "probe"):
        lab.stop()		# else it comes back later each time
    return f"{did}: {status}", status, wrong


def main():
    tour = Tour("failed")
    lab = Lab()
    if "UPDATERD_NOMEM" in os.environ:
        lab.updaterd = shutil.copy(os.environ["UPDATERD_NOMEM"],
                                   lab.t + "/updaterd")
    memory = Memory(lab)
    if lab.start() is not None:
        print("Bail out! the daemon does not start")
        return 1
    for name in ("r1", "r2", "r1"):
        lab.push(name)
    out = lab.t + "/calls"
    chosen = tour.choose(runs(lab))
    if tour.sample:
        chosen = tour.draw(chosen, tour.sample // 2)
        chosen.sort(key=lambda p: p.conf)
    for p in chosen:
        run(lab, memory, p, 0, out)
        calls = len(read(out).splitlines())
        tour.verbose(f"{p}: {calls} points")
        tour.add(p, calls, p.step)
    if tour.sample:
        tour.plan = tour.draw(tour.plan, tour.sample)
        tour.plan.sort(key=lambda x: x[0].conf)
    for p, n in tour.plan:
        try:
            did, _, wrong = run(lab, memory, p, n)
        except RuntimeError as e:
            did, wrong = None, [str(e)]
        tour.note(p, n, did, wrong)
        if wrong:
            lab.kill()
            lab.start()
            lab.wait(20, lab.at_rest)
    tour.sum_up()
    tour.end("injected errors")
    lab.stop()
    return 1 if tour.violations or not tour.tried else 0


if __name__ == "__main__":
    sys.exit(main())
