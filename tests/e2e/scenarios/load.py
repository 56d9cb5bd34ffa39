"""Many calls and many strangers: nothing is left behind, nothing grows. Speed is measured elsewhere (make bench)."""

import re

from harness import sipp
from harness.proc import wait_until
from harness.runner import scenario


def _memory(pid):
    """Resident KiB."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


def _many_calls(t, caller, callee, count, rate):
    """So many whole calls between two SIPps; every one must succeed."""
    port, seconds = t.ports(1)[0], 60 + 2 * count // rate
    sipp.run(t, "register", port, account=callee).expect_success()
    answering = sipp.start(t, "answer", port, calls=count, seconds=seconds)
    sipp.run(t, "call", t.ports(1)[0], account=caller, keys={"number": callee[0]}, calls=count, rate=rate,
             seconds=seconds).expect_success()
    sipp.finish(answering, 30).expect_success()


def _nothing_left(t):
    """No call, no leg, no port in use."""
    wait_until("the last call to be gone", lambda: not t.tandem.json("calls")["calls"], 40, 0.2)
    wait_until("the last port to be given back", lambda: t.tandem.json("status")["media"]["ports_used"] == 0, 40, 0.2)
    live = t.tandem.json("refs")["live"]
    assert live.get("call", 0) == 0 and live.get("leg", 0) == 0, live


@scenario(seconds=120)
def a_hundred_calls_leave_nothing_behind(t):
    t.own_tandem(media_ports=800).start()
    caller, callee = t.account(), t.account()
    _many_calls(t, caller, callee, 100, 20)
    _nothing_left(t)
    t.tandem.wait_record(f"SELECT 1 AS yes FROM record.call WHERE from_account = '{caller[0]}' AND cause = 'normal' "
                         "HAVING count(*) = 100", "a hundred records", 30)


@scenario(seconds=1200, long=True)
def memory_is_flat_over_thousands_of_calls(t):
    tandem = t.own_tandem(media_ports=1200)
    tandem.start()
    _many_calls(t, t.account(), t.account(), 2000, 30)
    _nothing_left(t)
    media = tandem.media_pid()
    before = _memory(tandem.program.pid), _memory(media)
    for _ in range(3):
        _many_calls(t, t.account(), t.account(), 3000, 30)
    _nothing_left(t)
    after = _memory(tandem.program.pid), _memory(media)
    assert after[0] - before[0] < 4096 or t.world.sanitized, f"tandemd grew from {before[0]} to {after[0]} KiB over 9,000 calls"
    assert after[1] - before[1] < 2048 or t.world.sanitized, f"tandem-media grew from {before[1]} to {after[1]} KiB over 9,000 calls"


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
