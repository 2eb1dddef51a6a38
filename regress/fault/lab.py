"""What the fault tests share: a daemon that may be killed and traced, the
requests, and the checker of what must hold when it is at rest again.

The checker believes nothing that the daemon says about its releases: it
reads the manifest and the tree, the links, the history and /proc itself.
"""
import http.client
import json
import hashlib
import os
import re
import signal
import socket
import ssl
import stat
import subprocess
import threading
import time

REST_S = 8		# seconds to come to rest before that is a violation
CLIENT_S = 40		# seconds for one request
STAGED = re.compile(r"^\d{8}T\d{6}Z-")


def read(path):
    with open(path, "rb") as f:
        return f.read()


def unvis(name):
    return re.sub(rb"\\([0-7]{3})", lambda m: bytes([int(m[1], 8)]), name)


def tree_of(top):
    """What is there: path -> (type, mode, size, digest or target)."""
    found = {}

    def look(path, rel):
        st = os.lstat(path)
        mode = stat.S_IMODE(st.st_mode)
        if st.st_uid != 0 or st.st_gid != 0:
            found[rel] = ("owner", st.st_uid, st.st_gid, None)
        elif stat.S_ISDIR(st.st_mode):
            found[rel] = ("dir", mode, None, None)
            for name in os.listdir(path):
                look(path + b"/" + name, rel + b"/" + name)
        elif stat.S_ISLNK(st.st_mode):
            found[rel] = ("link", None, None, os.readlink(path))
        elif stat.S_ISREG(st.st_mode):
            found[rel] = ("file", mode, st.st_size,
                          hashlib.sha256(read(path)).hexdigest())
        else:
            found[rel] = ("odd", mode, None, None)

    look(os.fsencode(top), b".")
    return found


def manifest_of(path):
    """What the manifest says, in the same form."""
    lines = read(path).split(b"\n")
    if lines[0] != b"#mtree" or lines[-1] != b"":
        raise ValueError("no whole manifest")
    said = {}
    for line in lines[1:-1]:
        words = line.split(b" ")
        key = dict(w.split(b"=", 1) for w in words[1:])
        kind = key[b"type"].decode()
        mode = int(key[b"mode"], 8) if kind != "link" else None
        what = None
        if kind == "file":
            what = key[b"sha256digest"].decode()
        elif kind == "link":
            what = unvis(key[b"link"])
        said[unvis(words[0])] = (kind, mode, int(key[b"size"])
                                 if kind == "file" else None, what)
    return said


def landing(line):
    """The release that a line of history says is current after it."""
    event, result = line.get("event"), line.get("result")
    # A rollback that was asked for and failed went back, too: status 500.
    if result == "updated" or (event == "rollback" and
                               result == "rolled_back" and
                               line.get("status") == 200):
        return line.get("to")
    if result in ("rolled_back", "undone"):
        return line.get("from")
    return None			# failed before anything was touched


class Lab:
    def __init__(self):
        env = os.environ
        self.t = env["T"]
        self.here = os.path.dirname(os.path.abspath(__file__))
        self.updaterd = env["UPDATERD"]
        self.ctl = env["UPDATERCTL"]
        self.tracer = env.get("TRACER", self.here + "/tracer")
        self.port = int(env["PORT"])
        self.aport = int(env["APORT"])
        self.root = self.t + "/agent"
        self.conf = self.t + "/conf"
        self.pid = None
        self.known = {}			# sha256 -> name of the release
        self.seen_ids = set()
        self.tls = self.context("master")
        self.tls_agent = self.context("worker")
        self.log = open(self.t + "/log", "ab")

    def context(self, who):
        c = ssl.create_default_context(cafile=self.t + "/certs/ca.crt")
        c.load_cert_chain(f"{self.t}/certs/{who}.crt",
                          f"{self.t}/certs/{who}.key")
        return c

    # --- the daemon ---------------------------------------------------

    def alive(self, pid=None):
        try:
            text = read(f"/proc/{pid or self.pid}/stat").decode()
        except (OSError, TypeError):
            return False
        return text.rsplit(")", 1)[1].split()[0] not in "ZX"

    def launch(self, trace=None):
        """Start it, perhaps watched; does not wait for it to serve."""
        cmd = [self.updaterd, "-d", "-f", self.conf]
        tracer = None
        if trace is not None:
            tracer = self.trace(trace, cmd)
            self.pid = tracer.pid_traced
        else:
            p = subprocess.Popen(cmd, stdin=subprocess.DEVNULL,
                                 stdout=self.log, stderr=self.log)
            self.pid = p.pid
            threading.Thread(target=p.wait, daemon=True).start()
        return tracer

    def start(self):
        self.launch()
        if not self.wait(20, lambda: not self.alive() or self.up()):
            return "does not serve"
        return None if self.alive() else "does not start"

    def up(self):
        try:
            return self.request("GET", "/health", timeout=2)[0] == 200
        except OSError:
            return False

    def kill(self):
        if self.pid and self.pid > 1 and self.alive():
            os.kill(self.pid, signal.SIGKILL)
        self.wait(10, lambda: not self.alive())

    def stop(self):
        if self.pid and self.pid > 1 and self.alive():
            os.kill(self.pid, signal.SIGTERM)
            if not self.wait(20, lambda: not self.alive()):
                self.kill()
                return "does not end at TERM"
        return None

    @staticmethod
    def wait(seconds, what):
        end = time.monotonic() + seconds
        while not what():
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
        return True

    def trace(self, args, cmd=None, pid=None):
        """Start the tracer; it watches when this returns."""
        full = [self.tracer] + args
        full += ["-p", str(pid)] if pid else cmd
        p = subprocess.Popen(full, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=self.log,
                             text=True)
        line = p.stdout.readline()
        if not line.startswith("ready "):
            raise RuntimeError("the tracer does not watch: " + line)
        p.pid_traced = int(line.split()[1])
        return p

    @staticmethod
    def traced(p):
        """End a tracer; what it did, or None where it did nothing."""
        if p.poll() is None:
            p.send_signal(signal.SIGTERM)
        out = p.stdout.read().strip()
        p.wait()
        line = out.splitlines()[-1] if out else ""
        if line.startswith(("missed", "lost")):
            raise RuntimeError("the call was not made to fail: " + line)
        did = line.startswith(("killed", "failed", "shortened"))
        return " ".join(line.split()[2:]) if did else None

    # --- requests -----------------------------------------------------

    def request(self, method, path, body=None, timeout=CLIENT_S):
        c = http.client.HTTPSConnection("127.0.0.1", self.port,
                                        context=self.tls, timeout=timeout)
        try:
            c.request(method, path, body)
            r = c.getresponse()
            return r.status, r.read()
        except http.client.HTTPException as e:
            raise OSError(str(e)) from e
        finally:
            c.close()

    def ask(self, method, path, body=None):
        """(status, answer), or (None, why) where none came."""
        try:
            status, data = self.request(method, path, body)
        except OSError as e:
            return None, repr(e)
        try:
            return status, json.loads(data)
        except ValueError:
            return status, data.decode(errors="replace")

    def push(self, name, more=""):
        data = read(f"{self.t}/{name}.tgz")
        digest = hashlib.sha256(data).hexdigest()
        self.known[digest] = name
        return self.ask("PUT", f"/update?sha={name}&sha256={digest}{more}",
                        data)

    def status(self):
        p = subprocess.run([self.ctl, "-j", "-s", self.t + "/updaterd.sock",
                            "status"], capture_output=True, check=False)
        try:
            return json.loads(p.stdout)
        except ValueError:
            return {}

    def process(self, name):
        for p in self.status().get("processes", []):
            if p["name"] == name:
                return p["pid"]
        return None

    # --- what is there ------------------------------------------------

    def current(self):
        try:
            link = os.readlink(self.root + "/current")
        except OSError:
            return None
        return link[9:] if link.startswith("releases/") else link

    def name(self):
        """The name of the release that current leads to."""
        try:
            return read(self.root + "/current/VERSION").decode().strip()
        except OSError:
            return None

    def serving(self):
        try:
            c = http.client.HTTPSConnection("127.0.0.1", self.aport,
                                            context=self.tls_agent,
                                            timeout=2)
            c.request("GET", "/health")
            r = c.getresponse()
            return json.loads(r.read()).get("version") \
                if r.status == 200 else None
        except (OSError, ValueError, http.client.HTTPException):
            return None

    def history(self, root=None):
        lines = []
        for name in ("history.jsonl.1", "history.jsonl"):
            try:
                data = read(f"{root or self.root}/{name}")
            except OSError:
                continue
            if data and not data.endswith(b"\n"):
                raise ValueError("last line is torn")
            lines += [json.loads(x) for x in data.splitlines()]
        return lines

    @staticmethod
    def leftovers_in(root, own):
        """The same in a store, which has files of its own."""
        left = []
        for name in os.listdir(root):
            if not re.match(r"(current|previous|releases|"
                            r"history\.jsonl(\.1)?|" + own + ")$", name):
                left.append(name)
        there = set(os.listdir(root + "/releases"))
        for name in there:
            stem = re.sub(r"\.(json|mtree)$", "", name)
            if not STAGED.match(name) or \
               not {stem, stem + ".json", stem + ".mtree"} <= there:
                left.append("releases/" + name)
        return left

    def leftovers(self):
        """Names that must not be there at rest."""
        left = self.leftovers_in(self.root, r"[a-z0-9_-]+\.pid")
        for top in (self.t + "/state", "/run/updaterd"):
            for where, _, names in os.walk(top):
                left += [os.path.join(where, n) for n in names
                         if n.endswith(".tmp")]
        return left

    def processes(self):
        """pid -> (ppid, state, what) of all that is not the test's own."""
        found = {}
        for d in os.listdir("/proc"):
            if not d.isdigit() or int(d) in (1, os.getpid()):
                continue
            try:
                text = read(f"/proc/{d}/stat").decode(errors="replace")
                words = text.rsplit(")", 1)[1].split()
                comm = text.split("(", 1)[1].rsplit(")", 1)[0]
                line = read(f"/proc/{d}/cmdline").replace(b"\0", b" ")
            except OSError:
                continue
            found[int(d)] = (int(words[1]), words[0], comm,
                             line.decode(errors="replace").strip())
        return found

    def strangers(self):
        """Processes too many or too few."""
        wrong, agents = [], []
        mine = {os.getpid(), 1}
        cur = f"{self.root}/releases/{self.current()}/bin/agent"
        for pid, (ppid, state, comm, line) in self.processes().items():
            if state in "ZX":
                if ppid == self.pid:
                    wrong.append(f"zombie {comm}")
                continue
            if pid == self.pid or ppid in mine:
                if comm == "agent":		# adopted from a dead parent
                    agents.append(pid)
                elif pid != self.pid:
                    wrong.append(f"orphan {pid} {line}")
                continue
            if comm == "agent":
                agents.append(pid)
            elif not (ppid == self.pid and
                      re.search(r"(net|probe)\b", line)):
                wrong.append(f"process {pid} of {ppid}: {line}")
        for pid in agents:
            try:
                exe = os.readlink(f"/proc/{pid}/exe")
            except OSError:
                exe = "?"
            if exe != cur:
                wrong.append(f"service runs {exe}, current is {cur}")
        if len(agents) != 1:
            wrong.append(f"{len(agents)} services run")
        return wrong

    # --- the invariants -----------------------------------------------

    def at_rest(self):
        s = self.status()
        procs = {p["name"]: p.get("pid") for p in s.get("processes", [])}
        return "update" in s and s["update"] is None and \
            procs.get("net") and procs.get("probe") and \
            not self.leftovers() and self.serving() == self.name() and \
            not self.strangers()

    def release_wrong(self, rid, root=None, named="VERSION"):
        top = f"{root or self.root}/releases/{rid}"
        try:
            record = json.loads(read(top + ".json"))
            said, found = manifest_of(top + ".mtree"), tree_of(top)
        except (OSError, ValueError, KeyError) as e:
            return [f"release {rid}: {e!r}"]
        wrong = [f"release {rid}: {p!r}: is {found.get(p)}, manifest says "
                 f"{said.get(p)}" for p in set(said) | set(found)
                 if said.get(p) != found.get(p)]
        name = read(f"{top}/{named}").decode().strip()
        if self.known.get(record["sha256"]) != name:
            wrong.append(f"release {rid}: {name} is not what was pushed")
        return wrong

    def check(self, allowed, must=None):
        """Wait for rest; the violations, none if all is well.  allowed:
        names that may be current; must: the one that was answered 200."""
        # What is at rest may just write down how it is: look again.
        for _ in range(5):
            self.wait(REST_S, self.at_rest)
            wrong = self.look(allowed, must)
            if not wrong:
                break
        return wrong

    def look(self, allowed, must):
        wrong = []
        if not self.alive():
            return ["the daemon is not alive"]
        s = self.status()
        if "update" not in s:
            wrong.append("status does not answer")
        elif s["update"] is not None:
            wrong.append(f"still busy: {s['update']}")
        wrong += ["left: " + x for x in self.leftovers()]
        wrong += self.strangers()
        now = self.name()
        if now not in allowed:
            wrong.append(f"current is {now}, not one of {allowed}")
        if must is not None and now != must:
            wrong.append(f"{must} was answered 200, current is {now}")
        if self.serving() != now:
            wrong.append(f"current is {now}, {self.serving()} is served")
        for rid in {r.split(".")[0] for r in
                    os.listdir(self.root + "/releases")
                    if STAGED.match(r)} - self.seen_ids | {self.current()}:
            if rid is None:
                continue
            damage = self.release_wrong(rid)
            wrong += damage
            if not damage:
                self.seen_ids.add(rid)
        cur = self.current()
        try:
            state = json.loads(read(f"{self.root}/releases/{cur}.json"))
            if state["state"] != "good":
                wrong.append(f"current is {state['state']}")
            lines = self.history()
            last = [x for x in map(landing, lines) if x]
            if last and last[-1] != cur:
                wrong.append(f"history ends at {last[-1]}, current is "
                             f"{cur}: {lines[-1]}")
        except (OSError, ValueError) as e:
            wrong.append(f"state or history: {e!r}")
        return wrong
