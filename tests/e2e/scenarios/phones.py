"""Phones of two makers, each calling each, over what they may register by: who hears whom, and what the records say."""

import time

from harness.linphone import MUSIC

CALLER, CALLEE = 440, 880  # Hz

UDP, TCP, TLS, IPV6 = {}, {"transport": "tcp"}, {"transport": "tls"}, {"family": 6}
TLS6 = {**TLS, **IPV6}


def _talk(a, b):
    """a calls b, b answers, and each hears the other's tone."""
    a.dial(b.user)
    b.ringing()
    b.accept()
    a.established()
    b.established()
    a.wait_heard(b.tone, seconds=1)
    b.wait_heard(a.tone, seconds=1)


def _conversation(t, caller, callee, ended_by, caller_over=UDP, callee_over=UDP, codec="pcmu"):
    """A whole call between these kinds of phones, and its records."""
    a = t.phone(kind=caller, tone=CALLER, codecs=codec, **caller_over)
    b = t.phone(kind=callee, tone=CALLEE, codecs=codec, **callee_over)
    _talk(a, b)
    for p in (a, b):
        assert p.heard_seconds(p.tone) == 0, f"{p.user} hears itself"
    (a if ended_by == "caller" else b).hangup()
    a.closed()
    b.closed()
    call = t.call_record(a.user)
    assert call["answered"] and call["answered_by"] == b.user and call["sip_status"] == 200, call
    assert (call["cause"], call["ended_by"]) == ("normal", ended_by), call
    for leg, phone in zip(t.leg_records(call), (a, b)):
        assert leg["account"] == phone.user and leg["peer"].startswith(phone.address.rsplit(":", 1)[0]), leg
        assert leg["codec"] == f"{codec.upper()}/8000", leg
        assert (leg["cause"], leg["ended_by"]) == ("normal", ended_by), leg
        assert leg["rx_packets"] >= 40 and leg["tx_packets"] >= 40 and leg["lost_packets"] == 0, leg


def baresip_calls_baresip_over_udp(t):
    _conversation(t, "baresip", "baresip", "caller")


def baresip_calls_linphone_over_udp(t):
    _conversation(t, "baresip", "linphone", "callee", codec="pcma")


def linphone_calls_baresip_over_udp(t):
    _conversation(t, "linphone", "baresip", "callee")


def linphone_calls_linphone_over_udp(t):
    _conversation(t, "linphone", "linphone", "caller", codec="pcma")


def baresip_calls_baresip_over_tls(t):
    _conversation(t, "baresip", "baresip", "caller", TLS, TLS)


def baresip_calls_linphone_over_tls(t):
    _conversation(t, "baresip", "linphone", "callee", TLS, TLS, codec="pcma")


def linphone_calls_baresip_over_tls(t):
    _conversation(t, "linphone", "baresip", "caller", TLS, TLS)


def linphone_calls_linphone_over_tls(t):
    _conversation(t, "linphone", "linphone", "callee", TLS, TLS, codec="pcma")


def baresip_over_tls_calls_linphone_over_udp(t):
    _conversation(t, "baresip", "linphone", "callee", TLS, UDP)


def linphone_over_udp_calls_baresip_over_tls(t):
    _conversation(t, "linphone", "baresip", "callee", UDP, TLS)


def baresip_calls_linphone_over_tls_and_ipv6(t):
    _conversation(t, "baresip", "linphone", "caller", TLS6, TLS6)


def linphone_over_tls_and_ipv6_calls_baresip_over_tcp(t):
    _conversation(t, "linphone", "baresip", "callee", TLS6, TCP)


def baresip_calls_baresip_over_tcp(t):
    _conversation(t, "baresip", "baresip", "callee", TCP, TCP, codec="pcma")


def baresip_calls_linphone_over_tcp(t):
    _conversation(t, "baresip", "linphone", "caller", TCP, TCP)


def linphone_calls_baresip_over_tcp(t):
    _conversation(t, "linphone", "baresip", "caller", TCP, TCP, codec="pcma")


def linphone_calls_linphone_over_tcp(t):
    _conversation(t, "linphone", "linphone", "callee", TCP, TCP)


def baresip_calls_baresip_over_ipv6(t):
    _conversation(t, "baresip", "baresip", "caller", IPV6, IPV6)


def baresip_calls_linphone_over_ipv6(t):
    _conversation(t, "baresip", "linphone", "callee", IPV6, IPV6, codec="pcma")


def linphone_calls_baresip_over_ipv6(t):
    _conversation(t, "linphone", "baresip", "callee", IPV6, IPV6)


def linphone_calls_linphone_over_ipv6(t):
    _conversation(t, "linphone", "linphone", "caller", IPV6, IPV6, codec="pcma")


def a_phone_of_ipv4_calls_one_of_ipv6(t):
    _conversation(t, "baresip", "linphone", "callee", UDP, IPV6)


def a_phone_of_udp_calls_one_of_tcp(t):
    _conversation(t, "linphone", "baresip", "caller", UDP, TCP)


def a_phone_of_ipv6_and_tcp_calls_one_of_ipv4_and_udp(t):
    _conversation(t, "linphone", "linphone", "callee", {**IPV6, **TCP}, UDP)


def _hears_nothing_of(p, tone, since, seconds=1.0):
    """p gets no sound of this tone, from a place on and for so long from now on."""
    time.sleep(seconds)
    heard = p.heard_seconds(tone, since)
    assert heard <= 0.2, f"{p.user} heard {tone} Hz for {heard:.1f} s while the call was on hold"  # what was under way


def _hold_story(t, holder_kind):
    """The caller holds a linphone, whose recording goes on, and resumes."""
    a, b = t.phone(kind=holder_kind, tone=CALLER), t.phone(kind="linphone", tone=CALLEE)
    t.tandem.cli("account", "set", a.user, "--music-class", "none")  # what its phone plays is heard then
    _talk(a, b)
    a.hold()
    b.wait("has been paused by")
    held, waiting = b.place(), a.place()
    if holder_kind == "linphone":
        b.wait_heard(MUSIC, seconds=1, since=held)
    _hears_nothing_of(b, a.tone, held)
    _hears_nothing_of(a, b.tone, waiting, seconds=0)
    a.resume()
    b.wait("Media streams established")
    b.wait_heard(a.tone, seconds=1, since=b.place())
    if holder_kind == "linphone":
        a.wait_heard(b.tone, seconds=1, since=a.place())
    a.hangup()
    b.closed()
    call = t.call_record(a.user)
    assert call["answered"] and (call["cause"], call["ended_by"]) == ("normal", "caller"), call
    for leg in t.leg_records(call):
        assert leg["codec"] == "PCMU/8000" and leg["lost_packets"] == 0, leg


def baresip_holds_linphone_and_resumes(t):
    _hold_story(t, "baresip")


def linphone_holds_linphone_and_resumes(t):
    _hold_story(t, "linphone")


def a_held_baresip_talks_again_after_linphone_resumes(t):
    a, b = t.phone(kind="linphone", tone=CALLER), t.phone(tone=CALLEE)
    _talk(a, b)
    a.hold()
    waiting = a.place()
    _hears_nothing_of(a, b.tone, waiting)
    a.resume()
    a.wait_heard(b.tone, seconds=1, since=waiting)
    b.hangup()
    a.closed()
    call = t.call_record(a.user)
    assert (call["cause"], call["ended_by"]) == ("normal", "callee"), call


def the_callee_may_hold_too(t):
    a, b = t.phone(kind="linphone", tone=CALLER), t.phone(tone=CALLEE)
    t.tandem.cli("account", "set", b.user, "--music-class", "none")  # the other phone is told then
    _talk(a, b)
    b.hold()
    a.wait("has been paused by")
    _hears_nothing_of(a, b.tone, a.place())
    b.resume()
    a.wait("Media streams established")
    a.wait_heard(b.tone, seconds=1, since=a.place())
    a.hangup()
    b.closed()


def a_caller_hears_the_callee_before_it_answers(t):
    a, b = t.phone(kind="linphone", tone=CALLER), t.phone(kind="linphone", tone=CALLEE, early=True)
    a.dial(b.user)
    a.wait_heard(b.tone, seconds=1)
    call = t.tandem.running_call(a.user)
    assert all(leg["state"] == "ringing" for leg in call["legs"]), call
    b.accept()
    a.established()
    b.wait_heard(a.tone, seconds=1)
    a.hangup()
    b.closed()
    record = t.call_record(a.user)
    assert record["answered"] and record["ring_ms"] >= 900, record
