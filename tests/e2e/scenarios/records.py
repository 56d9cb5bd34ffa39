"""Call records: rows as a person expects them, who did what, and that they survive."""

import time

from harness.proc import wait_until


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
