"""Conversations in records: a call that was handed over reads as one, in SQL and on the command line."""

from harness.proc import wait_until
from harness.sip import tag_of, uri_of


def _switch(t):
    """a and c are telephones, b is driven by hand (and silent); all three are registered."""
    t.own_tandem(log="info", modules="[module transfer]\n").start()
    a, c, b = t.phone(tone=440), t.phone(tone=880), t.endpoint()
    assert b.register().status == 200
    return a, b, c


def _answer(b):
    invite = b.request("INVITE", 15)
    b.reply(invite, 200, "OK", b.sdp(), to_tag="thirteen")
    b.request("ACK", 15)
    return invite


def _refer(b, invite, to):
    """In the dialog of the call that b answered; nobody is told how it goes."""
    b.send(b.compose("REFER", uri_of(invite.get("contact")), 5, invite.get("call-id"), invite.get("from"), "thirteen",
                     headers=[f"Contact: <sip:{b.user}@{b.contact}>", f"Refer-To: <{to}>", "Refer-Sub: false",
                              "Require: norefersub"]))
    assert b.response("REFER").status == 202


def _let_go(b):
    b.reply(b.request("BYE", 15), 200, "OK")


def _talk(t, a, b, how):
    """These two do, as `tandem calls` has it, and nobody else."""
    def talks():
        calls = t.tandem.json("calls")["calls"]
        return len(calls) == 1 and [calls[0].get("talk", {}).get(k) for k in ("who", "with", "how")] == [a.user, b.user, how]
    wait_until(f"{a.user} to talk to {b.user}", talks, 20, 0.2)


def _conversation(t, caller, talks):
    """The newest row of v_call with this caller, when it and so many talks have ended."""
    def row():
        rows = t.tandem.records("SELECT v.* FROM tandem.v_call v WHERE v.ended_at IS NOT NULL AND "
                                f"v.caller LIKE '{caller} %' AND (SELECT count(*) FROM record.talk k WHERE "
                                f"k.conversation_id = v.id) = {talks} ORDER BY v.started_at DESC LIMIT 1")
        return rows and rows[0]
    return wait_until(f"a conversation of {caller} with {talks} talks", row, 20, 0.2)


def _in_order(text, *words):
    at = 0
    for word in words:
        assert word in text[at:], f"{word!r} is not there, or not in its place: {text}"
        at = text.index(word, at) + len(word)


def who_was_handed_over_without_consultation_reads_right(t):
    a, b, c = _switch(t)
    a.dial(b.user)
    invite = _answer(b)
    a.established()
    _refer(b, invite, f"sip:{c.user}@{b.server}")
    c.ringing()
    c.accept()
    _let_go(b)
    _talk(t, a, c, "transfer")
    live = t.tandem.json("calls")["calls"]
    assert len(live) == 1 and (live[0]["talk"]["who"], live[0]["talk"]["with"]) == (a.user, c.user), live
    assert f"{a.user} with {c.user}" in t.tandem.cli("calls").stdout
    _in_order(t.tandem.cli("call", live[0]["id"]).stdout, f"{a.user} talks to {b.user}", f"{b.user} hands {a.user} over",
              f"{a.user} talks to {c.user} (by transfer of {b.user})", "The call is talking")
    a.hangup()
    c.closed()
    row = _conversation(t, a.user, 2)
    assert row["who_talked"] == f"{a.user} → {b.user}, then {c.user} (by transfer of {b.user})", row
    assert (row["dialled"], row["answered_by"], row["result"], row["ended_by"]) == (b.user, b.user, "answered", "caller"), row
    talks = t.tandem.records(f"SELECT * FROM tandem.v_talk WHERE conversation_id = '{row['id']}' ORDER BY number")
    assert [(k["party_a"], k["party_b"], k["how"], k["by_whom"]) for k in talks] == [
        (a.user, b.user, "dialled", None), (a.user, c.user, "transfer", b.user)], talks
    assert talks[0]["ended_at"] <= talks[1]["started_at"] and talks[1]["ended_at"] is not None, talks
    words = t.tandem.cli("call", row["id"]).stdout
    _in_order(words, f"dialled {b.user}, and {b.user} answered", "(by transfer of", "SINCE", "dialled",
              f"transfer of {b.user}", "LEG", f"from {a.user}", "transfer")
    _in_order(t.tandem.json("why", row["id"])["sentence"], f"{a.user} called {b.user} at", f": {a.user} talks to {b.user}; ",
              f": {b.user} hands {a.user} over to {c.user}; ",
              f": {a.user} talks to {c.user} (by transfer of {b.user}). ")
    assert f"{c.user} (by transfer of {b.user})" in t.tandem.cli("calls", "--last", "3").stdout


def a_call_before_a_transfer_is_part_of_the_conversation(t):
    a, b, c = _switch(t)
    a.dial(b.user)
    invite = _answer(b)
    a.established()
    assert b.send_invite(c.user) is None
    c.ringing()
    c.accept()
    answer = b.response("INVITE", 200, 15)
    b.ack(answer)
    c.established()
    _refer(b, invite, f"sip:{c.user}@{b.server}?Replaces={answer.get('call-id')}%3Bto-tag%3D{tag_of(answer.get('to'))}"
                      f"%3Bfrom-tag%3D{tag_of(answer.get('from'))}")
    _let_go(b)
    _let_go(b)
    _talk(t, a, c, "attended transfer")
    c.hangup()
    a.closed()
    row = _conversation(t, a.user, 3)
    assert row["who_talked"] == (f"{a.user} → {b.user}, then {b.user} → {c.user}, "
                                 f"then {a.user} → {c.user} (by attended transfer of {b.user})"), row
    assert (row["dialled"], row["answered_by"], row["result"]) == (b.user, b.user, "answered"), row
    assert t.tandem.sql("SELECT count(*) FROM tandem.v_call") == [["1"]]  # and two calls
    calls = [r[0] for r in t.tandem.sql(f"SELECT tandem.calls_of('{row['id']}')")]
    assert len(calls) == 2 and calls[0] == row["id"], calls
    wait_until("the legs of both calls", lambda: len(t.tandem.records(
        f"SELECT 1 AS leg FROM tandem.v_leg WHERE call_id IN (SELECT tandem.calls_of('{calls[1]}'))")) == 4)
    for id in calls:  # whichever is asked for
        facts = t.tandem.json("call", id)
        assert facts["record"]["id"] == row["id"] and facts["record"]["calls"] == calls, facts["record"]
        assert len(facts["record"]["talks"]) == 3 and len(facts["record"]["legs"]) == 4, facts["record"]
        assert [facts["id"], facts["others"][0]["id"]] == calls, facts["id"]
        _in_order(t.tandem.json("why", id)["sentence"], f"{a.user} called {b.user} at", f": {a.user} talks to {b.user}; ",
                  f": {b.user} talks to {c.user}; ", f": {b.user} hands {a.user} over to {c.user}, after talking to both; ",
                  f": {a.user} talks to {c.user} (by attended transfer of {b.user}). ")
