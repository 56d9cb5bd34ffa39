"""Hold that the switch serves: what the held phone hears, what both hear afterwards, and what is said of it."""

import os

from harness import audio, linphone, sipp
from harness.proc import wait_until

MUSIC = 1500  # Hz: the class that the switch plays


def _music_of(t, account):
    """What this account plays to whom it holds is one tone. Returns the name of the class."""
    name, path = f"of-{account}", os.path.join(t.directory("music"), "music.wav")
    audio.write_tone(path, MUSIC, seconds=2)
    t.tandem.sql(f"SELECT tandem.set_music_class('{name}', '{path}', 'files')")
    t.tandem.cli("account", "set", account, "--music-class", name)
    t.tandem.sql("SELECT tandem.wait_applied()")
    return name


def _talk(a, b):
    a.dial(b.user)
    b.ringing()
    b.accept()
    a.established()
    b.established()
    a.wait_heard(b.tone, seconds=0.5)
    b.wait_heard(a.tone, seconds=0.5)


def _hold_story(t, kind, other):
    """The caller holds and resumes; what is heard, and what CLI, SQL and records say."""
    tandem = t.tandem
    a, b = t.phone(tone=440, kind=kind), t.phone(tone=880, kind=other)
    music = _music_of(t, a.user)
    _talk(a, b)
    call = tandem.running_call(a.user)["id"]
    a.hold()
    b.wait_heard(MUSIC, seconds=1)
    held = b.place()
    b.wait_heard(MUSIC, seconds=1, since=held)
    assert b.heard_seconds(a.tone, held) + b.heard_seconds(linphone.MUSIC, held) <= 0.2, "who holds is heard meanwhile"
    assert a.heard_seconds(MUSIC) == 0, "who holds hears the music"
    assert f"{a.user} holds {b.user} for " in tandem.cli("calls").stdout, tandem.cli("calls").stdout
    words = f"{a.user} holds {b.user}, who hears the music {music}"
    row = tandem.wait_record(f"SELECT words, lasts FROM v_hold WHERE call_id = '{call}'", "the hold in the database")
    assert row["words"] == words, row
    assert words in tandem.cli("call", call).stdout, tandem.cli("call", call).stdout
    assert words in tandem.cli("why", call).stdout, tandem.cli("why", call).stdout
    a.resume()
    heard, back = a.place(), b.place()
    b.wait_heard(a.tone, seconds=1, since=back)
    if kind == "linphone":  # the recording of a baresip ends when it holds
        a.wait_heard(b.tone, seconds=1, since=heard)
    wait_until("the end of the hold", lambda: not tandem.records(f"SELECT words FROM v_hold WHERE call_id = '{call}'"), 10, 0.2)
    a.hangup()
    b.closed()
    record = t.call_record(a.user)
    assert (record["cause"], record["ended_by"]) == ("normal", "caller"), record
    events = tandem.records(f"SELECT kind, detail FROM record.event WHERE call_id = '{call}' AND kind IN ('leg-held', 'leg-resumed') ORDER BY at, id")
    assert [event["kind"] for event in events] == ["leg-held", "leg-resumed"], events
    assert events[0]["detail"] == words and events[1]["detail"].startswith(f"{a.user} is back after "), events
    invites = [line for line in tandem.json("call", call)["lines"] if line["kind"] == "request" and line["text"] == "INVITE" and line["to"] == b.user]
    assert len(invites) == 1, f"{b.user} was told of the hold: {invites}"


def whom_a_baresip_holds_hears_music_and_then_both_hear_each_other(t):
    _hold_story(t, "baresip", "linphone")


def whom_a_linphone_holds_hears_music_and_then_both_hear_each_other(t):
    _hold_story(t, "linphone", "baresip")


def the_old_way_to_hold_is_music_as_well(t):
    """An address of 0.0.0.0, without a direction (RFC 2543)."""
    tandem, b, account = t.tandem, t.phone(tone=880), t.account()
    _music_of(t, account[0])
    program = sipp.start(t, "call_holding_old", t.ports(1)[0], account=account, keys={"number": b.user})
    b.ringing()
    b.accept()
    b.wait_heard(MUSIC, seconds=0.5)
    sipp.finish(program).expect_success()
    b.closed()
    call = t.call_record(account[0])
    assert (call["cause"], call["ended_by"]) == ("normal", "caller"), call
    kinds = tandem.records(f"SELECT kind FROM record.event WHERE call_id = '{call['id']}' AND kind IN ('leg-held', 'leg-resumed') ORDER BY at, id")
    assert [event["kind"] for event in kinds] == ["leg-held", "leg-resumed"], kinds
