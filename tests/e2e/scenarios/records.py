"""Call records: rows as a person expects them, who did what, and that they survive."""

import os
import time

from harness import proc
from harness.proc import wait_until
from harness.runner import scenario


def an_answered_call_is_recorded_with_its_times(t):
    a, b = t.pair()
    a.dial(b.user)
    b.ringing()
    time.sleep(1.5)
    b.accept()
    a.established()
    time.sleep(3)
    a.hangup()
    b.closed()
    record = t.call_record(a.user)
    assert record["answered"] is True and record["answered_by"] == b.user, record
    assert (record["from_number"], record["dialled"]) == (a.user, b.user), record
    assert record["context"] == "internal", record
    assert 1000 <= record["ring_ms"] <= 4000, record
    assert 2500 <= record["talk_ms"] <= 6000, record
    assert record["ended_at"] is not None and record["node"] == 1, record
    assert record["sip_status"] == 200 and record["cause_text"], record


def _with_a_clock(t):
    """A started switch of its own, and a function that sets its clock wrong by so many seconds."""
    home = t.directory("clock")
    proc.run(["cc", "-shared", "-fPIC", "-O1", "-o", f"{home}/clock.so", f"{t.world.source}/tests/e2e/clock.c", "-ldl"])

    def set_clock(seconds):
        with open(f"{home}/step.new", "w", encoding="ascii") as f:
            f.write(str(seconds))
        os.rename(f"{home}/step.new", f"{home}/step")
    set_clock(0)
    tandem = t.own_tandem()
    sanitizer = f"{os.environ.get('ASAN_OPTIONS', '')}:verify_asan_link_order=0".strip(":")
    tandem.program = proc.Program(["env", f"LD_PRELOAD={home}/clock.so", f"CLOCK_STEP={home}/step", f"ASAN_OPTIONS={sanitizer}",
                                   tandem.path("tandemd"), "-c", tandem.config], tandem.log_path)
    tandem.wait_ready()
    return tandem, set_clock


@scenario(seconds=90)
def a_clock_that_is_set_during_a_call_changes_neither_its_times_nor_anything_else(t):
    """An hour forwards, then two backwards: daylight saving by hand, or a machine that finds its time server late."""
    tandem, set_clock = _with_a_clock(t)
    a, b = t.pair()
    a.dial(b.user)
    b.ringing()
    set_clock(3600)
    tandem.wait_log(r"tandemd warn: the clock of this machine was set by \+(3599|3600) s")
    time.sleep(1.2)
    b.accept()
    a.established()
    set_clock(-3600)
    tandem.wait_log(r"tandemd warn: the clock of this machine was set by -(7199|7200) s")
    a.wait_heard(b.tone, seconds=2)
    a.hangup()
    b.closed()
    record = t.call_record(a.user)
    assert 1000 <= record["ring_ms"] <= 10000 and 1500 <= record["talk_ms"] <= 20000, record
    assert record["cause"] == "normal" and record["answered"], record
    # Phones are still registered.
    assert len(tandem.registrations(a.user)) == len(tandem.registrations(b.user)) == 1
    b.dial(a.user)
    a.ringing()
    b.hangup()
    a.closed()


@scenario(seconds=90)
def calls_after_the_clock_was_set_have_the_new_time_and_are_found(t):
    tandem, set_clock = _with_a_clock(t)
    a, b = t.endpoint(), t.endpoint()
    assert b.register(expires=600).status == 200
    for step in (36000, 72000):  # a machine that slept for a night, and another
        set_clock(step)
        tandem.wait_log(r"tandemd warn: the clock of this machine was set by \+(35999|36000) s", since=0 if step == 36000 else mark)
        mark = len(tandem.log())
        a.send_invite(b.user)
        b.reply(b.request("INVITE"), 486, "Busy Here")
        assert a.response("INVITE", call_id=a.call[1]).status == 486
        id = wait_until("its record", lambda: tandem.sql(
            "SELECT id FROM record.call WHERE abs(extract(epoch FROM started_at - now()) - "
            f"{step}) < 60 AND ended_at BETWEEN started_at AND started_at + interval '1 minute'"))[0][0]
        wait_until("the recorder to have written all that there is",
                   lambda: tandem.json("status")["recorder"]["unwritten_bytes"] == 0, 10, 0.2)
        assert tandem.json("trace", "last", a.user)["id"] == id
        assert "said that it is busy" in tandem.json("why", id)["sentence"]
    assert len(tandem.registrations(b.user)) == 1


def both_legs_are_recorded_with_their_audio(t):
    a, b = t.pair()
    a.dial(b.user)
    b.ringing()
    b.accept()
    a.established()
    a.wait_heard(b.tone, seconds=2)
    a.hangup()
    b.closed()
    call = t.call_record(a.user)
    t.tandem.wait_record(f"SELECT 1 AS yes FROM record.leg WHERE call_id = '{call['id']}' HAVING count(*) = 2", "two legs")
    legs = t.tandem.records(f"SELECT * FROM record.leg WHERE call_id = '{call['id']}' ORDER BY inbound DESC")
    for leg, phone, inbound in ((legs[0], a, True), (legs[1], b, False)):
        assert leg["inbound"] is inbound and leg["account"] == phone.user, leg
        assert leg["peer"] and str(phone.sip) in leg["peer"], leg
        assert leg["codec"] and leg["codec"].upper().startswith("PCMU"), leg
        assert leg["rx_packets"] >= 90 and leg["tx_packets"] >= 80, leg  # two seconds of 20 ms packets
        assert leg["lost_packets"] <= 5, leg
        assert leg["answered"] and leg["cause"] == "normal", leg
    assert legs[0]["ended_by"] == "caller", legs[0]


def a_person_reads_one_row_a_conversation(t):
    a, b = t.pair()
    a.dial(b.user)
    b.ringing()
    b.hangup()
    a.closed()
    id = t.call_record(a.user)["id"]
    row = t.tandem.records(f"SELECT * FROM tandem.v_call WHERE id = '{id}'")[0]
    assert a.user in row["caller"] and row["dialled"] == b.user and row["result"] == "not answered", row
    assert "busy" in row["why"], row


def events_tell_the_story_of_a_call(t):
    a, b = t.pair()
    a.dial(b.user)
    b.ringing()
    b.accept()
    a.established()
    a.hangup()
    b.closed()
    id = t.call_record(a.user)["id"]
    def kinds():
        return [r["kind"] for r in t.tandem.records(f"SELECT kind FROM record.event WHERE call_id = '{id}' ORDER BY at, id")]
    # Beginning and end are in the rows of the call and its legs.
    wait_until("the events of the call", lambda: kinds().count("leg-answered") >= 2)
    story = kinds()
    assert story.index("leg-ringing") < story.index("leg-answered"), story


def finished_calls_are_shown_in_words_also_after_a_restart(t):
    tandem = t.own_tandem(log="info")
    tandem.start()
    a, b = t.pair()
    a.dial(b.user)
    b.ringing()
    b.accept()
    a.established()
    a.wait_heard(b.tone, seconds=1)
    a.hangup()
    b.closed()
    record = t.call_record(a.user)
    tandem.wait_record(f"SELECT 1 AS yes FROM record.leg WHERE call_id = '{record['id']}' HAVING count(*) = 2", "two legs")
    words = tandem.cli("call", record["id"][:13]).stdout
    assert f"{a.user} (Test {a.user}) dialled {b.user}, and {b.user} answered" in words, words
    assert "Q.850 16" in words and "SIP 200" in words and "by the caller" in words, words
    assert f"from {a.user}" in words and f"to {b.user}" in words and "PCMU" in words, words
    assert "leg-ringing" in words and "leg-answered" in words, words
    assert "INVITE" in words, "the messages, which the switch still remembers, are not shown"
    tandem.stop()
    tandem.start()
    last = tandem.cli("calls", "--last", "5").stdout
    assert a.user in last and b.user in last and "answered" in last and record["started_at"][:10] in last, last
    again = tandem.cli("call", record["id"][:13]).stdout
    assert f"dialled {b.user}" in again and "leg-answered" in again, again
    facts = tandem.json("call", record["id"])["record"]
    assert facts["cause_id"] == "normal" and len(facts["legs"]) == 2 and len(facts["dialplan"]) == 16, facts
    tandem.command_fails("call", "ffffffff")


def calls_are_exported_as_csv(t):
    import csv
    import io
    a, b = t.pair()
    a.dial(b.user)
    b.ringing()
    b.hangup()
    a.closed()
    id = t.call_record(a.user)["id"]
    rows = list(csv.DictReader(io.StringIO(t.tandem.cli("calls", "export", "--from", "2020-01-01").stdout)))
    row = next(r for r in rows if r["id"] == id)
    assert (row["from_account"], row["dialled"], row["answered"]) == (a.user, b.user, "f"), row
    assert row["cause"] in ("busy", "rejected") and row["cause_text"] and row["cause_code"], row
    assert t.tandem.cli("calls", "export", "--to", "2020-01-01").stdout.count("\n") == 1  # the heads alone
    assert "export takes" in t.tandem.command_fails("calls", "export", "--from", "'; DROP TABLE record.call")
    assert "export takes" in t.tandem.command_fails("calls", "export", "--from")


def calls_of_before_and_after_a_change_of_the_dialplan_are_told_apart(t):
    directory = t.directory("plan")
    def write(words):
        with open(f"{directory}/init.lua", "w", encoding="utf-8") as f:
            f.write(f'include("accounts.lua")\n-- {words}\nextension("internal", "_.", function(call) '
                    'dial_account(call, call.extension, 60) end)\n')
    write("first")
    tandem = t.own_tandem(dialplan=directory, log="info")
    tandem.start()
    seen = []
    for words in ("first", "second", "first"):
        write(words)
        tandem.cli("dialplan", "reload")
        caller = t.endpoint()
        assert caller.invite("nobody").status >= 400
        seen.append(t.call_record(caller.user)["dialplan"])
    assert seen[0] == seen[2] != seen[1] and all(len(s) == 16 for s in seen), seen


def what_is_older_than_the_retention_is_deleted_by_the_switch(t):
    tandem = t.own_tandem(log="info")
    for days in (1, 50, 400):
        tandem.sql("INSERT INTO record.call (id, node, run, started_at, ended_at) VALUES (gen_random_uuid(), 1, "
                   f"gen_random_uuid(), now() - interval '{days} days', now())")
    tandem.sql("SELECT set_setting('retention_days', '90')")
    tandem.start()
    wait_until("the old call to go", lambda: tandem.sql("SELECT count(*) FROM record.call") == [["2"]], 30, 0.3)
    tandem.stop()
    # Without the right to do it, the switch says so and works.
    tandem.sql("REVOKE EXECUTE ON FUNCTION live.tend_records FROM PUBLIC")
    tandem.sql("CREATE ROLE poor LOGIN IN ROLE tandem_daemon")
    tandem.sql("REVOKE EXECUTE ON FUNCTION live.tend_records FROM tandem_daemon")
    owner = tandem.database
    with open(tandem.config, encoding="utf-8") as f:
        text = f.read()
    with open(tandem.config, "w", encoding="utf-8") as f:
        f.write(text.replace("user=tandem", "user=poor"))
    try:
        tandem.start()
        wait_until("tandem status to say so", lambda: "permission denied for function tend_records" in
                   " ".join(tandem.cli("status").stdout.split()), 30, 0.3)
        assert tandem.json("status")["database"]["state"] == "ready"
    finally:
        tandem.stop()
        tandem.sql("DROP OWNED BY poor; DROP ROLE poor")
    assert tandem.database == owner
