"""Goodput under overload: how many calls a second get through when more are offered than the switch can serve.

Its capacity is made small by a dialplan that works hard, so that one SIPp can offer five times as much."""

import os
import shutil
import time

from harness import proc

from . import SOURCE, sipp, usage

HOLD_MS = 100
# About 4 ms of Lua for each call, well within the limit of instructions.
BURN = "function(call)\n  do local x = 0 for i = 1, 150000 do x = (x * 31 + i) % 1000003 end end\n"


def dialplan(home):
    """The shipped dialplan, but for calls between accounts, which cost more."""
    path = os.path.join(home, "dialplan")
    shutil.copytree(os.path.join(SOURCE, "dialplan"), path)
    with open(os.path.join(path, "init.lua"), encoding="utf-8") as f:
        shipped = f.read()
    with open(os.path.join(path, "init.lua"), "w", encoding="utf-8") as f:
        f.write(shipped.replace("function(call)\n", BURN))
    return path


def _offer(plan, switch, pair, rate, seconds):
    """Goodput in calls a second with so many offered."""
    plan.say(f"{switch.name}: {rate:.0f} calls a second are offered for {seconds} s")
    callers = max(1, round(rate / 400))
    began = time.monotonic()
    running = [pair.calls(int(rate * seconds / callers), rate / callers, HOLD_MS, int(rate * 10)) for _ in range(callers)]
    time.sleep(seconds)
    done = [caller.finish(60) for caller in running]
    took = max(seconds, time.monotonic() - began - HOLD_MS / 1000)
    return sum(c.counts["good"] for c in done) / took


def rows(plan, make, home, row):
    where = os.path.join(home, "overload")
    os.mkdir(where)
    os.chmod(where, 0o711)
    switch = make(where, dialplan=dialplan(where), media_address="127.1.0.9", switch="source_rate = 0\n")
    switch.program.sql("SELECT tandem.set_setting('account_rate', '0')")
    pair = sipp.Pair(switch, where)
    seconds = 6 if plan.quick else 15
    try:
        pair.calls(200, 50, HOLD_MS).finish(60)  # warm
        before = usage.cpu(switch.pids[:1])
        count = 300
        done = pair.calls(count, 50, HOLD_MS).finish(60)
        capacity = done.counts["good"] / (usage.cpu(switch.pids[:1]) - before)
        found = {}
        for times in (0.8, 1, 1.2, 2, 5):
            found[times] = _offer(plan, switch, pair, capacity * times, seconds)
            # What a caller gave up is only over when SIP's timers are.
            proc.wait_until("the calls to end", lambda: switch.program.json("status")["calls"]["now"] == 0, 120, 0.5)
        began = time.monotonic()
        after = pair.calls(100, capacity / 2, HOLD_MS).finish(60).counts["good"]
        plan.notes.append(f"right after five times its capacity, {after} of 100 calls were good ({time.monotonic() - began:.0f} s)")
    finally:
        pair.close()
        switch.close()
    peak = max(found.values())
    return [row(switch.name, "calls/s that get through at most, a costly dialplan", "/s", [peak],
                remark=f"1 ÷ CPU a call: {capacity:.0f}"),
            *(row(switch.name, f"of those, when {times} times as many are offered", "%", [100 * found[times] / peak],
                  least=least) for times, least in ((2, 90), (5, 80)))]
