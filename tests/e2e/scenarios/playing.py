"""What the switch itself says to a caller: files, prompts, tones, hold music; and what is typed meanwhile."""

import os

from harness import audio
from harness.proc import run, wait_until

PLAN = """
local function sound(name) return "{sounds}/" .. name end
local function play(pattern, name)
  extension("internal", pattern, function(call)
    local r = call:play(sound(name))
    call:log("played %.1f s, %d missing", r.seconds, r.missing)
  end)
end

play("7001", "tone.wav")
play("7002", "tone.ulaw")
play("7003", "tone.opus")

extension("internal", "7010", function(call)
  call:play{ sound("tone.wav"), sound("missing.wav"), "no such prompt", sound("other.wav") }
end)

extension("internal", "7011", function(call)
  call:play("call/is-unavailable")
  call:say{ number = 21 }
  call:play(sound("other.wav"))
end)

extension("internal", "7012", function(call)
  call:play(sound("tone.wav"), { loop = true })
end)

extension("internal", "7013", function(call)
  call:tone("busy", 3)
end)

extension("internal", "_72.", function(call)
  call:answer()
  call:dial{ to = call.extension:sub(3) }
end)

extension("internal", "7020", function(call)
  local digits, why = call:gather{ prompt = sound("tone.wav"), max = 4, timeout = 10, interdigit = 10 }
  call:log("gathered %s %s", digits, why)
  call:play(sound("other.wav"))
end)

extension("internal", "7021", function(call)
  call:play(sound("tone.wav"))
  local digits, why = call:gather{ prompt = sound("tone.wav"), max = 3, timeout = 10 }
  call:log("gathered %s %s", digits, why)
  call:play(sound("other.wav"))
end)

extension("internal", "7022", function(call)
  local digits, why, typed = call:gather{ prompt = sound("short.wav"), invalid = sound("other.wav"), max = 1, tries = 2,
                                          valid = { "1", "2" }, timeout = 10 }
  call:log("gathered %s %s %s", digits, why, typed)
end)
"""

TONE, OTHER, MUSIC, RINGING = 600, 1100, 770, 425  # a whole number of TONE's waves fills 20 ms


def _plan(t, **options):
    """A Tandem of its own whose dialplan has these extensions beside the others; the directory of its sounds."""
    sounds = t.directory("sounds")
    directory = t.directory("dialplan")
    for name in os.listdir(t.world.dialplan()):
        if name.endswith(".lua"):
            with open(os.path.join(t.world.dialplan(), name), encoding="utf-8") as f:
                content = f.read()
            with open(os.path.join(directory, name), "w", encoding="utf-8") as f:
                f.write(content + (PLAN.replace("{sounds}", sounds) if name == "init.lua" else ""))
    audio.write_tone(os.path.join(sounds, "tone.wav"), TONE, seconds=3)
    audio.write_tone(os.path.join(sounds, "other.wav"), OTHER, seconds=1)
    audio.write_tone(os.path.join(sounds, "short.wav"), TONE, seconds=0.5)
    t.own_tandem(dialplan=directory, **options)
    return sounds


def _convert(sounds):
    """The same tone as a file of other kinds."""
    with open(os.path.join(sounds, "tone.ulaw"), "wb") as f:
        f.write(audio.ulaw_tone(TONE, level=0.4) * 150)
    wide = audio.write_tone(os.path.join(sounds, "wide.wav"), TONE, seconds=3, rate=16000)
    run(["opusenc", "--quiet", wide, os.path.join(sounds, "tone.opus")])


def callers_hear_sound_files_of_each_kind(t):
    sounds = _plan(t)
    _convert(sounds)
    t.tandem.start()
    a = t.phone()
    for number in ("7001", "7002", "7003"):
        a.dial(number)
        a.established()
        a.closed()
        assert 2.5 <= a.heard_seconds(TONE) <= 3.3, (number, a.heard_seconds(TONE))


def a_wideband_phone_hears_a_narrowband_file(t):
    _plan(t)
    t.tandem.start()
    a = t.phone(codecs="g722")
    a.dial("7001")
    a.established()
    a.closed()
    assert 2.5 <= a.heard_seconds(TONE) <= 3.3, a.heard_seconds(TONE)


def what_cannot_be_played_is_told_and_the_call_goes_on(t):
    _plan(t)
    t.tandem.start()
    a = t.phone()
    a.dial("7010")
    a.established()
    a.closed()
    assert a.heard_seconds(TONE) >= 2.5 and a.heard_seconds(OTHER) >= 0.7, (a.heard_seconds(TONE), a.heard_seconds(OTHER))
    call = t.call_record(a.user)
    assert call["cause"] == "normal", call
    query = f"SELECT detail FROM record.event WHERE call_id = '{call['id']}' AND kind = 'sound-missing'"

    def told():
        rows = t.tandem.records(query)
        return rows if len(rows) == 2 else None
    events = wait_until("two gaps in the events", told)
    words = " | ".join(e["detail"] for e in events)
    assert "missing.wav cannot be opened: No such file" in words and "no such prompt" in words, words


def a_caller_hears_a_recorded_prompt_and_a_number(t):
    _plan(t)
    t.tandem.start()
    a = t.phone()
    a.dial("7011")
    a.established()
    a.closed()
    words = audio.seconds_of_sound(a.heard()) - a.heard_seconds(OTHER)
    assert a.heard_seconds(OTHER) >= 0.7 and words >= 1.0, words
    assert "sound-missing" not in t.tandem.log(), "a prompt is not there"


def who_is_held_hears_music_until_the_call_goes_on(t):
    sounds = _plan(t)
    audio.write_tone(os.path.join(sounds, "music.wav"), MUSIC, seconds=2)
    t.tandem.start()
    t.tandem.sql(f"SELECT tandem.set_music_class('default', '{sounds}/music.wav', 'files')")
    a, b = t.phone(tone=440), t.phone(tone=880, kind="linphone")  # baresip does not play what comes while it is held
    a.dial(b.user)
    b.ringing()
    b.accept()
    a.established()
    b.established()
    b.wait_heard(a.tone, seconds=1)
    a.hold()
    b.wait_heard(MUSIC, seconds=3)
    a.resume()
    since = b.place()
    b.wait_heard(a.tone, seconds=2, since=since)
    assert b.heard_seconds(MUSIC, since=b.place() - 1) == 0, "the music goes on"
    a.hangup()
    b.closed()


def a_connected_caller_hears_ringing_until_somebody_answers(t):
    _plan(t)
    t.tandem.start()
    t.tandem.sql("SELECT tandem.set_setting('country', 'de')")
    a, b = t.pair()
    a.dial("72" + b.user)
    a.established()
    b.ringing()
    a.wait_heard(RINGING, seconds=0.8)
    b.accept()
    b.established()
    a.wait_heard(b.tone, seconds=2)
    since = a.place()
    a.wait_heard(b.tone, seconds=3, since=since)
    assert a.heard_seconds(RINGING, since=since) == 0, "it still rings"
    a.hangup()
    b.closed()


def a_caller_hears_the_busy_tone_of_the_country(t):
    _plan(t)
    t.tandem.start()
    t.tandem.sql("SELECT tandem.set_setting('country', 'de')")
    a = t.phone()
    a.dial("7013")
    a.established()
    a.closed()
    assert 0.9 <= a.heard_seconds(RINGING, since=0) <= 2.0, a.heard_seconds(RINGING)


def _type(phone, keys):
    for key in keys:
        phone.command("sndcode", key, mark=False)


def keys_end_a_prompt_and_make_a_number(t):
    _plan(t)
    t.tandem.start()
    a = t.phone()
    a.dial("7020")
    a.established()
    a.wait_heard(TONE, seconds=0.5)
    _type(a, "42#")
    a.closed()
    assert "gathered 42 complete" in t.tandem.log()
    assert a.heard_seconds(TONE) <= 2.5, "the prompt went on"


def what_is_typed_ahead_answers_the_next_question(t):
    _plan(t)
    t.tandem.start()
    a = t.phone()
    a.dial("7021")
    a.established()
    a.wait_heard(TONE, seconds=0.5)
    _type(a, "123")
    a.closed()
    assert "gathered 123 complete" in t.tandem.log()
    assert 2.5 <= a.heard_seconds(TONE) <= 3.3, "the question was asked although the answer was there"


def a_wrong_key_is_asked_for_again(t):
    _plan(t)
    t.tandem.start()
    a = t.phone()
    a.dial("7022")
    a.established()
    a.wait_heard(TONE, seconds=0.3)
    _type(a, "9")
    a.wait_heard(OTHER, seconds=0.5)
    _type(a, "2")
    a.closed()
    assert "gathered 2 complete 2" in t.tandem.log(), t.tandem.log()[-600:]


def an_operator_plays_a_sound_into_a_call(t):
    sounds = _plan(t)
    t.tandem.start()
    a, b = t.pair()
    a.dial(b.user)
    b.ringing()
    b.accept()
    a.established()
    b.established()
    a.wait_heard(b.tone, seconds=1)
    call = t.tandem.running_call(a.user)["id"]
    assert "2 parties hear it" in t.tandem.cli("play", call, os.path.join(sounds, "other.wav")).stdout
    wait_until("both hear it beside each other", lambda: _beside(a, b.tone) and _beside(b, a.tone), 10, 0.3)
    assert "cannot be opened" in t.tandem.command_fails("play", call, os.path.join(sounds, "none.wav"))
    place = a.place()
    a.wait_heard(b.tone, seconds=1, since=place)
    a.hangup()
    b.closed()


def _beside(phone, tone):
    """Has it heard OTHER and this tone at the same time?"""
    samples, rate = audio.read(phone.heard())
    size = rate // 10
    for at in range(0, len(samples) - size, size):
        part = samples[at:at + size]
        if audio.goertzel(part, rate, OTHER) > 0.2 and audio.goertzel(part, rate, tone) > 0.2:
            return True
    return False


def _open_files(t):
    return tuple(len(os.listdir(f"/proc/{pid}/fd")) for pid in (t.tandem.program.pid, t.tandem.media_pid()))


def who_hangs_up_in_the_middle_leaves_nothing_behind(t):
    _plan(t)
    t.tandem.start()
    a = t.phone()

    def once():
        a.dial("7012")
        a.established()
        a.wait_heard(TONE, seconds=0.5)
        a.hangup()
        t.call_record(a.user)
    once()
    before = _open_files(t)
    for _ in range(4):
        once()
    wait_until("as many open files as before", lambda: _open_files(t) <= before, 10)
