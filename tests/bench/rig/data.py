"""What data costs: the spool's way into PostgreSQL, a change of the configuration, a start, and memory, with 10,000 accounts
and as many registered phones. Tandem alone is asked."""

import json
import os
import struct
import time
import uuid
import zlib

from harness import proc

from . import usage

ACCOUNTS = 10000
RECORD_EVENT = 4  # as in core/db/records-priv.h


def _frame(fields):
    """An event as a frame of the spool (core/db/frame.h, core/db/records.c)."""
    payload = bytes([RECORD_EVENT, len(fields)])
    for field in fields:
        payload += b"\xff" if field is None else struct.pack("<BH", 1, len(field)) + field.encode() + b"\0"
    return b"TDR1" + struct.pack("<II", len(payload), zlib.crc32(payload)) + payload


def _fill_spool(directory, rows):
    """So many events of an hour ago, in files of 1,000."""
    at = time.strftime("%Y-%m-%d %H:%M:%S.000000+00", time.gmtime(time.time() - 3600))
    call = str(uuid.uuid4())
    for first in range(0, rows, 1000):
        with open(os.path.join(directory, f"{first // 1000 + 1:016d}.spool"), "wb") as f:
            for _ in range(min(1000, rows - first)):
                f.write(_frame([str(uuid.uuid4()), call, None, "1", at, "script", "a line of the dialplan, as long as they are"]))


def _drain(switch, rows):
    """Rows a second while a backlog goes into the database."""
    program = switch.program
    program.stop()
    _fill_spool(os.path.join(program.home, "state", "spool"), rows)
    program.launch()
    proc.wait_until("the control socket", lambda: os.path.exists(program.control), 20, 0.005)
    def delivered():
        done = program.cli("--json", "status", check=False)
        return json.loads(done.stdout)["database"]["records"]["delivered"] if done.returncode == 0 else 0
    proc.wait_until("the first rows to be delivered", delivered, 30, 0.002)
    began, had = time.monotonic(), delivered()
    proc.wait_until("the spool to be empty", lambda: delivered() >= rows, 120, 0.005)
    took = time.monotonic() - began
    program.wait_ready()
    return (rows - had) / took


def _change(switch, number):
    """(ms until a change of one row is in force, ms of CPU that it took the switch, and its signalling thread alone)."""
    pid = switch.program.program.pid
    before, thread = usage.cpu([pid]), usage.first_thread(pid)
    switch.program.sql(f"UPDATE config.account SET display_name = 'Change {number}' WHERE name = '{1000 + 4 + number}'")
    began = time.monotonic()
    said = switch.program.sql("SELECT tandem.wait_applied()")[0][0]
    took = time.monotonic() - began
    assert said.startswith("applied"), said
    time.sleep(0.3)  # the old generation is given up
    return 1000 * took, 1000 * (usage.cpu([pid]) - before), 1000 * (usage.first_thread(pid) - thread)


def register_all(switch, count):
    """A binding for each of so many accounts, as a person could make them."""
    switch.program.sql(
        "INSERT INTO live.binding (account, contact_key, node, contact_uri, instance, call_id, cseq, user_agent, flow, peer, q, "
        "expires_at) SELECT name, 'sip:' || name || '@192.0.2.1:5060', 1, 'sip:' || name || '@192.0.2.1:5060;transport=udp', "
        "'<urn:uuid:' || gen_random_uuid() || '>', gen_random_uuid()::text, 1, 'Some telephone/1.2.3', "
        "md5(name) || md5(name), '192.0.2.1:5060', 1, now() + interval '2 hours' FROM config.account")
    proc.wait_until("the registrations", lambda: len(switch.program.json("registrations")["registrations"]) >= count, 60, 0.3)


def _start(switch):
    """Seconds from the start of the program until phones are served, all registrations are known and the database is heard."""
    program = switch.program
    program.stop()
    began = time.monotonic()
    program.launch()
    proc.wait_until("the control socket", lambda: os.path.exists(program.control), 20, 0.005)
    def ready():
        done = program.cli("--json", "status", check=False)
        return done.returncode == 0 and '"ready"' in done.stdout
    proc.wait_until("the database to be ready", ready, 20, 0.01)
    program.wait_ready()
    took = time.monotonic() - began
    known = len(program.json("registrations")["registrations"])
    assert known >= ACCOUNTS, f"{known} registrations are known after the start"
    return took


def rows(plan, make, home, row):
    """row: makes a row of the table."""
    where = os.path.join(home, "data")
    os.mkdir(where)
    plan.say(f"Tandem: {ACCOUNTS} accounts")
    switch = make(where, accounts=ACCOUNTS)
    try:
        plan.say("Tandem: draining the spool")
        drained = [_drain(switch, 40000 if plan.quick else 100000) for _ in range(plan.runs)]
        plan.say("Tandem: changes of one row")
        _change(switch, 0)  # warm
        changes = [_change(switch, n) for n in range(1, 4 if plan.quick else 11)]
        plan.say("Tandem: registrations and starts")
        register_all(switch, ACCOUNTS)
        also = [_change(switch, n) for n in range(20, 23 if plan.quick else 30)]
        starts = [_start(switch) for _ in range(plan.runs)]
        pids = [switch.program.program.pid, switch.program.media_pid()]
        time.sleep(3)
        memory = usage.memory(pids)
    finally:
        switch.close()
    many = f"{ACCOUNTS:,} accounts"
    return [row("Tandem", "records from the spool into the database", "rows/s", drained, least=10000),
            row("Tandem", f"a change of one row in force, {many}", "ms", [c[0] for c in changes + also], budget=200),
            row("Tandem", f"a change of one row, signalling thread, {many}", "ms", [c[2] for c in changes], budget=1),
            row("Tandem", f"the same with {ACCOUNTS:,} registrations", "ms", [c[2] for c in also], budget=1),
            row("Tandem", "and all threads together", "ms", [c[1] for c in changes + also]),
            row("Tandem", f"start with {many} and registrations", "s", starts, budget=2),
            row("Tandem", f"idle memory (PSS), {many} and registrations", "MB", [memory["pss"] / 1024], budget=60,
                remark=f"RSS {memory['rss'] / 1024:.1f} MB, private {memory['own'] / 1024:.1f} MB")]
