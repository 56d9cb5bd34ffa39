"""How calls are to listen to: bad lines and one-way audio, as the records, `tandem call` and `tandem why` tell of them."""

import os
import re

from harness import audio
from harness.proc import wait_until
from harness.runner import scenario

PBX, WEST, EAST = "203.0.113.10", "203.0.113.21", "203.0.113.22"


def _talk(t, **settings):
    """Two phones on lines of their own that hear each other, where the second one is, and the id of their call."""
    internet = t.internet()
    tandem = t.own_tandem(inside=internet.host("pbx", PBX))
    for key, value in settings.items():
        tandem.sql(f"SELECT tandem.set_setting('{key}', '{value}')")
    tandem.start()
    there = internet.host("east", EAST)
    a = t.phone(inside=internet.host("west", WEST), tone=440)
    b = t.phone(inside=there, tone=880)
    for phone in (a, b):  # baresip hangs up when its file ends
        audio.write_tone(os.path.join(phone.home, "tone.wav"), phone.tone, seconds=90)
    a.dial(b.user)
    b.ringing()
    b.accept()
    a.established()
    a.wait_heard(b.tone, seconds=0.5)
    b.wait_heard(a.tone, seconds=0.5)
    return a, b, there, tandem.running_call(a.user)["id"]


def _events(tandem, call, kind):
    return [row["detail"] for row in tandem.records(
        f"SELECT detail FROM record.event WHERE call_id = '{call}' AND kind = '{kind}' ORDER BY at, id")]


def _legs(tandem, call):
    """party → its row"""
    tandem.wait_record(f"SELECT 1 AS yes FROM record.leg WHERE call_id = '{call}' HAVING count(*) = 2", "both legs")
    return {row["party"]: row for row in tandem.records(f"SELECT * FROM tandem.v_leg WHERE call_id = '{call}'")}


@scenario(seconds=150)
def a_bad_line_is_told_of_while_it_lasts_and_stands_in_the_record(t):
    a, b, line, call = _talk(t)
    tandem = t.tandem
    line.lose(3)
    wait_until("the event", lambda: _events(tandem, call, "leg-poor"), 40, 0.5)
    words = _events(tandem, call, "leg-poor")[0]
    assert re.fullmatch(rf"poor audio from {b.user}'s phone: 3\d % of packets are lost", words), words
    live = tandem.cli("call", call).stdout
    assert words in live, live
    theirs, = re.findall(rf"(?m)^Audio of {b.user}: .*", live)
    assert re.search(r"sounds [12]\.\d of 5", theirs), theirs
    wait_until("the way there and back",  # his phone has to answer a report of hers
               lambda: re.search(rf"(?m)^Audio of {b.user}: .*\d ms there and back", tandem.cli("call", call).stdout), 30, 0.5)
    ours, = re.findall(rf"(?m)^Audio of {a.user}: .*", live)
    assert re.search(r"sounds 4\.\d of 5", ours), ours
    assert f"poor audio from {b.user}" in tandem.cli("calls").stdout
    assert "poor audio: 1" in tandem.cli("status").stdout
    why = " ".join(tandem.cli("why", call).stdout.split())
    assert words in why and "Wi-Fi" in why, why
    line.lose(0)
    wait_until("the end of it", lambda: _events(tandem, call, "leg-clear"), 40, 0.5)
    assert f"audio from {b.user}'s phone is good again" in _events(tandem, call, "leg-clear")[0]
    a.hangup()
    b.closed()
    legs = _legs(tandem, call)
    bad, good = legs[b.user], legs[a.user]
    assert 5 < float(bad["lost_percent"]) < 34 and float(good["lost_percent"]) < 1, legs
    assert 1 <= float(bad["mos_in"]) < 4.2 <= float(good["mos_in"]) <= 4.41, legs
    # her phone says what she heard: his line, too
    assert 5 < float(good["lost_out_percent"]) < 34 and float(bad["lost_out_percent"]) < 1, legs
    assert float(good["mos_out"]) < 4.2 <= float(bad["mos_out"]), legs
    assert all(0 <= int(row["rtt_ms"]) < 500 for row in legs.values()), legs
    events = _events(tandem, call, "leg-poor")
    assert not [words for words in events if a.user in words], f"her line is not to blame: {events}"


@scenario(seconds=120)
def a_phone_whose_audio_is_kept_away_is_one_way_audio(t):
    a, b, line, call = _talk(t, silence_event=3)
    tandem = t.tandem
    line.lose(1)
    wait_until("the event", lambda: _events(tandem, call, "leg-silent"), 20, 0.3)
    words, = _events(tandem, call, "leg-silent")
    assert words == f"one-way audio: nothing from {b.user}'s phone for 3 s", words
    assert words in tandem.cli("call", call).stdout
    why = " ".join(tandem.cli("why", call).stdout.split())
    assert f"No audio arrived from the phone of {b.user}" in why, why
    b.wait_heard(a.tone, seconds=1)  # the other way goes on
    line.lose(0)
    wait_until("the audio to be back", lambda: _events(tandem, call, "leg-heard"), 20, 0.3)
    a.hangup()
    b.closed()
    assert t.call_record(a.user)["cause"] == "normal"
