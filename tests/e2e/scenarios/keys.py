"""Keys (DTMF) between real phones: typed in each of the three ways, got in each of the three ways; each key once, in order."""

import time

from harness import audio
from harness.proc import wait_until

KEYS = "4711#90*"


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
