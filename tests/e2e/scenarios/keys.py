"""Keys (DTMF) between real phones: typed in each of the three ways, got in each of the three ways; each key once, in order."""

import os
import re
import time

from harness import audio
from harness.proc import wait_until

KEYS, ASKED = "4711#90*", 600


PLAN = """
extension("internal", "7101", function(call)
  call:play("{sounds}/ask.wav")
  call:log("gathered %s", call:gather{ max = 8, timeout = 30, interdigit = 30, terminator = "" })
end)

extension("internal", "7102", function(call)
  call:sleep(1)
  call:log("pressed: %s", tostring(call:send_keys("4711#90*", { ms = 120 })))
  call:sleep(1)
end)
"""


def _plan(t):
    directory, sounds = t.directory("dialplan"), t.directory("sounds")
    audio.write_tone(os.path.join(sounds, "ask.wav"), ASKED, seconds=1)
    for name in os.listdir(t.world.dialplan()):
        if name.endswith(".lua"):
            with open(os.path.join(t.world.dialplan(), name), encoding="utf-8") as f:
                content = f.read()
            with open(os.path.join(directory, name), "w", encoding="utf-8") as f:
                f.write(content + (PLAN.replace("{sounds}", sounds) if name == "init.lua" else ""))
    t.own_tandem(dialplan=directory)
    t.tandem.start()


def _typist(t, way):
    """A phone whose account and whose own way of sending keys are this."""
    if way == "info":
        a = t.phone(kind="linphone", keys="info")
    elif way == "inband":
        a = t.phone(types=KEYS, speaks=30.0)
    else:
        a = t.phone()
    if way != "rfc4733":
        t.tandem.cli("account", "set", a.user, "--dtmf", way)
    return a


def _type(a, way):
    if way == "info":
        for key in KEYS:
            a.command(key)
            time.sleep(0.3)  # a person's finger
    elif way == "rfc4733":
        for key in KEYS:
            a.command("sndcode", key, mark=False)
            time.sleep(0.3)


def _listener(t, way):
    b = t.phone(tone=880, speaks=30.0)
    if way != "rfc4733":
        t.tandem.cli("account", "set", b.user, "--dtmf", way)
    return b


def _tones(b):
    return audio.keys_in(*audio.read(b.heard()))


def _got(b, way):
    if way == "inband":
        return _tones(b)
    return "".join(e["param"] for e in b.events("CALL_DTMF_START"))


def _keys_go_over(t, typed, got):
    a, b = _typist(t, typed), _listener(t, got)
    a.dial(b.user)
    b.ringing()
    b.accept()
    a.established()
    b.wait_heard(a.tone)
    _type(a, typed)
    wait_until(f"{b.user} to get {len(KEYS)} keys", lambda: len(_got(b, got)) >= len(KEYS), 20, 0.5)
    b.wait_heard(a.tone, seconds=1.5, since=b.place())
    assert _got(b, got) == KEYS, f"{_got(b, got)} instead of {KEYS}"
    if got != "inband":
        assert _tones(b) == "", "the keys are heard as well"
    b.hangup()
    a.closed()
    call = t.call_record(a.user)
    assert call["cause"] == "normal", call
    for text in (t.tandem.cli("why", call["id"]).stdout, str(t.tandem.records("SELECT * FROM record.event"))):
        assert KEYS not in text, "keys are written down"


def keys_in_packets_are_got_in_packets(t):
    _keys_go_over(t, "rfc4733", "rfc4733")


def keys_in_packets_are_got_in_info(t):
    _keys_go_over(t, "rfc4733", "info")


def keys_in_packets_are_got_as_tones(t):
    _keys_go_over(t, "rfc4733", "inband")


def keys_in_info_are_got_in_packets(t):
    _keys_go_over(t, "info", "rfc4733")


def keys_in_info_are_got_in_info(t):
    _keys_go_over(t, "info", "info")


def keys_in_info_are_got_as_tones(t):
    _keys_go_over(t, "info", "inband")


def tones_are_got_in_packets(t):
    _keys_go_over(t, "inband", "rfc4733")


def tones_are_got_in_info(t):
    _keys_go_over(t, "inband", "info")


def tones_are_got_as_tones(t):
    _keys_go_over(t, "inband", "inband")


def phones_whose_keys_count_by_different_clocks_understand_each_other(t):
    a, b = t.phone(codecs="opus/48000/2"), t.phone(tone=880)
    a.dial(b.user)
    b.ringing()
    b.accept()
    a.established()
    b.wait_heard(a.tone)
    for typist, other in ((a, b), (b, a)):
        _type(typist, "rfc4733")
        wait_until(f"{other.user} to get {len(KEYS)} keys", lambda p=other: len(_got(p, "rfc4733")) >= len(KEYS), 20, 0.2)
        assert _got(other, "rfc4733") == KEYS, _got(other, "rfc4733")
    b.hangup()
    a.closed()


def the_dialplan_hears_keys_in_each_way(t):
    _plan(t)
    for way in ("rfc4733", "info", "inband"):
        since = len(t.tandem.log())
        a = _typist(t, way)
        a.dial("7101")
        a.established()
        a.wait_heard(ASKED, seconds=0.5)
        _type(a, way)
        t.tandem.wait_log(rf"gathered {re.escape(KEYS)}", 30, since)  # linphone stands still for seconds at its first key
        a.closed()


def the_dialplan_presses_keys_in_each_way(t):
    _plan(t)
    for way in ("rfc4733", "info", "inband"):
        since = len(t.tandem.log())
        a = _listener(t, way)
        a.dial("7102")
        a.established()
        t.tandem.wait_log("pressed: true", since=since)
        a.closed()
        assert _got(a, way) == KEYS, f"{way}: {_got(a, way)}"
