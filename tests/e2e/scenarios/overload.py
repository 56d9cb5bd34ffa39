"""A switch that has more to do than it can: who is turned away, what users notice, and how soon it is over."""

import time

from harness.proc import wait_until


def _set(tandem, key, value):
    tandem.cli("setting", "set", key, value)


def _loaded(tandem, above):
    wait_until("the switch to notice", lambda: (tandem.json("status")["load"]["percent"] >= 100) == above, 10, 0.2)


def above_its_memory_new_calls_get_503_and_running_ones_go_on(t):
    tandem = t.own_tandem()
    tandem.start()
    a, b = t.pair()
    a.dial(b.user)
    b.ringing()
    b.accept()
    a.wait_heard(b.tone, seconds=1)
    stranger, user = t.endpoint(), t.endpoint()
    assert user.register().status == 200
    _set(tandem, "max_memory", "1")
    _loaded(tandem, True)
    # From this address somebody has authenticated, so all here are users: registrations and calls are refused all the same.
    assert stranger.register().status == 503
    refused = user.invite(b.user)
    assert refused.status == 503 and int(refused.get("retry-after")) >= 5, refused
    words = " ".join(tandem.cli("status").stdout.split())
    assert "load too high" in words and "memory at" in words and "requests refused" in words, words
    # A call for help goes through to the dialplan, which knows no such number here.
    assert user.invite("112").status != 503
    # The running call is what it was: heard, and ended by either side.
    heard = b.heard_seconds(a.tone)
    b.wait_heard(a.tone, seconds=heard + 1)
    a.hangup()
    b.closed()
    record = t.call_record(a.user)
    assert record["cause"] == "normal", record
    # And soon over.
    _set(tandem, "max_memory", "0")
    began = time.monotonic()
    wait_until("a registration", lambda: user.register().status == 200, 10, 0.3)
    wait_until("the end to be told", lambda: "load fine" in " ".join(tandem.cli("status").stdout.split()), 10, 0.3)
    assert time.monotonic() - began < 10
    tandem.wait_log("overload is over: ")


def emergency_numbers_are_a_setting_that_is_checked(t):
    words = t.tandem.command_fails("setting", "set", "emergency_numbers", "one one two")
    assert "needs one to ten numbers" in words, words
    words = t.tandem.command_fails("setting", "set", "max_memory", "-3")
    assert "a number of MiB" in words, words
    # What was checked before is checked as before.
    for key, value, part in (("silence_event", "3601", "from 0 to 3600"), ("session_expires", "89", "from 90 to"),
                             ("session_timers", "maybe", "on, accept or off"), ("script_fallback", "x", "account:NAME"),
                             ("max_call", "abc", "a number of seconds")):
        words = t.tandem.command_fails("setting", "set", key, value)
        assert part in words, (key, words)
