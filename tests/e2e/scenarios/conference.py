"""Conferences: who hears whom, and what moderators and operators do to them."""

import itertools
import os
import re

from harness import audio, proc, sipp
from harness.runner import scenario

ROOMS = itertools.count(100)
SHARE = 0.25  # of a sum of two tones, one of them has about half


def _room():
    return str(next(ROOMS))


def _seconds(phone, tone, since):
    path = phone.heard()
    return audio.seconds_of_tone(path, tone, share=SHARE, since=since) if path else 0.0


def _hears(phone, *others, seconds=1.0, since=0.0):
    for other in others:
        try:
            proc.wait_until("the tone", lambda: _seconds(phone, other.tone, since) >= seconds, 15, 0.25)
        except proc.Failed:
            raise proc.Failed(f"{phone.user} should hear {other.tone} Hz of {other.user} for {seconds} s: "
                              f"{_seconds(phone, other.tone, since):.1f} s of {audio.duration(phone.heard()) - since:.1f} s") from None


def _hears_not(phone, other, since):
    """Judged on what it heard from a place on, when it is known that it heard something else there."""
    heard = _seconds(phone, other.tone, since)
    assert heard < 0.3, f"{phone.user} heard {other.tone} Hz of {other.user} for {heard:.1f} s"


def _join(room, *phones):
    for phone in phones:
        phone.dial(f"*3{room}")
        phone.established()


def _members(t, room):
    found = t.tandem.json("conferences", room)["conferences"]
    return found[0]["members"] if found else []


def _phone(t, **options):
    return t.phone(speaks=40.0, **options)


def _three(t, room, codecs=("pcmu", "pcmu", "pcmu")):
    phones = [_phone(t, tone=tone, codecs=codec) for tone, codec in zip((440, 700, 1100), codecs)]
    _join(room, *phones)
    return phones


def three_phones_hear_the_two_others_and_not_themselves(t):
    room = _room()
    a, b, c = _three(t, room)
    _hears(a, b, c)
    _hears(b, a, c)
    _hears(c, a, b)
    for phone in (a, b, c):
        _hears_not(phone, phone, 0)
    assert [m["party"] for m in _members(t, room)] == [a.user, b.user, c.user]
    proc.wait_until("all to be seen talking", lambda: all(m["talking"] for m in _members(t, room)), 10)
    a.hangup()
    a.closed()
    place = b.place()
    _hears(b, c, since=place + 0.5)
    _hears_not(b, a, place + 0.5)
    for phone in (b, c):
        phone.hangup()
        phone.closed()
    proc.wait_until("the room to be gone", lambda: not _members(t, room), 5)
    call = t.call_record(a.user)
    assert call["cause"] == "normal", call
    events = t.tandem.records(f"SELECT kind, detail FROM record.event WHERE call_id = '{call['id']}' ORDER BY at")
    said = [e["detail"] for e in events if e["kind"].startswith("conference")]
    assert said[0] == f"conference {room}: joined as member 1" and "hung up" in said[-1], said


def phones_with_three_codecs_hear_each_other(t):
    room = _room()
    a, b, c = _three(t, room, ("opus/48000/2", "g722/16000/1", "pcma"))
    _hears(a, b, c)
    _hears(b, a, c)
    _hears(c, a, b)
    for phone in (a, b, c):
        _hears_not(phone, phone, 0)
    codecs = [m["codec"] for m in _members(t, room)]
    assert [c.split("/")[0].lower() for c in codecs] == ["opus", "g722", "pcma"], codecs


def who_is_muted_is_not_heard_until_he_is_unmuted(t):
    room = _room()
    a, b, c = _three(t, room)
    _hears(b, a, c)
    t.tandem.cli("conference", room, "mute", a.user)
    place = b.place() + 1
    _hears(b, c, seconds=2, since=place)
    _hears_not(b, a, place)
    assert [m["muted"] for m in _members(t, room)] == [True, False, False]
    place = a.place()
    _hears(a, b, c, since=place)  # he hears on
    t.tandem.cli("conference", room, "unmute", "1")
    place = b.place()
    _hears(b, a, since=place)
    assert "There is no member" in t.tandem.command_fails("conference", room, "mute", "17")


def who_is_put_out_is_gone_and_his_call_ends_as_the_dialplan_says(t):
    room = _room()
    a, b, c = _three(t, room)
    _hears(a, b, c)
    t.tandem.cli("conference", room, "kick", b.user)
    b.closed()
    place = a.place() + 0.5
    _hears(a, c, since=place)
    _hears_not(a, b, place)
    call = t.call_record(b.user)
    for command in ("call", "why"):
        said = t.tandem.cli(command, call["id"]).stdout
        assert "was put out by operator" in said, said


def nobody_gets_into_a_locked_room(t):
    room = _room()
    a, b, c = _phone(t, tone=440), _phone(t, tone=700), _phone(t, tone=1100)
    _join(room, a, b)
    t.tandem.cli("conference", room, "lock")
    c.dial(f"*3{room}")
    c.closed(timeout=30)
    assert len(_members(t, room)) == 2
    assert "locked" in t.tandem.cli("conferences").stdout
    t.tandem.cli("conference", room, "unlock")
    _join(room, c)
    _hears(c, a, b)


def a_room_that_was_set_up_has_its_limit(t):
    room = _room()
    t.tandem.cli("room", "add", room, "--max", "2", "--note", "for two")
    assert "for two" in t.tandem.cli("room", "list").stdout
    a, b, c = _phone(t, tone=440), _phone(t, tone=700), _phone(t, tone=1100)
    _join(room, a, b)
    c.dial(f"*3{room}")
    c.closed(timeout=30)
    assert len(_members(t, room)) == 2
    t.tandem.cli("room", "set", room, "--max", "3")
    _join(room, c)
    _hears(c, a, b)
    assert "same PIN" in t.tandem.command_fails("room", "set", room, "--pin", "1234", "--moderator-pin", "1234")
    assert "cannot come" in t.tandem.command_fails("room", "set", room, "--wait", "yes")
    t.tandem.cli("room", "del", room)
    assert len(_members(t, room)) == 3


def who_holds_is_not_heard(t):
    room = _room()
    a, b = t.phone(tone=440, kind="linphone"), _phone(t, tone=700)
    c = _phone(t, tone=1100)
    _join(room, a, b, c)
    _hears(b, a, c)
    a.hold()
    proc.wait_until("the hold to be seen", lambda: _members(t, room)[0]["held"], 10)
    place = b.place() + 0.5
    _hears(b, c, seconds=2, since=place)
    _hears_not(b, a, place)
    a.resume()
    place = b.place()
    _hears(b, a, since=place)


def keys_mute_and_leave(t):
    room = _room()
    a, b, c = _three(t, room)
    _hears(b, a, c)
    a.command("sndcode", "*1", mark=False)
    proc.wait_until("the key to mute", lambda: _members(t, room)[0]["muted"], 10)
    place = b.place() + 1
    _hears(b, c, since=place)
    _hears_not(b, a, place)
    a.command("sndcode", "*1", mark=False)
    proc.wait_until("the key to unmute", lambda: not _members(t, room)[0]["muted"], 10)
    _hears(b, a, since=b.place())
    a.command("sndcode", "*0", mark=False)
    a.closed()
    assert [m["party"] for m in _members(t, room)] == [b.user, c.user]
    call = t.call_record(a.user)
    assert "muted by" in t.tandem.cli("call", call["id"]).stdout


def _resident(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


@scenario(seconds=120)
def two_hundred_who_come_and_go_leave_nothing_behind(t):
    tandem = t.own_tandem(media_ports=1200)
    tandem.start()
    room = _room()
    a, b = _phone(t, tone=440), _phone(t, tone=700)
    _join(room, a, b)
    def visit(count):
        sipp.run(t, "call", t.ports(1)[0], account=t.account(), keys={"number": f"*3{room}"}, calls=count, rate=20,
                 parts={"talk": "400"}, seconds=60).expect_success()
        proc.wait_until("the two to be alone again", lambda: len(_members(t, room)) == 2, 20)
        proc.wait_until("the ports to be given back", lambda: tandem.json("status")["media"]["ports_used"] == 2, 20)
    visit(100)
    before = _resident(tandem.media_pid())
    visit(200)
    after = _resident(tandem.media_pid())
    assert after < before + 512 or t.world.sanitized, f"KiB of the media process before {before}, after {after}"
    live = tandem.json("refs")["live"]
    assert live["call"] == 2 and live["leg"] == 2, live
    place = a.place()
    _hears(a, b, since=place)


def _type(phone, keys):
    for key in keys:
        phone.command("sndcode", key, mark=False)


def a_pin_is_asked_for_and_a_moderators_makes_one(t):
    room = _room()
    t.tandem.cli("room", "add", room, "--pin", "4711", "--moderator-pin", "99")
    a, b = _phone(t, tone=440), _phone(t, tone=700)
    for phone, pin in ((a, "4711"), (b, "99#")):
        phone.dial(f"*3{room}")
        phone.established()
        _type(phone, pin)
    proc.wait_until("both to be in", lambda: [m["moderator"] for m in _members(t, room)] in ([False, True], [True, False]), 20)
    assert {m["party"]: m["moderator"] for m in _members(t, room)} == {a.user: False, b.user: True}
    _hears(a, b)
    _hears(b, a)
    b.command("sndcode", "*3", mark=False)
    a.closed()
    t.tandem.cli("room", "del", room)


@scenario(seconds=120)
def a_wrong_pin_three_times_is_the_end(t):
    room = _room()
    t.tandem.cli("room", "add", room, "--pin", "4711")
    a = _phone(t, tone=440)
    a.dial(f"*3{room}")
    a.established()
    _type(a, "1#2#3#")
    a.closed(timeout=80)  # a key that got lost is waited for
    assert not _members(t, room)
    call = t.call_record(a.user)
    assert call["cause"] == "normal" and call["ended_by"] == "script", call
    t.tandem.cli("room", "del", room)


def nobody_hears_anybody_before_the_moderator_is_there(t):
    room = _room()
    t.tandem.cli("room", "add", room, "--moderator-pin", "99", "--pin", "11", "--wait", "yes")
    a, b, c = _phone(t, tone=440), _phone(t, tone=700), _phone(t, tone=1100)
    for phone in (a, b):
        phone.dial(f"*3{room}")
        phone.established()
        _type(phone, "11")
    proc.wait_until("both to wait", lambda: [m["waiting"] for m in _members(t, room)] == [True, True], 20)
    proc.wait_until("two more seconds of a's recording", lambda: a.place() > 2, 20)
    _hears_not(a, b, 0)
    c.dial(f"*3{room}")
    c.established()
    _type(c, "99")
    _hears(a, b, c)
    _hears(b, a, c)
    t.tandem.cli("room", "del", room)


@scenario(seconds=90)
def a_conference_goes_on_when_the_switch_is_killed(t):
    tandem = t.own_tandem()
    tandem.start()
    room = _room()
    a, b = _phone(t, tone=440), _phone(t, tone=700)
    _join(room, a, b)
    _hears(a, b)
    tandem.kill()
    place = a.place()
    _hears(a, b, seconds=2, since=place)
    tandem.start()
    place = a.place()
    _hears(a, b, seconds=2, since=place)
    assert not _members(t, room)  # the new switch has not seen them come


@scenario(seconds=90)
def who_is_alone_hears_music_until_somebody_comes(t):
    tandem = t.own_tandem()
    tandem.start()
    sounds = t.directory("music")
    audio.write_tone(os.path.join(sounds, "music.wav"), 1500, seconds=2)
    tandem.sql(f"SELECT tandem.set_music_class('default', '{sounds}/music.wav', 'files')")
    room = _room()
    a, b = _phone(t, tone=440), _phone(t, tone=700)
    _join(room, a)
    a.wait_heard(1500, seconds=2, timeout=20)
    _join(room, b)
    _hears(a, b)
    place = a.place()
    _hears(a, b, since=place)
    assert a.heard_seconds(1500, since=place) == 0, "the music goes on"
    b.hangup()
    a.wait_heard(1500, seconds=1, timeout=20, since=a.place())
