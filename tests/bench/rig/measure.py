"""The measurements. Each returns rows: {"switch", "what", "value", "unit", "low", "high", "runs", "sipp", "over_sipp",
"budget", "remark"}; value is the median. CPU is user and system time of all the switch's processes."""

import contextlib
import json
import os
import statistics
import subprocess
import time

from . import data, edge, flood, overload, sipp, take_ports, transports, usage

HOLD_MS = 200


class Plan:
    def __init__(self, quick, runs, only, build, say):
        self.quick, self.only, self.build, self.say = quick, only, build, say
        self.runs = runs or (1 if quick else 3)
        self.calls = 500 if quick else 3000
        self.registers = 500 if quick else 3000
        self.notes = [f"CPU in ms or µs of user + system time, all processes of the switch; medians of {self.runs}. "
                      "Times swing with what else this machine does: compare × SIPp.",
                      "SIPp's own: both SIPps' CPU in the same unit, in the same run."]

    def wants(self, name):
        return not self.only or any(word in name for word in self.only.split(","))


def _row(switch, what, unit, values, base=None, **more):
    row = {"switch": switch, "what": what, "unit": unit, "value": statistics.median(values), "low": min(values),
           "high": max(values), "runs": len(values), **more}
    if base:
        row["sipp"] = statistics.median(base)
        row["over_sipp"] = statistics.median(v / b for v, b in zip(values, base))
    return row


def _remark(results):
    failed, again = sum(r["failed"] for r in results), sum(r["again"] for r in results)
    return ", ".join(f"{count} {word}" for count, word in ((failed, "failed"), (again, "retransmitted")) if count)


def _load(switch, pair, calls, rate, callers=1):
    """One load of short calls, from so many addresses: CPU in ms a call of the switch, of SIPp, of what helps the switch."""
    before, callee, helpers = usage.cpu(switch.pids), usage.cpu([pair.callee.pid]), switch.helpers()
    helped = usage.cpu(helpers)
    running = [pair.calls(calls // callers, rate // callers, HOLD_MS, 10 * rate) for _ in range(callers)]
    done = [caller.finish(calls / rate + 60) for caller in running]
    time.sleep(1)  # BYEs are answered, records delivered
    counts = {key: sum(caller.counts[key] for caller in done) for key in done[0].counts}
    scale = 1000 / max(1, counts["good"])
    return {"own": (usage.cpu(switch.pids) - before) * scale, "helped": (usage.cpu(helpers) - helped) * scale,
            "sipp": (sum(caller.cpu for caller in done) + usage.cpu([pair.callee.pid]) - callee) * scale, **counts}


def calls(plan, switch, home):
    """Short calls at two rates; the runs of both alternate, so that a busy spell of the machine hits both."""
    pair = sipp.Pair(switch, home)
    results = {50: [], 150: []}
    try:
        _load(switch, pair, 300, 100)  # warm
        for _ in range(plan.runs):
            for rate, found in results.items():
                plan.say(f"{switch.name}: {plan.calls} calls, {rate} a second")
                found.append(_load(switch, pair, plan.calls, rate))
    finally:
        pair.close()
    rows = []
    for rate, found in results.items():
        rows.append(_row(switch.name, f"CPU a call, {rate} calls/s", "ms", [r["own"] for r in found],
                         [r["sipp"] for r in found], budget=switch.budget("call"), remark=_remark(found)))
    helped = [r["helped"] for found in results.values() for r in found]
    if any(helped):
        plan.notes.append(f"{switch.helper_name} used {statistics.median(helped):.3g} ms a call beside it (not in the rows).")
    return rows


def burst(plan, switch, home):
    """Calls as fast as a busy carrier: are all of them good? From two addresses, since one may not send that much."""
    count = 400 if plan.quick else 4000
    pair = sipp.Pair(switch, home)
    try:
        _load(switch, pair, 300, 100)  # warm
        found = []
        for _ in range(plan.runs):
            plan.say(f"{switch.name}: {count} calls, 400 a second")
            found.append(_load(switch, pair, count, 400, callers=2))
    finally:
        pair.close()
    return [_row(switch.name, "CPU a call, 400 calls/s", "ms", [r["own"] for r in found], [r["sipp"] for r in found],
                 budget=switch.budget("call"), remark=_remark(found)),
            _row(switch.name, f"calls of {count} that were not good, 400 calls/s", "", [count - r["good"] for r in found],
                 budget=switch.budget("failed"))]


def _row_of(plan, switch, pair, what, count, rate):
    """A row of calls of another kind."""
    try:
        _load(switch, pair, count // 10, rate)  # warm
        found = []
        for _ in range(plan.runs):
            plan.say(f"{switch.name}: {count} times a call {what}")
            found.append(_load(switch, pair, count, rate))
    finally:
        pair.close()
    return [_row(switch.name, f"CPU a call {what}, {rate} calls/s", "ms", [r["own"] for r in found],
                 [r["sipp"] for r in found], remark=_remark(found))]


def reoffers(plan, switch, home):
    """Calls that hold and resume, with session timers on both legs."""
    pair = sipp.Pair(switch, home, "call_reoffer", "answer_reoffer")
    return _row_of(plan, switch, pair, "with timers and two re-INVITEs", 300 if plan.quick else 2000, 50)


def forks(plan, switch, home):
    """Calls that ring ten phones, one of which answers."""
    pair = sipp.Pair(switch, home, callee="answer_one", contacts=[f"b{i}" for i in range(10)])
    return _row_of(plan, switch, pair, "that rings ten phones", 100 if plan.quick else 500, 20)


def registers(plan, switch, home):
    found = []
    port = iter(take_ports(10))
    for _ in range(plan.runs):
        plan.say(f"{switch.name}: {plan.registers} registrations")
        before = usage.cpu(switch.pids)
        caller = sipp.register(switch, home, next(port), plan.registers, 200)
        time.sleep(0.5)
        scale = 1000 / max(1, caller.counts["good"])
        found.append({"own": (usage.cpu(switch.pids) - before) * scale, "sipp": caller.cpu * scale, **caller.counts})
    return [_row(switch.name, "CPU a registration (with its 401)", "ms", [r["own"] for r in found],
                 [r["sipp"] for r in found], remark=_remark(found))]


def held(plan, switch, home):
    """Memory of an established call, soon after it was answered and when SIP's 32-second timers have gone."""
    count, settle = (100, 0) if plan.quick else (500, 40)
    pair = sipp.Pair(switch, home)
    try:
        _load(switch, pair, 200, 50)
        if settle:
            plan.say(f"{switch.name}: memory of {count} established calls")
            time.sleep(settle)
        before = usage.memory(switch.pids)
        caller = pair.calls(count, 50, 600000)
        time.sleep(count / 50 + 3)
        fresh = usage.memory(switch.pids)
        time.sleep(settle)
        after = usage.memory(switch.pids)
        caller.stop()
    finally:
        pair.close()
    per = [(m["pss"] - before["pss"]) / count for m in (fresh, after)]
    rows = [_row(switch.name, f"memory of an established call, {count} calls", "KB", [per[1]], budget=switch.budget("memory"),
                 remark="fresh: SIP's 32 s timers still run" if not settle else "")]
    if settle:
        rows.append(_row(switch.name, "the same within seconds of the answer", "KB", [per[0]]))
    return rows


def crowd(plan, make, home):
    """Cost of a call among few and among many running calls: two switches side by side, whose runs alternate."""
    many, calls_each = (300, 300) if plan.quick else (2000, 1500)
    found, sides = {10: [], many: []}, []
    with contextlib.ExitStack() as ends:
        for running, results in found.items():
            where = os.path.join(home, f"crowd{running}")
            os.mkdir(where)
            switch = make(where, media_address=f"127.1.0.{len(sides) + 1}")
            ends.callback(switch.close)
            pair = sipp.Pair(switch, where)
            ends.callback(pair.close)
            ends.callback(pair.calls(running, 100, 900000).stop)
            sides.append((running, switch, pair, results))
        time.sleep(many / 100 + (3 if plan.quick else 40))
        for _ in range(plan.runs):
            for running, switch, pair, results in sides:
                plan.say(f"{switch.name}: calls beside {running} running ones")
                results.append(_load(switch, pair, calls_each, 50))
    ratios = [more["own"] / few["own"] for few, more in zip(found[10], found[many])]
    return [*(_row(switch.name, f"CPU a call beside {running} running ones", "ms", [r["own"] for r in results],
                   [r["sipp"] for r in results], remark=_remark(results)) for running, results in found.items()),
            _row(switch.name, "the second of these over the first", "×", ratios, budget=switch.budget("crowd"))]


def recorder(plan, make, home):
    """What the flight recorder adds to a call: two switches side by side, one without it, whose runs alternate."""
    count, found, sides = 300 if plan.quick else 2000, {"with": [], "without": []}, []
    with contextlib.ExitStack() as ends:
        for how, results in found.items():
            where = os.path.join(home, f"recorder-{how}")
            os.mkdir(where)
            switch = make(where, media_address=f"127.1.1.{len(sides) + 1}", switch="recorder_size = 0\n" if how == "without" else "")
            ends.callback(switch.close)
            pair = sipp.Pair(switch, where)
            ends.callback(pair.close)
            _load(switch, pair, 300, 100)  # warm
            sides.append((switch, pair, results))
        for run in range(max(5, plan.runs) if not plan.quick else 1):
            plan.say(f"{switch.name}: {count} calls with and without the flight recorder, run {run + 1}")
            for switch, pair, results in sides if run % 2 else reversed(sides):
                results.append(_load(switch, pair, count, 100))
    more = [100 * (on["own"] / off["own"] - 1) for on, off in zip(found["with"], found["without"])]
    return [*(_row(switch.name, f"CPU a call {how} the flight recorder, 100 calls/s", "ms", [r["own"] for r in results],
                   [r["sipp"] for r in results], remark=_remark(results)) for how, results in found.items()),
            _row(switch.name, "the flight recorder adds to a call", "%", more, budget=switch.budget("recorder"))]


def relay(plan, switch, home):
    """CPU a relayed packet, with rtp_load as both phones of 200 calls: plain, and encrypted on both sides; in turns."""
    program = os.path.join(plan.build, "tests", "bench", "rtp_load")
    if not os.access(program, os.X_OK):
        plan.notes.append("tests/bench/rtp_load is not built: no row on relaying")
        return []
    suites = {"": [], "AEAD_AES_128_GCM": [], "AES_CM_128_HMAC_SHA1_80": [], "PCMU": [], "G722": [], "opus": []}
    for _ in range(plan.runs):
        for suite, found in suites.items():
            plan.say(f"{switch.name}: relaying 200 calls {suite}")
            done = subprocess.run([program, "200", "3" if plan.quick else "10", "", *([suite] if suite else [])],
                                  capture_output=True, text=True, check=True, env=dict(os.environ, TANDEM_BUILD=plan.build))
            found.append(json.loads(done.stdout))
    rows = []
    for suite, found in suites.items():
        # What is decoded is a few packets longer under way, and those are counted here.
        lost = sum(r["lost"] for r in found) / sum(r["sent"] for r in found)
        codec = "_" not in suite and suite
        what = (f"CPU a packet from PCMA to {codec} or back" if codec else f"the same from {suite} to {suite}" if suite
                else "CPU a relayed RTP packet, 200 calls")
        rows.append(_row(switch.name, what, "µs", [r["cpu_us_per_packet"] for r in found],
                         [r["load_us_per_packet"] for r in found], budget=switch.budget(suite or "packet"),
                         remark=f"{100 * lost:.3g} % lost; instead of SIPp: what the load itself costs"))
        if suite and not codec:
            more = [a["cpu_us_per_packet"] - b["cpu_us_per_packet"] for a, b in zip(found, suites[""])]
            rows.append(_row(switch.name, f"{suite} adds to a packet (opened and protected)", "µs", more,
                             budget=switch.budget("srtp") if "GCM" in suite else None))
    return rows


def conference(plan, switch):
    """CPU of 20 ms of one party in a room of G.711, everybody talking: of 10 and of 50 parties, in turns."""
    program = os.path.join(plan.build, "tests", "bench", "rtp_load")
    if not os.access(program, os.X_OK):
        return []
    sizes = {10: [], 50: []}
    for _ in range(plan.runs):
        for size, found in sizes.items():
            plan.say(f"{switch.name}: a conference of {size}")
            done = subprocess.run([program, str(size), "3" if plan.quick else "10", "", "mix"], capture_output=True, text=True,
                                  check=True, env=dict(os.environ, TANDEM_BUILD=plan.build))
            found.append(json.loads(done.stdout)["cpu_us_per_packet"])
    return [*(_row(switch.name, f"CPU a party and 20 ms in a conference of {size}, G.711", "µs", found)
              for size, found in sizes.items()),
            _row(switch.name, "the second of these over the first", "×", [b / a for a, b in zip(sizes[10], sizes[50])],
                 budget=switch.budget("crowd"))]


def music(plan, switch):
    """CPU of 20 ms of one of 200 who are on hold, who talk and hear music, against a packet that is relayed; in turns."""
    program = os.path.join(plan.build, "tests", "bench", "rtp_load")
    if not os.access(program, os.X_OK):
        return []
    found = {"": [], "music": []}
    for _ in range(plan.runs):
        for how, results in found.items():
            plan.say(f"{switch.name}: {how or 'relaying'}, 200 phones")
            done = subprocess.run([program, "200" if how else "100", "3" if plan.quick else "10", "", *([how] if how else [])],
                                  capture_output=True, text=True, check=True, env=dict(os.environ, TANDEM_BUILD=plan.build))
            results.append(json.loads(done.stdout)["cpu_us_per_packet"])
    return [_row(switch.name, "CPU a listener and 20 ms of hold music, 200 listeners", "µs", found["music"]),
            _row(switch.name, "the same against a relayed packet", "×", [m / r for r, m in zip(found[""], found["music"])],
                 budget=switch.budget("music"))]


def audio(plan):
    """Codecs, resampling and jitter buffer, in memory alone: µs for each packet of 20 ms."""
    program = os.path.join(plan.build, "tests", "bench", "audio_cost")
    if not os.access(program, os.X_OK):
        plan.notes.append("tests/bench/audio_cost is not built: no rows on sound")
        return []
    found = []
    for i in range(plan.runs):
        plan.say(f"sound, run {i + 1}")
        done = subprocess.run([program, "20" if plan.quick else "60"], capture_output=True, text=True, check=True)
        found.append(json.loads(done.stdout))
    there, back = "G.711 to G.722, narrowband", "G.722 to G.711, narrowband"
    return [*(_row("audio", what, "µs", [r[what] for r in found]) for what in found[0]),
            _row("audio", "G.711 and G.722, mean of both ways", "µs", [(r[there] + r[back]) / 2 for r in found], budget=10)]


def _edge_runs(plan, home, count, runs, load):
    """CPU in ms of both, in turns: {"bare": [result, …], "edge": […]}."""
    found = {"bare": [], "edge": []}
    for i in range(runs):
        plan.say(f"the edge: {load.__name__.strip('_')} {i + 1} of {runs}")
        for how, results in found.items():
            switch = edge.Server(plan.build, home, how)
            try:
                results.append(load(switch, home, count))
            finally:
                switch.close()
    return found


def _edge_calls(switch, home, count):
    pair = sipp.Pair(switch, home)
    try:
        return _load(switch, pair, count, 150)
    finally:
        pair.close()


def _edge_registers(switch, home, count):
    before = usage.cpu(switch.pids)
    caller = sipp.register(switch, home, take_ports(10)[0], count, 200)
    scale = 1000 / max(1, caller.counts["good"])
    return {"own": (usage.cpu(switch.pids) - before) * scale, "sipp": caller.cpu * scale, **caller.counts}


def edge_cost(plan, home):
    """A minimal B2BUA behind the edge and on the public socket itself."""
    if not os.access(os.path.join(plan.build, "tests", "bench", "edge_cost"), os.X_OK):
        plan.notes.append("tests/bench/edge_cost is not built: no rows on the edge")
        return []
    runs, count = (1, 300) if plan.quick else (9, 1000)
    rows = []
    for what, load, budget in (("a call", _edge_calls, 0.15), ("a registration", _edge_registers, None)):
        found = _edge_runs(plan, home, count, runs, load)
        for how, name in (("bare", "NTA alone"), ("edge", "edge + NTA")):
            rows.append(_row(name, f"CPU {what}, minimal B2BUA", "ms", [r["own"] for r in found[how]],
                             [r["sipp"] for r in found[how]], remark=_remark(found[how])))
        more = rows[-1]["value"] - rows[-2]["value"]
        rows.append({**_row("the edge", f"adds to {what}", "ms", [more]), **({"budget": budget} if budget else {})})
    return rows


def idle(plan, make, home):
    """Memory at rest with 1,000 accounts and a phone registered for each, in a switch of its own."""
    where = os.path.join(home, "idle")
    os.mkdir(where)
    switch = make(where, accounts=1000)
    try:
        data.register_all(switch, 1000)
        time.sleep(3)
        found = usage.memory(switch.pids)
    finally:
        switch.close()
    return [_row(switch.name, "idle memory (PSS), 1,000 accounts and registrations", "MB", [found["pss"] / 1024], budget=switch.budget("idle"),
                 remark=f"RSS {found['rss'] / 1024:.1f} MB, private {found['own'] / 1024:.1f} MB")]


def all_rows(plan, make, home, whole):
    """whole: also what only Tandem is asked."""
    where = os.path.join(home, "tandem" if whole else "peer")
    os.mkdir(where)
    rows = []
    switch = make(where)
    try:
        for name, measurement in (("calls", calls), ("burst", burst), ("registers", registers), ("held", held)):
            if plan.wants(name):
                rows += measurement(plan, switch, where)
        for name, measurement in (("reoffers", reoffers), ("forks", forks)):
            if whole and plan.wants(name):
                rows += measurement(plan, switch, where)
        if whole and plan.wants("relay"):
            rows += relay(plan, switch, where)
            rows += conference(plan, switch)
            rows += music(plan, switch)
        plan.notes += [f"{switch.name} logged: {line}" for line in switch.check()[:3]]
    finally:
        switch.close()
    if whole and plan.wants("crowd"):
        rows += crowd(plan, make, where)
    if whole and plan.wants("recorder"):
        rows += recorder(plan, make, where)
    if whole and plan.wants("idle"):
        rows += idle(plan, make, home)
    if whole and plan.wants("overload"):
        rows += overload.rows(plan, make, home, _row)
    if whole and plan.wants("flood"):
        rows += flood.rows(plan, make, home, _row)
    if whole and plan.wants("data"):
        rows += data.rows(plan, make, home, _row)
    if whole and plan.wants("tls"):
        rows += transports.rows(plan, make, home, _row)
    if whole and plan.wants("audio"):
        rows += audio(plan)
    if whole and plan.wants("edge"):
        rows += edge_cost(plan, where)
    return rows
