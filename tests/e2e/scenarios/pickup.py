"""Calls that are picked up, parked and fetched: what real phones hear, what psql and the command line say of it."""

import os

from harness import audio
from harness.proc import wait_until
from harness.sip import uri_of

MUSIC = 1400


def _conversation(t, caller, talks):
    """The newest row of v_call with this caller, when it and so many talks have ended."""
    def row():
        rows = t.tandem.records("SELECT v.* FROM tandem.v_call v WHERE v.ended_at IS NOT NULL AND "
                                f"v.caller LIKE '{caller} %' AND (SELECT count(*) FROM record.talk k WHERE "
                                f"k.conversation_id = v.id) = {talks} ORDER BY v.started_at DESC LIMIT 1")
        return rows and rows[0]
    return wait_until(f"a conversation of {caller} with {talks} talks", row, 20, 0.2)


def a_colleagues_call_is_taken_and_his_phone_misses_nothing(t):
    t.own_tandem(log="info").start()
    a, b, c = t.phone(tone=440), t.phone(), t.phone(tone=880)
    a.dial(b.user)
    b.ringing()
    c.dial("*8")
    c.established()
    a.established()
    b.closed()
    a.wait_heard(c.tone, seconds=1)
    c.wait_heard(a.tone, seconds=1)
    a.hangup()
    c.closed()
    row = _conversation(t, a.user, 1)
    assert row["who_talked"] == f"{a.user} → {c.user} (by pickup from {b.user})", row
    assert (row["dialled"], row["answered_by"], row["result"]) == (b.user, c.user, "answered"), row
    sentence = t.tandem.json("why", row["id"])["sentence"]
    assert f"{c.user} picks up the call of {a.user} that rings at {b.user}" in sentence, sentence
    assert "Nothing went wrong" in sentence, sentence


def _park(b, invite):
    """b, who was called, hands the caller over to *7 and hears no more of him."""
    b.send(b.compose("REFER", uri_of(invite.get("contact")), 5, invite.get("call-id"), invite.get("from"), "thirteen",
                     headers=[f"Contact: <sip:{b.user}@{b.contact}>", f"Refer-To: <sip:*7@{b.server}>", "Refer-Sub: false",
                              "Require: norefersub"]))
    assert b.response("REFER").status == 202
    text = b.request("MESSAGE", 15)
    b.reply(text, 200, "OK")
    b.reply(b.request("BYE", 15), 200, "OK")
    return text


def a_parked_call_hears_music_and_is_fetched_by_a_colleague(t):
    t.own_tandem(log="info").start()
    music = os.path.join(t.tandem.home, "music.wav")
    audio.write_tone(music, MUSIC, seconds=2)
    t.tandem.sql(f"SELECT tandem.set_music_class('default', '{music}', 'files')")
    t.tandem.sql("SELECT tandem.wait_applied()")
    a, c, b = t.phone(tone=440), t.phone(tone=880), t.endpoint()
    assert b.register().status == 200
    a.dial(b.user)
    invite = b.request("INVITE", 15)
    b.reply(invite, 200, "OK", b.sdp(), to_tag="thirteen")
    b.request("ACK", 15)
    a.established()
    assert "is parked in slot 1" in _park(b, invite).body
    rows = wait_until("he is in v_parked", lambda: t.tandem.records(
        "SELECT slot, context, number, parked_by FROM tandem.v_parked"))
    assert [list(row.values()) for row in rows] == [[1, "internal", a.user, b.user]], rows
    assert a.user in t.tandem.cli("parked").stdout
    t.tandem.sql("DELETE FROM live.row WHERE kind = 'parked'")  # is nothing that anybody can do: the switch knows better
    t.tandem.sql("SELECT tandem.set_live('parked', '" + b.user + "', '{\"slot\": 2}', 'internal/2')")
    wait_until("v_parked is as it was", lambda: [row["slot"] for row in t.tandem.records(
        "SELECT slot FROM tandem.v_parked")] == [1])
    a.wait_heard(MUSIC, seconds=1)
    c.dial("*71")
    c.established()
    a.wait_heard(c.tone, seconds=1)
    c.wait_heard(a.tone, seconds=1)
    wait_until("nobody is parked", lambda: not t.tandem.records("SELECT slot FROM tandem.v_parked"))
    assert "Nobody is parked." in t.tandem.cli("parked").stdout
    c.hangup()
    a.closed()
    row = _conversation(t, a.user, 2)
    assert row["who_talked"] == f"{a.user} → {b.user}, then {c.user} (by park of {b.user})", row
    sentence = t.tandem.json("why", row["id"])["sentence"]
    assert f"{a.user} is parked in slot 1 by {b.user}" in sentence and f"{c.user} fetches" in sentence, sentence
