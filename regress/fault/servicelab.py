"""What slots.py and units.py kill in, whoever supervises: a daemon that gets
one configuration after the other, and services that say when there are two
of them."""
import os
import re
import subprocess

from lab import Lab, read

REST_S = 15		# seconds to come to rest before that is a violation


class ServiceLab(Lab):
    def use(self, conf):
        """That configuration, from the next start or reload on."""
        data = read(f"{self.t}/conf.{conf}")
        with open(self.conf + ".new", "wb") as f:
            f.write(data)
        os.chmod(self.conf + ".new", 0o600)
        os.rename(self.conf + ".new", self.conf)

    def order(self, *words):
        """updaterctl, in the background."""
        return subprocess.Popen(
            [self.ctl, "-s", self.t + "/updaterd.sock", *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=self.log)

    def services(self):
        """name -> pids, of all that run."""
        found = {}
        for pid, (_, state, _, line) in self.processes().items():
            m = re.search(r"/bin/stay \S+ (\S+)$", line)
            if m and state not in "ZX":
                found.setdefault(m[1], []).append(pid)
        return found

    def twice(self):
        path = self.t + "/locks/twice"
        if not os.path.exists(path):
            return []
        names = read(path).decode().split("\n")[:-1]
        os.unlink(path)
        return [f"ran twice: {n}" for n in names]

    def look(self, g, **how):
        """The violations of now."""
        raise NotImplementedError

    def settle(self, g, **how):
        """Wait for rest; the violations, none if all is well."""
        wrong = []

        def well():
            wrong[:] = self.look(g, **how)
            return not wrong
        self.wait(REST_S, well)
        return wrong
