"""SIPp: the protocol corners and the load that phones do not reach. Scenarios are XML files in sipp/.

What scenarios share lies in sipp/parts/: <?part NAME key="value" …?> stands for the text of NAME.xml there, with {key} in it
replaced by the value, {key|words} by the words when there is none; a line that is nothing but an empty {key} vanishes. In a
value ' stands for ", the only quotes that SIPp knows. Parts may hold parts, which get the same keys.
"""

import csv
import glob
import os
import re

from . import ports, proc

PARTS = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "sipp", "parts")


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

    def count(self, column):
        """What SIPp counted over all calls: "SuccessfulCall", "FailedCall", "Retransmissions" …"""
        with open(os.path.join(self.directory, "counts.csv"), encoding="ascii", errors="replace") as f:
            return int(list(csv.DictReader(f, delimiter=";"))[-1][f"{column}(C)"])

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


def expand(path, given):
    """The scenario of this file with its parts put in and comments left out. given: values of keys."""
    with open(path, encoding="ascii") as f:
        text = re.sub(r"[ \t]*<!--.*?-->\n?", "", f.read(), flags=re.S)
    def value(match):
        return given.get(match.group(1), match.group(2) or "")
    def part(match):
        own = {key: words.replace("'", '"') for key, words in re.findall(r'(\w+)="([^"]*)"', match.group(2))}
        return expand(os.path.join(PARTS, f"{match.group(1)}.xml"), {**given, **own}).strip("\n")
    def line(match):
        words = given.get(match.group(2), "")
        return f"{match.group(1)}{words}\n" if words else ""
    text = re.sub(r"^([ \t]*)\{([a-z]\w*)\}\n", line, text, flags=re.M)
    text = re.sub(r"\{([a-z]\w*)(?:\|([^{}]*))?\}", value, text)
    return re.sub(r'[ \t]*<\?part (\w+)((?:\s+\w+="[^"]*")*)\s*\?>', part, text)


def start(t, scenario, port, account=None, keys=None, parts=None, calls=1, rate=10, at_once=None, seconds=60, transport="udp",
          family=4, host=None, inside=None):
    """Starts SIPp with sipp/SCENARIO.xml against t's Tandem. account: (name, secret) for [field0] and [authentication];
    keys: values of SIPp's [keys]; parts: of {keys}, see above; at_once: how many calls may run together (default: all);
    seconds: after these it gives up; host: its own address; inside: a Place of net.py where it runs."""
    directory = t.directory("sipp")
    source = os.path.join(directory, f"{scenario}.xml")
    with open(source, "w", encoding="ascii") as f:
        f.write(expand(os.path.join(t.world.source, "tests", "e2e", "sipp", f"{scenario}.xml"), parts or {}))
    server = t.tandem.server6 if family == 6 else t.tandem.server
    host = host or (inside.address if inside else ports.own_host(server))
    argv = [*(inside.prefix if inside else []), "sipp", server, "-sf", source, "-i", host, "-p", port, "-m", calls, "-r", rate,
            "-l", at_once or calls, "-t", "t1" if transport == "tcp" else "u1", "-nostdin", "-timeout", f"{int(seconds)}s",
            "-timeout_error", "-recv_timeout", 1000 * int(seconds),
            "-trace_err", "-error_file", os.path.join(directory, f"{scenario}_errors.log"),
            "-trace_stat", "-stf", os.path.join(directory, "counts.csv"), "-fd", "1", "-buff_size", 1 << 20]
    if calls <= 10:
        argv += ["-trace_msg", "-message_file", os.path.join(directory, f"{scenario}_messages.log")]
    if account:
        accounts = os.path.join(directory, "accounts.csv")
        with open(os.open(accounts, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as f:
            f.write(f"SEQUENTIAL\n{account[0]};[authentication username={account[0]} password={account[1]}]\n")
        argv += ["-inf", accounts]
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
