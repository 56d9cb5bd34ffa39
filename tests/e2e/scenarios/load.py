"""Many calls and many strangers: nothing is left behind, nothing grows. Speed is measured elsewhere (make bench)."""

import concurrent.futures
import re

from harness import sipp
from harness.proc import wait_until
from harness.runner import scenario


def _memory(pid):
    """Resident KiB."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


def _many_calls(t, caller, callee, count, rate, calls="call", answers="answer", talk=1000, seconds=0):
    """So many whole calls between two SIPps, every one of which must succeed: the results of both."""
    port, seconds = t.ports(1)[0], 60 + 2 * count // rate + seconds
    sipp.run(t, "register", port, account=callee).expect_success()
    answering = sipp.start(t, answers, port, calls=count, seconds=seconds)
    called = sipp.run(t, calls, t.ports(1)[0], account=caller, keys={"number": callee[0]}, calls=count, rate=rate,
                      parts={"talk": str(talk)}, seconds=seconds).expect_success()
    return called, sipp.finish(answering, 30).expect_success()


def _nothing_left(t):
    """No call, no leg, no port in use."""
    wait_until("the last call to be gone", lambda: not t.tandem.json("calls")["calls"], 40, 0.2)
    wait_until("the last port to be given back", lambda: t.tandem.json("status")["media"]["ports_used"] == 0, 40, 0.2)
    live = t.tandem.json("refs")["live"]
    assert live.get("call", 0) == 0 and live.get("leg", 0) == 0, live


def _recorded(t, caller, count):
    """So many good calls of this account are in the records."""
    t.tandem.wait_record(f"SELECT 1 AS yes FROM record.call WHERE from_account = '{caller[0]}' AND cause = 'normal' "
                         f"AND ended_by = 'caller' HAVING count(*) = {count}", f"{count} records", 60)


@scenario(seconds=120)
def a_hundred_calls_leave_nothing_behind(t):
    t.own_tandem(media_ports=800).start()
    caller, callee = t.account(), t.account()
    _many_calls(t, caller, callee, 100, 20)
    _nothing_left(t)
    _recorded(t, caller, 100)


@scenario(seconds=180, long=True, alone=True)
def four_hundred_calls_a_second_are_clean(t):
    t.own_tandem(crowd=True).start()
    caller, callee = t.account(), t.account()
    both = _many_calls(t, caller, callee, 4000, 400, talk=200)
    again = [result.count("Retransmissions") for result in both]
    assert sum(again) < 40, f"caller and callee had to repeat {again} messages of 4,000 calls"
    _nothing_left(t)
    _recorded(t, caller, 4000)


@scenario(seconds=300, long=True)
def a_thousand_calls_at_a_time_hold_and_resume(t):
    tandem = t.own_tandem(crowd=True).start()
    caller, callee = t.account(), t.account()
    calling = concurrent.futures.ThreadPoolExecutor(1).submit(
        _many_calls, t, caller, callee, 1000, 40, "call_holding", "answer_holding", talk=12000, seconds=90)
    wait_until("a thousand running calls", lambda: len(tandem.json("calls")["calls"]) == 1000, 90, 1)
    calling.result()
    _nothing_left(t)
    _recorded(t, caller, 1000)
    held = tandem.records("SELECT count(*) AS n FROM record.event WHERE kind = 'leg-held'")[0]["n"]
    assert held >= 2000, f"{held} times a leg was held"


@scenario(seconds=1200, long=True)
def twenty_thousand_calls_leave_memory_flat(t):
    tandem = t.own_tandem(crowd=True).start()
    _many_calls(t, t.account(), t.account(), 5000, 100)  # as many transactions as ever linger: for 32 s (RFC 3261 timer J)
    _nothing_left(t)
    media = tandem.media_pid()
    before = _memory(tandem.program.pid), _memory(media)
    for _ in range(4):
        _many_calls(t, t.account(), t.account(), 5000, 100)
    _nothing_left(t)
    after = _memory(tandem.program.pid), _memory(media)
    for name, most, was, now in zip(("tandemd", "tandem-media"), (4096, 2048), before, after):
        assert now - was < most or t.world.sanitized, f"{name} grew from {was} to {now} KiB over 20,000 calls"


@scenario(seconds=600, long=True)
def registrations_by_the_thousand_leave_nothing_behind(t):
    tandem = t.own_tandem()
    tandem.start()
    def register(count):
        # A new account each time: a new SIPp repeats the client nonces of the last one, which is a replay.
        account, port = t.account(), t.ports(1)[0]
        sipp.run(t, "register", port, account=account, calls=count, rate=200, at_once=200,
                 seconds=60 + count // 100).expect_success()
    register(8000)  # 40 s: as many transactions as ever linger (RFC 3261 timer J is 32 s)
    before = _memory(tandem.program.pid)
    register(20000)
    after = _memory(tandem.program.pid)
    assert after - before < 4096 or t.world.sanitized, f"20,000 registrations cost {after - before} KiB"
