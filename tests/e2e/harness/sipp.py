"""SIPp: the protocol corners and the load that phones do not reach. Scenarios are XML files in sipp/."""

import glob
import os
import re

from . import proc


class Result:
    def __init__(self, status, directory, log):
        self.status, self.directory, self.log = status, directory, log

    def errors(self):
        """The words of its error file."""
        text = ""
        for path in glob.glob(os.path.join(self.directory, "*_errors.log")):
            with open(path, encoding="utf-8", errors="replace") as f:
                text += f.read()
        return text

    def messages(self):
        text = ""
        for path in glob.glob(os.path.join(self.directory, "*_messages.log")):
            with open(path, encoding="utf-8", errors="replace") as f:
                text += f.read()
        return text

    def expect_success(self):
        if self.status != 0:
            last = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", self.errors() or self.log)[-1500:]
            raise proc.Failed(f"SIPp ended with {self.status}: {last}")
        return self


def start(t, scenario, port, account=None, keys=None, calls=1, rate=10, at_once=None, seconds=60):
    """Starts SIPp with sipp/SCENARIO.xml against t's Tandem. account: (name, secret) for [field0] and [authentication];
    at_once: how many calls may run together (default: all); seconds: after these it gives up."""
    directory = t.directory("sipp")
    source = os.path.join(t.world.source, "tests", "e2e", "sipp", f"{scenario}.xml")
    argv = ["sipp", t.tandem.server, "-sf", source, "-i", "127.0.0.1", "-p", port, "-m", calls, "-r", rate,
            "-l", at_once or calls, "-nostdin", "-timeout", f"{int(seconds)}s", "-timeout_error",
            "-trace_err", "-error_file", os.path.join(directory, f"{scenario}_errors.log")]
    if calls <= 10:
        argv += ["-trace_msg", "-message_file", os.path.join(directory, f"{scenario}_messages.log")]
    if account:
        csv = os.path.join(directory, "accounts.csv")
        with open(os.open(csv, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as f:
            f.write(f"SEQUENTIAL\n{account[0]};[authentication username={account[0]} password={account[1]}]\n")
        argv += ["-inf", csv]
    for name, value in (keys or {}).items():
        argv += ["-key", name, value]
    program = t.program(argv, os.path.join(directory, "log"))
    program.directory = directory
    return program


def finish(program, timeout=65.0):
    """Waits for its end."""
    status = program.wait(timeout)
    if status is None:
        program.stop(1.0)
        raise proc.Failed(f"SIPp was not done within {timeout:g} s: {program.text()[-800:]}")
    return Result(status, program.directory, program.text())


def run(t, scenario, port, seconds=60, **options):
    return finish(start(t, scenario, port, seconds=seconds, **options), seconds + 5)
