"""SIPp as caller and callee, with its own CPU. A switch has .server (host:port) and .account (caller, callee,
registering), each (name, secret)."""

import csv
import itertools
import os
import signal
import subprocess
import time

from harness import proc, sipp as scenarios

from . import SIPP, take_ports

# Every SIPp draws the same cnonces: from one address, the second run would look like a replay of the first.
_hosts = (f"127.0.{i // 250}.{i % 250 + 2}" for i in itertools.count())


class Sipp:
    """One SIPp; `cpu` and `counts` are there after finish()."""

    def __init__(self, switch, home, scenario, port, account=None, keys=None, calls=0, rate=10, hold_ms=0, at_once=None,
                 host=None, parts=None):
        self.name = f"{scenario}-{port}"
        self.log = os.path.join(home, f"{self.name}.log")
        self.stat = os.path.join(home, f"{self.name}.csv")
        media = take_ports(10)[0]
        argv = ["sipp", switch.server, "-sf", self._scenario(home, scenario, parts or {}), "-i", host or next(_hosts),
                "-p", str(port), "-mp", str(media), "-r", str(rate), "-nostdin", "-d", str(hold_ms), "-trace_stat", "-stf", self.stat,
                "-fd", "1", "-trace_err", "-error_file", self.log + ".err", "-buff_size", "1048576"]
        if calls:
            argv += ["-m", str(calls), "-l", str(at_once or calls)]
        if account:
            argv += ["-inf", self._accounts(home, account)]
        for name, value in (keys or {}).items():
            argv += ["-key", name, str(value)]
        with open(self.log, "wb") as out:
            self.child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                          start_new_session=True, preexec_fn=proc._die_with_parent)
        self.pid = self.child.pid
        self.cpu, self.counts = None, {}

    def _scenario(self, home, scenario, parts):
        path = os.path.join(home, f"{self.name}.xml")
        with open(path, "w", encoding="ascii") as f:
            f.write(scenarios.expand(os.path.join(SIPP, f"{scenario}.xml"), parts))
        return path

    def _accounts(self, home, account):
        path = os.path.join(home, f"{self.name}.accounts")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as f:
            f.write(f"SEQUENTIAL\n{account[0]};[authentication username={account[0]} password={account[1]}]\n")
        return path

    def finish(self, timeout):
        """Waits for its end; SIPp's own word on failed calls is in counts, not in an exception."""
        end = time.monotonic() + timeout
        while True:
            pid, status, used = os.wait4(self.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > end:
                os.kill(self.pid, signal.SIGKILL)
                end += 3600
            time.sleep(0.02)
        self.child.returncode = os.waitstatus_to_exitcode(status)
        self.cpu = used.ru_utime + used.ru_stime
        self._count()
        return self

    def stop(self):
        """Ends it now."""
        if self.cpu is None:
            os.kill(self.pid, signal.SIGKILL)
            self.finish(5)
        return self

    def _count(self):
        try:
            with open(self.stat, encoding="ascii", errors="replace") as f:
                last = list(csv.DictReader(f, delimiter=";"))[-1]
        except (OSError, IndexError):
            last = {}
        self.counts = {key: int(last.get(column) or 0) for key, column in (
            ("good", "SuccessfulCall(C)"), ("failed", "FailedCall(C)"), ("again", "Retransmissions(C)"))}


class Pair:
    """A callee that answers everything, registered at the switch, and callers as needed. contacts: users of its bindings."""

    def __init__(self, switch, home, caller="call", callee="answer", contacts=()):
        self.switch, self.home, self._caller = switch, home, caller
        self.ports = iter(take_ports(40))
        self._place = next(self.ports), next(_hosts), contacts
        self._register(3600)  # from where it answers: that is the flow
        self.callee = Sipp(switch, home, callee, self._place[0], host=self._place[1])
        time.sleep(0.5)

    def _register(self, expires):
        port, host, contacts = self._place
        register(self.switch, self.home, port, 1, 1, 1, host, contacts, expires)

    def calls(self, count, rate, hold_ms, at_once=None):
        """A started caller."""
        caller, callee = self.switch.account[:2]
        return Sipp(self.switch, self.home, self._caller, next(self.ports), caller,
                    {"number": callee[0]}, count, rate, hold_ms, at_once or count)

    def close(self):
        """Also un-registers: the next pair's calls must not ring here as well."""
        self.callee.stop()
        self._register(0)


def register(switch, home, port, count, rate, account=2, host=None, contacts=(), expires=3600):
    """REGISTERs of an account, each with its challenge: the finished Sipp. contacts: users of its contacts, if several."""
    parts = {"expires": str(expires)}
    if contacts:
        parts["contacts"] = "\n".join(f"Contact: <sip:{c}@[local_ip]:[local_port]>" for c in contacts)
    sipp = Sipp(switch, home, "register", port, switch.account[account], None, count, rate, 0, rate, host, parts)
    return sipp.finish(30 + count / rate * 2)
