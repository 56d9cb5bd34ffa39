"""The rules of call signalling that no phone here exercises, between two SIPps and in the records."""

import re

from harness import sipp
from harness.runner import scenario


def _phone(t, answers, keys=None, contacts=None, calls=1, seconds=60):
    """A SIPp that is registered with an account of its own: (account, program)."""
    account, port = t.account(), t.ports(1)[0]
    parts = {"contacts": "\n".join(f"Contact: <sip:{c}@[local_ip]:[local_port]>" for c in contacts)} if contacts else None
    sipp.run(t, "register", port, account=account, parts=parts).expect_success()
    return account, sipp.start(t, answers, port, keys=keys, calls=calls, seconds=seconds)


def _call(t, calls, number, program=None, seconds=60, **options):
    """A new account calls by this scenario; the other SIPp must be content as well: (account, result)."""
    account = t.account()
    done = sipp.run(t, calls, t.ports(1)[0], account=account, keys={"number": number}, seconds=seconds, **options).expect_success()
    if program:
        sipp.finish(program).expect_success()
    return account[0], done


def _pair(t, calls, answers, seconds=60):
    """One SIPp calls another: the record of the call."""
    callee, program = _phone(t, answers, seconds=seconds)
    return t.call_record(_call(t, calls, callee[0], program, seconds)[0])


def _went_well(call, ended_by="caller"):
    assert call["answered"] and call["sip_status"] == 200, call
    assert (call["cause"], call["ended_by"]) == ("normal", ended_by), call


def of_ten_phones_the_first_answer_wins_and_nine_are_told(t):
    names = [f"b{i}" for i in range(10)]
    callee, program = _phone(t, "fork_answers", contacts=names, calls=10)
    call = t.call_record(_call(t, "call", callee[0], program)[0])
    _went_well(call)
    assert call["answered_by"] == callee[0], call
    legs = t.leg_records(call, 11)[1:]
    assert {leg["contact"].partition("@")[0] for leg in legs} == {f"sip:{name}" for name in names}, legs
    for leg in legs:
        won = leg["contact"].startswith("sip:b4@")
        assert leg["answered"] is won and leg["cause"] == ("normal" if won else "answered-elsewhere"), leg


def destinations_in_order_ring_one_after_the_other(t):
    first, never = _phone(t, "answer_never")
    second, answers = _phone(t, "answer")
    call = t.call_record(_call(t, "call", f"77{first[0]}*{second[0]}", never)[0])
    sipp.finish(answers).expect_success()
    _went_well(call)
    assert call["answered_by"] == second[0], call
    _, early, late = t.leg_records(call, 3)
    assert early["account"] == first[0] and early["cause"] == "no-answer" and early["ring_ms"] >= 900, early
    assert late["account"] == second[0] and late["started_at"][:19] > early["started_at"][:19], (early, late)


def early_media_is_confirmed_on_both_legs_and_repeated_in_the_answer(t):
    callee, program = _phone(t, "early_answer")
    caller, result = _call(t, "early_call", callee[0], program)
    _went_well(t.call_record(caller))
    told = re.findall(r"^SIP/2\.0 (183|200).*?^CSeq: 2 INVITE.*?(^v=0.*?)^$", result.messages(), re.M | re.S)
    assert [status for status, _ in told] == ["183", "200"] and told[0][1] == told[1][1], told


def a_call_without_an_offer_is_offered_and_answered(t):
    call = _pair(t, "late_call", "answer")
    _went_well(call)
    assert [leg["codec"] for leg in t.leg_records(call)] == ["PCMU/8000"] * 2


def offers_go_both_ways_and_glare_ends_no_call(t):
    t.own_tandem(without=("hold",)).start()  # holds are offers like others then
    call = _pair(t, "reoffer_call", "reoffer_answer")
    _went_well(call)
    kinds = [r["kind"] for r in t.tandem.records(f"SELECT kind FROM record.event WHERE call_id = '{call['id']}' ORDER BY at, id")]
    assert "leg-held" in kinds and "leg-resumed" in kinds, kinds


def offers_of_both_phones_at_once_are_refused_to_both_and_made_one_after_the_other(t):
    t.own_tandem(without=("hold",)).start()
    call = _pair(t, "glare_call", "glare_answer")
    _went_well(call)
    held = t.tandem.records(f"SELECT leg_id FROM record.event WHERE call_id = '{call['id']}' AND kind = 'leg-held'")
    assert len({row["leg_id"] for row in held}) == 2, held


def a_session_timer_that_is_too_short_is_raised_in_both_roles(t):
    _went_well(_pair(t, "interval_call", "interval_answer"))


@scenario(seconds=120)
def caller_refreshes_and_the_switch_refreshes_the_callee(t):
    call = _pair(t, "refresh_call", "refreshed_answer", 70)
    _went_well(call)
    assert call["talk_ms"] > 45000, call


@scenario(seconds=120)
def callee_refreshes_and_the_switch_refreshes_the_caller(t):
    call = _pair(t, "refreshed_call", "refresh_answer", 70)
    _went_well(call)
    assert call["talk_ms"] > 44000, call


def a_large_call_over_tcp_and_ipv6_reaches_a_phone_of_udp_and_ipv4(t):
    callee = t.phone(answer="auto")
    filler = "\n".join(f"a=x-filler-{i}:{'x' * 60}" for i in range(100))
    caller, result = _call(t, "call", callee.user, parts={"attributes": filler}, transport="tcp", family=6)
    assert len(filler) > 7000 and f"x-filler-99:{'x' * 60}" in result.messages()
    callee.closed()
    call = t.call_record(caller)
    _went_well(call)
    legs = t.leg_records(call)
    assert legs[0]["peer"].startswith("[::1]:") and legs[1]["peer"] == callee.address, legs
    assert "x-filler" not in callee.log(), "what nobody understands crossed the switch"


def a_call_without_hops_left_gets_483_and_rings_nowhere(t):
    callee = t.phone()
    caller, _ = _call(t, "call_without_hops", callee.user)
    assert callee.seen("CALL_INCOMING") is None
    assert not t.tandem.records(f"SELECT 1 FROM record.call WHERE from_account = '{caller}'"), "a refusal was recorded as a call"


def a_302_sends_the_call_through_the_dialplan(t):
    other, answers = _phone(t, "answer")
    callee, moved = _phone(t, "answer_elsewhere", keys={"other": other[0]})
    caller, _ = _call(t, "call", callee[0], moved)
    sipp.finish(answers).expect_success()
    call = t.call_record(caller)
    _went_well(call)
    assert (call["dialled"], call["answered_by"]) == (callee[0], other[0]), call
    legs = t.leg_records(call, 3)
    assert legs[1]["account"] == callee[0] and legs[1]["cause"] == "redirected" and legs[1]["sip_status"] == 302, legs[1]


def an_answer_that_meets_the_cancel_is_ended_by_bye(t):
    call = _pair(t, "cancel_call", "answer_crossing")
    assert not call["answered"] and (call["cause"], call["ended_by"], call["sip_status"]) == ("cancelled", "caller", 487), call


def a_cancel_that_meets_the_answer_changes_nothing(t):
    _went_well(_pair(t, "cancel_answered_call", "answer"))


def a_200_comes_again_until_its_ack_does(t):
    callee, program = _phone(t, "answer")
    caller, result = _call(t, "call_with_late_ack", callee[0], program)
    _went_well(t.call_record(caller))
    told = re.findall(r"^SIP/2\.0 200.*?^CSeq: 2 INVITE", result.messages(), re.M | re.S)
    assert len(told) >= 3, f"in two seconds the 200 came {len(told)} times"


@scenario(seconds=120)
def a_call_whose_ack_never_comes_is_ended_on_both_legs(t):
    call = _pair(t, "call_without_ack", "answer", 70)
    assert (call["cause"], call["ended_by"]) == ("no-ack", "switch"), call


def what_nobody_knows_is_refused_in_words_that_phones_understand(t):
    _call(t, "odd_requests", "anybody")


def requests_in_a_call_that_change_nothing_leave_it_alone(t):
    _went_well(_pair(t, "in_dialog_call", "answer"))


def key_presses_and_texts_go_from_phone_to_phone(t):
    _went_well(_pair(t, "message_call", "message_answer"))
