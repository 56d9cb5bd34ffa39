"""Calls between real phones, and what each side hears and sees."""

import time

from harness import audio, sipp
from harness.proc import Failed, wait_until


def _talk(a, b):
    """a calls b, b answers, both talk."""
    a.dial(b.user)
    b.ringing()
    b.accept()
    a.established()
    b.established()


def two_phones_register(t):
    a, b = t.pair()
    for p in (a, b):
        bindings = t.tandem.registrations(p.user)
        assert len(bindings) == 1 and p.address in bindings[0]["contact"], bindings


def both_phones_hear_each_others_tone(t):
    a, b = t.pair()
    _talk(a, b)
    a.wait_heard(b.tone, seconds=2)
    b.wait_heard(a.tone, seconds=2)
    for p in (a, b):
        assert p.heard_seconds(p.tone) == 0, f"{p.user} hears itself"
    a.hangup()
    b.closed()


def the_caller_hangs_up(t):
    a, b = t.pair()
    _talk(a, b)
    a.hangup()
    assert "reset by peer" in b.closed(), "the callee was not told by a BYE"
    record = t.call_record(a.user)
    assert (record["cause"], record["ended_by"]) == ("normal", "caller"), record


def the_callee_hangs_up(t):
    a, b = t.pair()
    _talk(a, b)
    b.hangup()
    assert "reset by peer" in a.closed(), "the caller was not told by a BYE"
    record = t.call_record(a.user)
    assert (record["cause"], record["ended_by"]) == ("normal", "callee"), record


def a_cancelled_call_stops_ringing(t):
    a, b = t.pair()
    a.dial(b.user)
    b.ringing()
    a.wait("CALL_RINGING")
    a.hangup()
    b.closed()
    wait_until("a CANCEL in the callee's messages", lambda: "CANCEL sip:" in b.log())
    record = t.call_record(a.user)
    assert record["cause"] == "cancelled" and not record["answered"], record
    assert record["ended_by"] == "caller" and record["sip_status"] == 487, record


def a_busy_phone_gives_the_caller_486(t):
    a, b = t.pair()
    a.dial(b.user)
    b.ringing()
    b.hangup()
    assert a.closed().startswith("486"), "the caller did not get 486"
    record = t.call_record(a.user)
    assert record["cause"] == "busy" and not record["answered"] and record["sip_status"] == 486, record


def a_phone_that_does_not_answer_in_time_stops_ringing(t):
    a, b = t.pair()
    a.dial("88" + b.user)
    b.ringing()
    began = time.monotonic()
    reason = a.closed(timeout=20)
    b.closed()
    assert 1 < time.monotonic() - began < 6, "the dial timeout of 2 s was not kept"
    assert reason.startswith("480"), f"the caller got {reason}"
    record = t.call_record(a.user)
    assert record["cause"] == "no-answer" and not record["answered"], record


def an_unknown_number_gets_404(t):
    a = t.phone()
    a.dial("no-such-number")
    assert a.closed().startswith("404"), "the caller did not get 404"
    assert t.call_record(a.user)["cause"] == "unknown-number"


def a_callee_without_a_phone_gets_480(t):
    a = t.phone()
    name, _ = t.account()
    a.dial(name)
    assert a.closed().startswith("480"), "the caller did not get 480"
    assert t.call_record(a.user)["cause"] == "unreachable"


def the_echo_test_lets_a_caller_hear_itself(t):
    a = t.phone()
    a.dial("*43")
    a.established()
    a.wait_heard(a.tone, seconds=2)
    a.hangup()
    record = t.call_record(a.user)
    assert record["answered"] and record["cause"] == "normal", record


def two_phones_of_one_account_ring_and_the_first_answer_wins(t):
    caller = t.phone(tone=440)
    account = t.account()
    desk, mobile = t.phone(account, tone=880), t.phone(account, tone=1250)
    caller.dial(account[0])
    desk.ringing()
    mobile.ringing()
    mobile.accept()
    caller.established()
    desk.closed()
    assert "CANCEL sip:" in desk.log(), "the phone that lost got no CANCEL"
    caller.wait_heard(mobile.tone, seconds=1)
    mobile.wait_heard(caller.tone, seconds=1)
    assert caller.heard_seconds(desk.tone) == 0
    caller.hangup()
    mobile.closed()
    record = t.call_record(caller.user)
    legs = t.tandem.wait_record(
        f"SELECT array_agg(cause ORDER BY cause) AS causes FROM record.leg WHERE call_id = '{record['id']}' HAVING count(*) = 3",
        "three legs of the call")
    assert legs["causes"].count("answered-elsewhere") == 1, legs


def three_calls_at_a_time_do_not_disturb_each_other(t):
    tones = [400, 520, 660, 800, 1000, 1240]
    phones = [t.phone(tone=tone) for tone in tones]
    pairs = list(zip(phones[::2], phones[1::2]))
    for a, b in pairs:
        _talk(a, b)
    for a, b in pairs:
        a.wait_heard(b.tone, seconds=1.5)
        b.wait_heard(a.tone, seconds=1.5)
        tone, _ = audio.strongest(a.heard(), tones)
        assert tone == b.tone, f"{a.user} hears {tone} Hz best, not {b.tone}"
    for a, b in pairs:
        a.hangup()
        b.closed()


def an_offer_without_a_common_codec_gets_488(t):
    callee = t.phone()
    caller = t.account()
    sipp.run(t, "call_without_common_codec", t.ports(1)[0], account=caller,
             keys={"number": callee.user}).expect_success()
    record = t.call_record(caller[0])
    assert record["cause"] == "no-common-codec" and record["sip_status"] == 488, record


def a_retransmitted_invite_is_one_call(t):
    callee = t.phone()
    caller = t.endpoint()
    caller.invite(callee.user)
    for _ in range(3):
        caller.send(caller.last_sent)
    callee.ringing()
    legs = t.tandem.running_call(caller.user)["legs"]
    assert len(legs) == 2, legs
    caller.cancel()
    assert caller.response("INVITE").status == 487
    callee.closed()
    try:
        callee.wait("CALL_INCOMING", timeout=1)
    except Failed:
        pass
    else:
        raise Failed("the retransmissions rang a second time")
    t.call_record(caller.user)
    rows = t.tandem.records(f"SELECT 1 FROM record.call WHERE from_account = '{caller.user}'")
    assert len(rows) == 1, f"{len(rows)} calls were recorded"


def a_whole_call_of_sipp_works(t):
    caller, callee = t.account(), t.account()
    port = t.ports(1)[0]
    sipp.run(t, "register", port, account=callee).expect_success()
    answering = sipp.start(t, "answer", port)
    sipp.run(t, "call", t.ports(1)[0], account=caller, keys={"number": callee[0]}).expect_success()
    sipp.finish(answering).expect_success()
    record = t.call_record(caller[0])
    assert record["answered"] and record["cause"] == "normal" and record["ended_by"] == "caller", record


def sipp_agrees_about_a_busy_phone(t):
    caller, callee = t.account(), t.account()
    port = t.ports(1)[0]
    sipp.run(t, "register", port, account=callee).expect_success()
    answering = sipp.start(t, "answer_busy", port)
    sipp.run(t, "call_busy", t.ports(1)[0], account=caller, keys={"number": callee[0]}).expect_success()
    sipp.finish(answering).expect_success()


def sipp_agrees_about_a_cancelled_phone(t):
    caller, callee = t.endpoint(), t.account()
    port = t.ports(1)[0]
    sipp.run(t, "register", port, account=callee).expect_success()
    answering = sipp.start(t, "answer_never", port)
    assert caller.invite(callee[0]).status == 180
    caller.cancel()
    final = caller.response("INVITE")
    assert final.status == 487, final
    caller.ack(final)
    sipp.finish(answering).expect_success()
