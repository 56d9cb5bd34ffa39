"""What TLS costs beside UDP and TCP: calls, registrations on a connection that stays and on new ones, memory of idle phones."""

import os
import time

from harness import certificates

from . import phones, usage

TRANSPORTS = ("udp", "tcp", "tls")


def _server(switch, transport):
    return switch.program.secure if transport == "tls" else switch.program.server


def _line(switch, transport, account):
    line = phones.Line(_server(switch, transport), transport, switch.account[account])
    line.register()
    return line


def _cpu_of(switch, work):
    """(ms of the switch's CPU for each thing that work did, how many)"""
    before = usage.cpu(switch.pids)
    done = work()
    time.sleep(0.3)
    return (usage.cpu(switch.pids) - before) * 1000 / max(1, done)


def _calls(plan, switch):
    count = 200 if plan.quick else 1500
    found = {transport: [] for transport in TRANSPORTS}
    lost = dict.fromkeys(TRANSPORTS, 0)
    for _ in range(plan.runs):
        for transport, results in found.items():
            plan.say(f"{switch.name}: {count} calls over {transport.upper()}, 50 a second")
            caller, callee = _line(switch, transport, 0), _line(switch, transport, 1)
            def work(caller=caller, callee=callee, transport=transport):
                good = phones.calls(caller, callee, count, 50)
                lost[transport] += count - good
                return good
            results.append(_cpu_of(switch, work))
            for line in (caller, callee):
                line.register(expires=0)
                line.close()
    return "CPU a call over {}, 50 calls/s, phones of our own", found, lost


def _registers(plan, switch):
    count = 500 if plan.quick else 3000
    found = {transport: [] for transport in TRANSPORTS}
    for _ in range(plan.runs):
        for transport, results in found.items():
            plan.say(f"{switch.name}: {count} registrations over {transport.upper()}")
            line = _line(switch, transport, 2)
            def work(line=line):
                for _ in range(count):
                    line.register()
                return count
            results.append(_cpu_of(switch, work))
            line.register(expires=0)
            line.close()
    return "CPU a registration over {}, on a connection that stays", found, {}


def _connections(plan, make, home):
    """A registration with its challenge on a connection of its own, as after a power cut; by the kind of key."""
    count = 200 if plan.quick else 1000
    found = {"TCP": [], "TLS, EC P-256": [], "TLS, RSA 2048": []}
    for name, results in found.items():
        where = os.path.join(home, "connections-" + name.split()[-1])
        os.mkdir(where)
        kind = "rsa" if "RSA" in name else "ec"
        switch = make(where, tls=certificates.make(os.path.join(where, "tls"), kind=kind).lines)
        try:
            for _ in range(plan.runs):
                plan.say(f"{switch.name}: {count} registrations, each on a new connection ({name})")
                def work(switch=switch, transport=name[:3].lower()):
                    for _ in range(count):
                        _line(switch, transport, 2).close()
                    return count
                results.append(_cpu_of(switch, work))
        finally:
            switch.close()
    return "CPU a registration on a new connection, {}", found, {}


def _idle(plan, make, home):
    """Each in a switch that has done nothing else: what calls have left in the heap would be taken first."""
    found = {}
    for transport in ("tcp", "tls"):
        where, lines = os.path.join(home, f"idle-{transport}"), []
        os.mkdir(where)
        plan.say(f"memory of idle connections over {transport.upper()}")
        switch = make(where)
        try:
            for wanted in (100, 200 if plan.quick else 1000):
                before = usage.memory(switch.pids[:1])["own"]
                for _ in range(wanted):
                    line = phones.Line(_server(switch, transport), transport, switch.account[2])
                    line.request("REGISTER", f"sip:{line.server}", f"idle{len(lines)}", 1, f"<sip:{line.user}@{line.server}>")
                    line.wait()  # a challenge: it has spoken, and stays
                    lines.append(line)
                time.sleep(1)
            found[transport] = [(usage.memory(switch.pids[:1])["own"] - before) / wanted]
        finally:
            for line in lines:
                line.close()
            switch.close()
    return found


def rows(plan, make, home, row):
    where = os.path.join(home, "transports")
    os.mkdir(where)
    result = []

    def unlimited(place, **options):
        return make(place, switch="connections_per_source = 2000\nsource_rate = 0\n", **options)

    switch = unlimited(where)
    try:
        tables = [_calls(plan, switch), _registers(plan, switch)]
    finally:
        switch.close()
    tables.append(_connections(plan, unlimited, where))
    idle = _idle(plan, unlimited, where)
    for what, found, lost in tables:
        base = next(iter(found.values()))
        for name, values in found.items():
            remark = [f"× {sum(v / b for v, b in zip(values, base)) / len(base):.2f} of {next(iter(found)).upper()}"] if values is not base else []
            if lost.get(name):
                remark.append(f"{lost[name]} not good")
            result.append(row(switch.name, what.format(name.upper() if name in TRANSPORTS else name), "ms", values, remark=", ".join(remark)))
    for name, values in idle.items():
        result.append(row(switch.name, f"memory of an idle connection over {name.upper()}", "KB", values))
    return result
