"""Phones that go away without a word, and calls that last too long: what a person is told, and that nobody is left behind."""

import re
import os
import signal
import time

from harness import audio
from harness.proc import wait_until
from harness.runner import scenario


def _tandem(t, **settings):
    """A switch of its own with these settings."""
    tandem = t.own_tandem()
    for key, value in settings.items():
        tandem.sql(f"SELECT tandem.set_setting('{key}', '{value}')")
    return tandem.start()


def _talk(t):
    """Two phones that hear each other, and the id of their call."""
    a, b = t.pair()
    for phone in (a, b):  # baresip hangs up when its file ends
        audio.write_tone(os.path.join(phone.home, "tone.wav"), phone.tone, seconds=90)
    a.dial(b.user)
    b.ringing()
    b.accept()
    a.established()
    a.wait_heard(b.tone, seconds=0.5)
    b.wait_heard(a.tone, seconds=0.5)
    return a, b, t.tandem.running_call(a.user)["id"]


def _hold(t, phone, call):
    """Puts the call on hold; it is when this returns."""
    phone.command("hold")
    t.tandem.wait_record(f"SELECT 1 AS yes FROM record.event WHERE call_id = '{call}' AND kind = 'leg-held'", "the hold")


def _events(tandem, call, kind):
    return tandem.records(f"SELECT detail FROM record.event WHERE call_id = '{call}' AND kind = '{kind}' ORDER BY at, id")


@scenario(seconds=90)
def a_phone_that_falls_silent_is_told_of_and_a_dead_one_ends_the_call(t):
    tandem = _tandem(t, silence_event=2, silence_hangup=5)
    a, b, call = _talk(t)
    b.program.signal(signal.SIGSTOP)
    wait_until("the event", lambda: _events(tandem, call, "leg-silent"), 10, 0.2)
    assert _events(tandem, call, "leg-silent")[0]["detail"] == f"one-way audio: nothing from {b.user}'s phone for 2 s"
    assert f"one-way audio: nothing from {b.user}'s phone" in tandem.cli("call", call).stdout
    assert f"no audio from {b.user}" in tandem.cli("calls").stdout
    b.program.signal(signal.SIGCONT)
    wait_until("the audio to be back", lambda: _events(tandem, call, "leg-heard"), 10, 0.2)
    assert "is back after" in _events(tandem, call, "leg-heard")[0]["detail"]
    a.mark()
    frozen = time.monotonic()
    b.program.signal(signal.SIGSTOP)
    a.closed()
    assert 4 < time.monotonic() - frozen < 10, f"the call ended after {time.monotonic() - frozen:.1f} s"
    record = t.call_record(a.user)
    assert (record["cause"], record["ended_by"]) == ("media-timeout", "switch"), record
    row = tandem.wait_record(f"SELECT * FROM tandem.v_call WHERE id = '{call}' AND ended_at IS NOT NULL", "the row")
    assert row["result"] == "answered" and "no sound" in row["why"], row
    assert f"nothing arrived from {b.user} for 5 s" in row["why"], row
    words = tandem.cli("call", call).stdout
    assert "no sound and no other sign of life" in words and "What to do:" in words, words
    b.program.signal(signal.SIGCONT)
    b.closed(40)  # the BYE has waited for it


@scenario(seconds=90)
def a_held_call_is_not_cut_for_its_silence(t):
    tandem = _tandem(t, silence_event=1, silence_hangup=3)
    a, b, call = _talk(t)
    _hold(t, a, call)
    b.program.signal(signal.SIGSTOP)
    time.sleep(6)
    b.program.signal(signal.SIGCONT)
    assert tandem.running_call(a.user), "a held call was cut off"
    assert not _events(tandem, call, "leg-silent"), _events(tandem, call, "leg-silent")
    a.command("resume")
    tandem.wait_record(f"SELECT 1 AS yes FROM record.event WHERE call_id = '{call}' AND kind = 'leg-resumed'", "the end of it")
    time.sleep(5)  # sound is due again, and comes
    assert tandem.running_call(a.user), "the call did not outlive the end of the hold"
    assert not _events(tandem, call, "leg-silent"), _events(tandem, call, "leg-silent")
    a.hangup()
    b.closed()
    assert t.call_record(a.user)["cause"] == "normal"


@scenario(seconds=120)
def a_phone_without_power_ends_its_call_also_on_hold(t):
    _tandem(t, keepalive=2)
    a, b, call = _talk(t)
    _hold(t, a, call)
    b.kill()
    a.mark()
    a.closed(60)  # the phone has 32 s to answer
    record = t.call_record(a.user)
    assert (record["cause"], record["ended_by"]) == ("connection-lost", "switch"), record


@scenario(seconds=60)
def the_longest_call_of_an_account_ends_for_both(t):
    tandem = _tandem(t)
    a, b = t.pair()
    tandem.sql(f"UPDATE config.account SET max_call = 3 WHERE name = '{a.user}'")
    wait_until("the limit to be in force", lambda: tandem.json("run", "account.show", f"name={a.user}").get("max_call") == 3)
    words = tandem.cli("account", "show", a.user).stdout
    assert re.search(r"longest call +3", words) and re.search(r"session timers +as the switch", words), words
    a.dial(b.user)
    b.ringing()
    b.accept()
    a.established()
    a.closed()
    b.closed()
    record = t.call_record(a.user)
    assert (record["cause"], record["ended_by"]) == ("call-limit", "switch"), record
    assert f"3 s, the limit of account {a.user}" in record["cause_text"], record
    assert 2900 <= record["talk_ms"] <= 5000, record
