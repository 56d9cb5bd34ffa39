"""What a message of a flood costs, by how far it gets: banned, over the rate of its source, challenged."""

import os
import socket
import time

from . import usage

HOST = "127.9.0.1"


def _message(server, port, n):
    return (f"REGISTER sip:{server} SIP/2.0\r\nVia: SIP/2.0/UDP {HOST}:{port};branch=z9hG4bK{n}\r\nMax-Forwards: 70\r\n"
            f"From: <sip:{n}@{server}>;tag={n}\r\nTo: <sip:{n}@{server}>\r\nCall-ID: {n}@{HOST}\r\nCSeq: 1 REGISTER\r\n"
            f"Contact: <sip:{n}@{HOST}:{port}>\r\nUser-Agent: Desk phone\r\nContent-Length: 0\r\n\r\n").encode()


def _flood(plan, switch, what, counted, rate):
    """CPU in µs of the switch for each message that it counted."""
    plan.say(f"{switch.name}: a flood that is {what}")
    seconds = 2 if plan.quick else 5
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((HOST, 0))
        host, port = switch.server.split(":")
        s.connect((host, int(port)))
        s.setblocking(False)
        messages = [_message(switch.server, s.getsockname()[1], n) for n in range(1000)]
        before, was, sent, began = usage.cpu(switch.pids[:1]), counted(), 0, time.monotonic()
        while (now := time.monotonic() - began) < seconds:
            while sent < now * rate:
                s.send(messages[sent % 1000])
                sent += 1
            try:
                while s.recv(4096):
                    pass
            except BlockingIOError:
                time.sleep(0.001)
        time.sleep(0.3)
        return (usage.cpu(switch.pids[:1]) - before) * 1e6 / max(1, counted() - was)


def rows(plan, make, home, row):
    found = {}
    for limit in (0, 1):
        where = os.path.join(home, f"flood{limit}")
        os.mkdir(where)
        switch = make(where, switch=f"source_rate = {limit}\n")
        try:
            def edge(*path, switch=switch):
                value = switch.program.json("status")["edge"]
                for key in path:
                    value = value[key]
                return value
            if limit:
                found["over the rate of its source"] = [
                    _flood(plan, switch, "over its rate", lambda: edge("dropped", "rate"), 20000) for _ in range(plan.runs)]
                continue
            found["challenged"] = [_flood(plan, switch, "challenged", lambda: edge("out"), 3000) for _ in range(plan.runs)]
            switch.program.cli("ban", "add", HOST)
            found["banned"] = [_flood(plan, switch, "banned", lambda: edge("dropped", "banned"), 20000)
                               for _ in range(plan.runs)]
        finally:
            switch.close()
    return [row("Tandem", f"CPU a message of a flood: {what}", "µs", found[what])
            for what in ("banned", "over the rate of its source", "challenged")]
