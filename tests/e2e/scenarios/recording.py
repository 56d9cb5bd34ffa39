"""Recordings, as who made them hears them: whose voice is where, what is left out, and what is left when something dies."""

import array
import os
import re
import signal
import sys
import wave

from harness import audio, proc
from harness.proc import run, wait_until
from harness.runner import scenario

LEFT, RIGHT = 440, 880


# --- help ---

def _talk(t, a, b):
    a.dial(b.user)
    b.ringing()
    b.accept()
    a.established()
    a.wait_heard(b.tone)
    b.wait_heard(a.tone)
    return t.tandem.running_call(a.user)["id"]


def _record(t, call, *options):
    """Starts it; where the file is while it goes on, and how it will be called."""
    words = t.tandem.cli("record", call, *options).stdout
    path = re.search(r"recorded in (/.*)$", words, re.M).group(1)
    assert os.path.exists(path + ".part") and not os.path.exists(path), words
    return path


def _complete(path, timeout=15):
    wait_until(f"{path} to be complete", lambda: os.path.exists(path), timeout, 0.1)
    assert not os.path.exists(path + ".part")
    return path


def _hangup(a, b):
    a.hangup()
    b.closed()


def _channels(path):
    """(rate, [samples of each channel]) of any recording, decoded by programs of others."""
    if path.endswith(".opus"):
        run(["opusdec", "--quiet", "--rate", "16000", path, path + ".wav"])
    else:
        run(["sox", path, "-e", "signed-integer", "-b", "16", path + ".wav"])
    with wave.open(path + ".wav") as f:
        samples = array.array("h", f.readframes(f.getnframes()))
        if sys.byteorder == "big":
            samples.byteswap()
        os.unlink(path + ".wav")
        return f.getframerate(), [samples[i::f.getnchannels()] for i in range(f.getnchannels())]


def _has(samples, rate, *tones, seconds=1.0, foreign=()):
    """These tones at once, for so long, and none of the others."""
    for tone in tones:
        got = audio.tone_in(samples, rate, tone, share=0.8 / len(tones) - 0.1)
        assert got >= seconds, f"{tone} Hz for {got:.1f} s in {len(samples) / rate:.1f} s"
    for tone in foreign:
        assert audio.tone_in(samples, rate, tone, share=0.2) <= 0.2, f"{tone} Hz is there, too"


def _seconds(path):
    rate, channels = _channels(path)
    return len(channels[0]) / rate


def _grows(path, by=20000):
    """There is so much more in it than when this was asked."""
    size = os.path.getsize(path + ".part")
    wait_until("more of the recording", lambda: os.path.getsize(path + ".part") >= size + by, 20, 0.1)


def _row(t, path, why):
    def row():
        rows = t.tandem.sql("SELECT kind, channels, ms, bytes, ended_why, call_id FROM record.recording "
                            f"WHERE path = '{path}' AND ended_why IS NOT NULL")
        return rows and rows[0]
    kind, channels, ms, size, ended, call = wait_until("the recording's row", row, 15, 0.2)
    assert ended == why, ended
    assert int(size) == os.path.getsize(path), (size, os.path.getsize(path))
    return kind, int(channels), int(ms) / 1000, call


def _events(t, call):
    def words():
        rows = t.tandem.sql(f"SELECT kind, detail FROM record.event WHERE call_id = '{call}' AND kind IN ('recording', 'recorded') ORDER BY at")
        return rows if any(kind == "recorded" for kind, _ in rows) else None
    return wait_until("the events of the recording", words, 15, 0.2)


# --- who is heard where ---

def in_stereo_the_caller_is_left_and_what_he_hears_is_right(t):
    a, b = t.phone(tone=LEFT), t.phone(tone=RIGHT)
    call = _talk(t, a, b)
    path = _record(t, call, "--stereo")
    assert "recorded" in t.tandem.cli("calls").stdout
    _grows(path, 60000)
    _hangup(a, b)
    rate, (left, right) = _channels(_complete(path))
    _has(left, rate, LEFT, foreign=[RIGHT])
    _has(right, rate, RIGHT, foreign=[LEFT])
    kind, channels, seconds, of = _row(t, path, "hangup")
    assert (kind, channels, of) == ("stereo", 2, call)
    assert abs(seconds - len(left) / rate) < 0.05, seconds
    assert os.stat(path).st_mode & 0o777 == 0o640 and re.search(r"/\d{4}/\d\d/\d\d/\d{6}-" + call + r"\.wav$", path), path
    (_, began), (_, ended) = _events(t, call)
    assert "stereo" in began and path in ended, (began, ended)
    assert path in t.tandem.cli("call", call).stdout
    assert path in str(t.tandem.sql("SELECT path, length, why FROM tandem.v_recording"))


def mixed_has_both_and_one_leg_has_one(t):
    a, b = t.phone(tone=LEFT), t.phone(tone=RIGHT)
    call = _talk(t, a, b)
    mixed, leg = _record(t, call), _record(t, call, "--leg", "--format", "alaw", "--file", "desk/anna")
    assert leg.endswith("/recordings/desk/anna.wav"), leg
    _grows(leg)
    t.tandem.cli("record", call, "--stop")
    rate, (both,) = _channels(_complete(mixed))
    _has(both, rate, LEFT, RIGHT)
    rate, (one,) = _channels(_complete(leg))
    _has(one, rate, LEFT, foreign=[RIGHT])
    assert "not being recorded" in t.tandem.command_fails("record", call, "--stop")
    assert _row(t, leg, "stopped")[0] == "leg" and _row(t, mixed, "stopped")[0] == "both"
    again = _record(t, call, "--file", "desk/anna")  # nothing is written over
    assert again.endswith("/desk/anna-2.wav"), again
    place = a.place()
    a.wait_heard(b.tone, since=place)
    _hangup(a, b)
    _complete(again)


def opus_in_ogg_is_decoded_by_others(t):
    a, b = t.phone(tone=LEFT), t.phone(tone=RIGHT)
    call = _talk(t, a, b)
    path = _record(t, call, "--stereo", "--format", "opus")
    _grows(path, 12000)
    _hangup(a, b)
    rate, (left, right) = _channels(_complete(path))
    _has(left, rate, LEFT, foreign=[RIGHT])
    _has(right, rate, RIGHT, foreign=[LEFT])
    assert abs(_row(t, path, "hangup")[2] - len(left) / rate) < 0.05


def a_wideband_call_is_recorded_as_wide_as_it_is(t):
    a, b = (t.phone(tone=tone, codecs="opus/48000/2") for tone in (LEFT, RIGHT))
    call = _talk(t, a, b)
    path = _record(t, call, "--stereo")
    _grows(path, 120000)
    _hangup(a, b)
    rate, (left, right) = _channels(_complete(path))
    assert rate == 16000
    _has(left, rate, LEFT, foreign=[RIGHT])
    _has(right, rate, RIGHT, foreign=[LEFT])


def _different(t, caller, callee, rate_of_caller):
    a, b = t.phone(tone=LEFT, codecs=caller), t.phone(tone=RIGHT, codecs=callee)
    call = _talk(t, a, b)
    path = _record(t, call, "--stereo")
    _grows(path, 120000)
    _hangup(a, b)
    rate, (left, right) = _channels(_complete(path))
    assert rate == rate_of_caller, rate
    _has(left, rate, LEFT, foreign=[RIGHT])
    _has(right, rate, RIGHT, foreign=[LEFT])


def a_wideband_caller_of_a_narrowband_phone_is_recorded_with_both(t):
    _different(t, "opus/48000/2", "pcmu", 16000)


def a_narrowband_caller_of_a_wideband_phone_is_recorded_with_both(t):
    _different(t, "pcma", "opus/48000/2", 8000)


def an_encrypted_call_is_recorded_in_the_clear(t):
    a, b = (t.phone(tone=tone, transport="tls", encryption="srtp-mand") for tone in (LEFT, RIGHT))
    call = _talk(t, a, b)
    path = _record(t, call, "--stereo")
    _grows(path, 60000)
    _hangup(a, b)
    rate, (left, right) = _channels(_complete(path))
    _has(left, rate, LEFT, foreign=[RIGHT])
    _has(right, rate, RIGHT, foreign=[LEFT])


def what_is_said_in_a_pause_is_left_out(t):
    a, b = t.phone(tone=LEFT), t.phone(tone=RIGHT)
    call = _talk(t, a, b)
    path = _record(t, call, "--leg")
    _grows(path)
    t.tandem.cli("record", call, "--pause")
    place = b.place()
    b.wait_heard(a.tone, seconds=3, since=place)
    size = os.path.getsize(path + ".part")
    t.tandem.cli("record", call, "--resume")
    _grows(path)
    _hangup(a, b)
    _complete(path)
    said = [detail for kind, detail in _events(t, call)]
    assert "pauses" in said[1] and "goes on" in said[2], said
    assert os.path.getsize(path) - size < 16000 * 10  # nobody waited longer than that
    recorded = _seconds(path)
    began, ended = t.tandem.sql(f"SELECT extract(epoch FROM min(at)), extract(epoch FROM max(at)) FROM record.event "
                                f"WHERE call_id = '{call}' AND kind IN ('recording', 'recorded')")[0]
    assert float(ended) - float(began) - recorded > 2.5, (began, ended, recorded)


def a_second_answer_goes_into_the_same_recording(t):
    """Held and taken back: the leg's recording goes on, with silence between."""
    a, b = t.phone(tone=LEFT, kind="linphone"), t.phone(tone=RIGHT, kind="linphone")
    call = _talk(t, a, b)
    path = _record(t, call, "--stereo")
    _grows(path)
    a.hold()
    a.resume()
    place = b.place()
    b.wait_heard(a.tone, since=place)
    _hangup(a, b)
    rate, (left, right) = _channels(_complete(path))
    _has(left, rate, LEFT, foreign=[RIGHT])
    _has(right, rate, RIGHT, foreign=[LEFT])


# --- the dialplan ---

LUA = r"""
extension("internal", "70", function(call)
  local r = call:record{ file = "box/message", beep = true, silence = 2, max = 20 }
  call:log("%s %.1f %s", r.file, r.seconds, r.why)
end)
extension("internal", "71", function(call)
  local r = call:record{ format = "opus", max = 2 }
  call:log("%s %.1f %s", r.file, r.seconds, r.why)
end)
extension("internal", "72", function(call)
  local ok, why = pcall(call.record, call, { file = "../../etc/passwd" })
  call:log("%s", why)
  ok, why = pcall(call.record_start, call, { terminator = "#" })
  call:log("%s", why)
  call:hangup("busy")
end)
extension("internal", "74", function(call)
  local r = call:record{ terminator = "#*", max = 30 }
  call:log("%s %.1f %s", r.file, r.seconds, r.why)
end)
extension("internal", "_73XXX", function(call)
  call:record_start{ what = "stereo", file = "sales/" .. call.from }
  call:dial{ to = call.extension:sub(3), timeout = 20 }
end)
"""


def _own(t, **options):
    directory = t.directory("dialplan")
    with open(os.path.join(directory, "init.lua"), "w", encoding="utf-8") as file:
        file.write(LUA)
    return t.own_tandem(dialplan=directory, **options).start()


@scenario(seconds=90)
def a_message_ends_by_silence_or_by_its_length(t):
    tandem = _own(t)
    phone = t.phone(tone=LEFT)
    phone.dial("71")
    phone.established()
    found = tandem.wait_log(r"call \S+: (/\S+\.opus) ([\d.]+) max$")
    rate, (samples,) = _channels(found.group(1))
    _has(samples, rate, LEFT, seconds=1.5)
    assert 1.9 <= len(samples) / rate <= 2.1 and found.group(2) == "2.0", found.group(0)
    phone.closed()
    caller = t.endpoint()  # says nothing
    answer = caller.invite("70")
    assert answer.status == 200, answer.start
    caller.ack(answer)
    found = tandem.wait_log(r"call \S+: (\S+) ([\d.]+) silence$")
    assert found.group(1).endswith("/recordings/box/message.wav"), found.group(0)
    assert 1.9 <= float(found.group(2)) <= 2.2, found.group(0)


@scenario(seconds=60)
def a_message_ends_by_a_key(t):
    tandem = _own(t)
    phone = t.phone(tone=LEFT)
    phone.dial("74")
    phone.established()
    path = wait_until("the recording", lambda: [p for call in tandem.json("calls")["calls"] for p in call.get("recordings", [])
                                                if os.path.exists(p.get("path", "") + ".part")], 10, 0.1)[0]["path"]
    _grows(path)
    phone.command("sndcode", "5")
    _grows(path)
    phone.command("sndcode", "#")
    tandem.wait_log(r"call \S+: \S+ ([\d.]+) terminator$")
    rate, (samples,) = _channels(_complete(path))
    _has(samples, rate, LEFT)


@scenario(seconds=60)
def a_script_records_beside_a_dial_from_the_answer_on(t):
    tandem = _own(t)
    a, b = t.phone(tone=LEFT), t.phone(tone=RIGHT)
    a.dial("73" + b.user)
    b.ringing()
    b.accept()
    a.established()
    a.wait_heard(b.tone, seconds=2)
    path = os.path.join(tandem.home, "state", "recordings", "sales", a.user + ".wav")
    assert os.path.exists(path + ".part")
    _hangup(a, b)
    rate, (left, right) = _channels(_complete(path))
    _has(left, rate, LEFT, foreign=[RIGHT])
    _has(right, rate, RIGHT, foreign=[LEFT])


@scenario(seconds=60)
def a_script_cannot_record_outside_of_the_directory(t):
    tandem = _own(t)
    phone = t.endpoint()
    answer = phone.invite("72")
    assert answer.status == 486, answer.start
    phone.ack(answer)
    assert "no part of it is empty or begins with a dot" in tandem.log()
    assert "keys end only what call:record{} waits for" in tandem.log()
    assert not os.path.exists(os.path.join(tandem.home, "state", "recordings"))


# --- when something dies ---

@scenario(seconds=90)
def when_the_media_process_is_killed_what_it_had_written_can_be_heard(t):
    tandem = t.own_tandem()
    tandem.expect_error("media process")
    tandem.start()
    a, b = t.phone(tone=LEFT), t.phone(tone=RIGHT)
    call = _talk(t, a, b)
    path = _record(t, call, "--stereo")
    _grows(path, 60000)
    os.kill(tandem.media_pid(), signal.SIGKILL)
    rate, (left, right) = _channels(_complete(path))
    _has(left, rate, LEFT, foreign=[RIGHT])
    _has(right, rate, RIGHT, foreign=[LEFT])
    _row(t, path, "media-lost")
    assert any("the media process is gone" in detail for _, detail in _events(t, call))


@scenario(seconds=120)
def when_the_switch_is_killed_the_recording_goes_on_and_the_next_one_completes_it(t):
    tandem = t.own_tandem(media="")
    tandem.expect_error("media process")
    tandem.start()
    a, b = t.phone(tone=LEFT), t.phone(tone=RIGHT)
    call = _talk(t, a, b)
    path = _record(t, call, "--stereo")
    _grows(path)
    media = tandem.media_pid()
    tandem.kill()
    _grows(path, 40000)  # nobody is there to be told, and nothing is lost
    tandem.start()
    tandem.wait_log("1 recordings of an earlier run still go on")
    assert os.path.exists(path + ".part")
    os.kill(media, signal.SIGTERM)
    _complete(path, 60)
    rate, (left, right) = _channels(path)
    _has(left, rate, LEFT, foreign=[RIGHT], seconds=2)
    _has(right, rate, RIGHT, foreign=[LEFT], seconds=2)
    _row(t, path, "switch-stopped")


@scenario(seconds=90)
def a_full_disk_ends_the_recording_and_not_the_call(t):
    tandem = t.own_tandem()
    directory = os.path.join(tandem.home, "state", "recordings")
    os.makedirs(directory)
    small = 'mount -t tmpfs -o size=1m tmpfs "$0" && head -c 960000 /dev/zero > "$0/ballast" && exec "$@"'
    as_root = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    tandem.program = proc.Program(["unshare", *as_root, "--mount", "sh", "-c", small, directory,
                                   tandem.path("tandemd"), "-c", tandem.config], tandem.log_path)
    tandem.wait_ready()
    inside = f"/proc/{tandem.program.child.pid}/root"
    a, b = t.phone(tone=LEFT), t.phone(tone=RIGHT)
    call = _talk(t, a, b)
    path = re.search(r"recorded in (/.*)$", tandem.cli("record", call, "--stereo").stdout, re.M).group(1)
    tandem.wait_log("recording stopped: disk full", 30)
    disk = os.statvfs(inside + directory)  # records of calls wait on the same disk
    assert disk.f_bavail * disk.f_frsize > disk.f_blocks * disk.f_frsize // 100, "recordings leave some of the disk"
    for phone, other in ((a, b), (b, a)):
        phone.wait_heard(other.tone, since=phone.place())
    assert any("recording stopped: disk full" in detail for kind, detail in _events(t, call) if kind == "recorded")
    copy = os.path.join(t.directory("copy"), "full.wav")
    with open(inside + path, "rb") as source, open(copy, "wb") as target:
        target.write(source.read())
    rate, (left, right) = _channels(copy)
    _has(left, rate, LEFT, foreign=[RIGHT])
    _has(right, rate, RIGHT, foreign=[LEFT])
    tandem.cli("record", call)
    tandem.wait_log("recording stopped: disk full; nothing was recorded")
    assert [row[0] for row in tandem.sql("SELECT DISTINCT why FROM v_recording")] == ["disk-full"]
    _hangup(a, b)
    call = t.call_record(a.user)
    assert call["cause"] == "normal", call
