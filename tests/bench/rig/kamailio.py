"""Kamailio with rtpengine in user space, from Debian's packages: the same calls and accounts, media anchored, for
comparison."""

import glob
import os
import secrets
import shutil

from harness import proc, sip

from . import HERE, take_ports, usage

PACKAGES = "apt-get install kamailio rtpengine-daemon"


class Missing(Exception):
    """It cannot be run here; the words say what is missing."""


class Kamailio:
    """Runs from construction to close(). account: (caller, callee, registering), each (name, secret)."""

    name = "Kamailio + rtpengine"
    helper_name = ""

    def __init__(self, home):
        places = glob.glob("/usr/lib/*/kamailio/modules") + glob.glob("/usr/lib/kamailio/modules")
        if not places or not shutil.which("kamailio") or not shutil.which("rtpengine"):
            raise Missing(f"Kamailio or rtpengine is not installed: {PACKAGES}")
        sip_port, ng = take_ports(2)
        self.server = f"127.0.0.1:{sip_port}"
        self.account = [(name, secrets.token_hex(12)) for name in ("201", "202", "203")]
        self._tables(os.path.join(home, "db"))
        config = os.path.join(home, "kamailio.cfg")
        with open(os.path.join(os.path.dirname(HERE), "peers", "kamailio.cfg"), encoding="utf-8") as f:
            text = f.read()
        for name, value in (("PORT", sip_port), ("NG", ng), ("HOME", home), ("MODULES", places[0])):
            text = text.replace(f"@{name}@", str(value))
        with open(config, "w", encoding="utf-8") as f:
            f.write(text)
        self.media = proc.Program(["rtpengine", "--foreground", "--log-stderr", "--log-level=6", "--table=-1",
                                   "--interface=127.0.0.1", f"--listen-ng=127.0.0.1:{ng}", "--port-min=33000",
                                   "--port-max=59999", "--num-threads=2", f"--pidfile={home}/rtpengine.pid"],
                                  os.path.join(home, "rtpengine.log"))
        try:  # Kamailio asks for it once, at its start
            proc.wait_until("rtpengine to start", lambda: "Startup complete" in self.media.text(), 15)
        except proc.Failed as failure:
            self.media.stop(3)
            raise Missing(f"{failure}: {self.media.text()[-400:]}") from failure
        self.sip = proc.Program(["kamailio", "-DD", "-E", "-f", config, "-Y", home, "-P", f"{home}/kamailio.pid"],
                                os.path.join(home, "kamailio.log"))
        try:
            proc.wait_until("Kamailio to answer", self._answers, 15)
        except proc.Failed as failure:
            words = self.sip.text()[-400:] or self.media.text()[-400:]
            self.close()
            raise Missing(f"{failure}: {words}") from failure
        self.pids = [self.media.pid, self.sip.pid] + usage.children(self.sip.pid)

    def _tables(self, where):
        os.mkdir(where)
        with open(os.path.join(where, "version"), "w", encoding="ascii") as f:
            f.write("table_name(string) table_version(int)\nsubscriber:7\nlocation:9\n")
        with open(os.path.join(where, "subscriber"), "w", encoding="ascii") as f:
            f.write("username(string) domain(string) password(string)\n")
            f.writelines(f"{name}:bench:{secret}\n" for name, secret in self.account)

    def _answers(self):
        if not self.sip.running() or not self.media.running():
            raise proc.Failed("it ended while starting")
        with sip.Endpoint(self.server, user="probe") as probe:
            try:
                return probe.options(timeout=0.3)
            except proc.Failed:
                return None  # not yet

    def helpers(self):
        return []

    def budget(self, what):
        return None

    def check(self):
        return [line for line in self.sip.text().splitlines() if "ERROR" in line or "CRITICAL" in line]

    def close(self):
        for program in (self.sip, self.media):
            program.stop(3)
