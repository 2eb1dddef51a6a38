"""A daemon that updates itself, started as a host starts it, and the checker
of what must hold when it is at rest again.

How it is started, and started again when it is gone:
	rc	in the background, by nobody again: the watch does it, and
		where there is none yet, an operator
	loop	in the foreground, at once by whoever runs it
	manager	the same, and it is told to be one (NOTIFY_SOCKET)
"""
import hashlib
import os
import re
import signal
import socket
import subprocess
import threading
import time

from lab import Lab, landing, read

START_S = 20		# seconds for a start to serve
REST_S = 25		# to come to rest, or it is a violation
ALONE_S = 0.3		# nothing of it runs: nobody will start it
RESTART_S = 0.1		# of a service manager
LINGER = re.compile(r"updaterd: (\w+)")


def self_landing(line):
    """The release that a line of the store's history leaves current; ""
    is the one that is installed, None a line that says nothing of it."""
    event, result = line.get("event", ""), line.get("result")
    if event.startswith("self_"):
        if result == "updated" or (event == "self_rollback" and
                                   line.get("status") == 200):
            return line["to"]
        return line.get("from", "") if result == "rolled_back" else None
    return landing(line)


class SelfLab(Lab):
    def __init__(self):
        super().__init__()
        self.store = self.t + "/self"
        self.base = self.t + "/bin/updaterd"
        self.installed = self.stamp()
        self.mode = "rc"
        self.main = None		# who starts it again watches this
        self.agent = None		# the service's pid
        self.seen_selves = set()
        self.hands = True		# somebody starts it when it is gone
        self.tidy = True		# what is left must go at once
        self.answer = (None, None)	# the last: status, body
        self.hears()

    def stamp(self):
        st = os.stat(self.base)
        return st.st_ino, st.st_mtime_ns, st.st_size, read(self.base)

    def hears(self):
        """The service manager's ear."""
        self.ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.ear.bind(self.t + "/notify")

        def listen():
            while self.ear.recv(4096):
                pass
        threading.Thread(target=listen, daemon=True).start()

    # --- starts -------------------------------------------------------

    def command(self):
        return [self.base] + (["-d"] if self.mode != "rc" else []) + \
            ["-f", self.conf]

    def environment(self):
        os.environ.pop("NOTIFY_SOCKET", None)
        if self.mode == "manager":
            os.environ["NOTIFY_SOCKET"] = self.t + "/notify"

    def launch(self, trace=None):
        self.environment()
        if trace is not None:
            tracer = self.trace(trace, self.command())
            self.pid = tracer.pid_traced
            self.main = None if self.mode == "rc" else self.pid
            return tracer
        p = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL,
                             stdout=self.log, stderr=self.log)
        threading.Thread(target=p.wait, daemon=True).start()
        self.main = None if self.mode == "rc" else p.pid
        if self.mode == "rc":
            self.wait(START_S, lambda: p.poll() is not None)
        return None

    def start(self):
        self.launch()
        self.alone = None
        if self.wait(START_S, lambda: self.is_settled() and self.up()):
            return None
        return "does not serve"

    def parts(self):
        """What runs of updaterd: kind -> pids."""
        found = {}
        for pid, (_, state, _, line) in self.processes().items():
            if state in "ZX" or not self.is_ours(pid, line):
                continue
            m = LINGER.match(line)
            name = m[1] if m else None
            if not m:
                m = re.search(r" -T (\w+)", line)
                name = m[1] if m else "start"
            found.setdefault(name, []).append(pid)
        return found

    def is_ours(self, pid, line):
        if line.startswith("updaterd: ") or \
           self.base in line.split(" ") or self.store in line:
            return True
        try:
            exe = os.readlink(f"/proc/{pid}/exe")
        except OSError:
            return False
        return exe.startswith((self.base, self.store))

    def look_after(self):
        """Who starts it again; at each look."""
        if not self.hands:
            return
        now = time.monotonic()
        if self.main is not None:
            if not self.alive(self.main):
                time.sleep(RESTART_S)
                self.launch()
            return
        parts = self.parts()
        if any(x in parts for x in ("parent", "watch", "start")):
            self.alone = None
        elif self.alone is None:
            self.alone = now
        elif now - self.alone > ALONE_S:
            self.alone = None
            self.launch()

    def come_to_rest(self, seconds=REST_S):
        self.alone = None

        def look():
            self.look_after()
            return self.is_settled() and self.at_rest()
        return self.wait(seconds, look)

    def kill_all(self, services=False):
        """The host goes down: nothing of it has time to do anything.  All
        that runs in here is killed but the test, and maybe services."""
        def doomed():
            return [pid for pid, (_, state, comm, _)
                    in self.processes().items() if state not in "ZX" and
                    comm != "tracer" and (services or comm != "agent")]
        for _ in range(200):
            pids = doomed()
            if not pids:
                break
            for sig in (signal.SIGSTOP, signal.SIGKILL):
                for p in pids:
                    if p > 1:
                        try:
                            os.kill(p, sig)
                        except OSError:
                            pass
                pids = doomed()
        self.main = None

    def stop(self):
        pids = self.parts().get("parent", [])
        self.main = None
        for p in pids:
            os.kill(p, signal.SIGTERM)
        if not self.wait(20, lambda: not self.parts()):
            self.kill_all()
            return "does not end at TERM"
        return None

    # --- what is there ------------------------------------------------

    def services(self):
        return [pid for pid, (_, state, comm, _) in self.processes().items()
                if comm == "agent" and state not in "ZX"]

    def current_self(self):
        try:
            return os.readlink(self.store + "/current")[9:]
        except OSError:
            return ""

    def self_name(self):
        """Name of the release that is current; "base" where none is."""
        try:
            return read(self.store + "/current/NAME").decode().strip()
        except OSError:
            return "base"

    def self_state(self):
        try:
            lines = read(self.store + "/self.state").decode().splitlines()
        except OSError:
            return {}
        return dict(x.split(" ", 1) for x in lines[1:])

    def is_settled(self):
        """Nothing is on trial; found out without asking it."""
        parts = self.parts()
        state = self.self_state()
        return {k: len(v) for k, v in parts.items()} == \
            {"parent": 1, "net": 1, "probe": 1} and \
            state.get("to", "-") == "-" and \
            state.get("starts", "0") == "0" and \
            not (self.tidy and self.self_leftovers())

    def self_leftovers(self):
        try:
            return ["self/" + x for x in
                    self.leftovers_in(self.store,
                                      r"(self\.state|update\.json)")]
        except FileNotFoundError:
            return ["self: it is not made yet"]

    def at_rest(self):
        self.pid = self.parts().get("parent", [None])[0]
        return super().at_rest()

    # --- requests -----------------------------------------------------

    def push_self(self, name, more=""):
        """(status, id or None); one that is busy still is asked again."""
        data = read(f"{self.t}/{name}.tgz")
        digest = hashlib.sha256(data).hexdigest()
        self.known[digest] = name
        path = f"/update-self?confirm_self=true&sha={name}" \
               f"&sha256={digest}{more}"
        return self.queued(lambda: self.ask("PUT", path, data))

    def roll_self(self):
        return self.queued(lambda: self.ask("POST",
                                            "/agents/self/rollback"))

    def unconfirmed(self):
        """What runs waits for that."""
        return os.path.exists(self.store + "/update.json")

    def confirm_self(self):
        """If there is anything to confirm, when it has come to rest."""
        self.come_to_rest(10)
        end = time.monotonic() + 10
        while self.unconfirmed() and time.monotonic() < end:
            try:
                self.ask("POST", "/agents/self/confirm")
            except (OSError, ValueError):
                pass
            time.sleep(0.05)

    def queued(self, ask):
        end = time.monotonic() + 10
        while True:
            status, body = ask()
            if status != 423 or time.monotonic() > end:
                break
            time.sleep(0.02)
        self.answer = (status, body)
        return status, body["release"]["id"] if status == 200 else None

    # --- the invariants -----------------------------------------------

    def self_wrong(self, allowed, queued):
        """Violations in its own store and process.  allowed: names that
        may run; queued: id of what was answered 200, or None."""
        wrong = []
        cur, name = self.current_self(), self.self_name()
        if name not in allowed:
            wrong.append(f"updaterd is {name}, not one of {allowed}")
        want = f"{self.store}/releases/{cur}/sbin/updaterd" if cur \
            else self.base
        try:
            exe = os.readlink(f"/proc/{self.pid}/exe")
        except OSError as e:
            exe = repr(e)
        if exe != want:
            wrong.append(f"{exe} runs, not {want}")
        parts = {k: len(v) for k, v in self.parts().items()}
        if parts != {"parent": 1, "net": 1, "probe": 1}:
            wrong.append(f"processes: {parts}")
        state = self.self_state()
        if state.get("to", "-") != "-" or state.get("starts", "0") != "0":
            wrong.append(f"self.state: {state}")
        wrong += ["left: " + x for x in self.self_leftovers()]
        if self.unconfirmed():
            wrong.append("left: self/update.json")
        if self.stamp() != self.installed:
            wrong.append("what is installed was written to")
        wrong += self.health_wrong(cur)
        wrong += self.releases_wrong(cur)
        return wrong + self.history_wrong(cur, queued)

    def health_wrong(self, cur):
        status, body = self.ask("GET", "/health")
        if status != 200:
            return [f"/health: {status} {body}"]
        me = body["self"]
        said = (me.get("release") or {}).get("id") or ""
        if me["trial"] or said != cur:
            return [f"/health says {me}, current is {cur}"]
        return []

    def releases_wrong(self, cur):
        wrong = []
        there = {r.split(".")[0] for r in
                 os.listdir(self.store + "/releases")}
        for rid in there - self.seen_selves | ({cur} - {""}):
            damage = self.release_wrong(rid, self.store, "NAME")
            wrong += damage
            if not damage:
                self.seen_selves.add(rid)
        if cur:
            text = read(f"{self.store}/releases/{cur}.json")
            if b'"good"' not in text:
                wrong.append(f"{cur} runs and is not good: {text}")
        return wrong

    def history_wrong(self, cur, queued):
        try:
            lines = self.history(self.store)
        except ValueError as e:
            return [f"history: {e}"]
        wrong = []
        last = [x for x in map(self_landing, lines) if x is not None]
        if last and last[-1] != cur:
            wrong.append(f"history ends at {last[-1]!r}, current is "
                         f"{cur!r}: {lines[-1]}")
        if queued and not [x for x in lines if x.get("to") == queued and
                           self_landing(x) is not None]:
            wrong.append(f"{queued} was queued: the history has no word")
        return wrong

    def check_self(self, allowed, queued, same=True):
        """Wait for rest; the violations, none if all is well."""
        rested = self.come_to_rest()
        wrong = [] if rested else [f"not at rest: {self.parts()}, "
                                   f"{self.self_state()}"]
        # What is at rest may just write down how it is: look again.
        for _ in range(4):
            more = self.self_wrong(allowed, queued) + \
                self.look([self.name()], None)
            if not more:
                break
            self.come_to_rest(1)
            self.wait(0.2, lambda: False)
        wrong += more
        now = self.services()
        if same and now != [self.agent]:
            wrong.append(f"the service was {self.agent}, is {now}")
        self.agent = now[0] if now else None
        return wrong
