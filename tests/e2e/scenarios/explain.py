"""tandem why: what an administrator reads who asks why a call or a registration failed, one scenario a cause."""

import os
import shutil
import signal
import time

from harness import audio
from harness.proc import wait_until
from harness.runner import scenario


def _why(t, *about):
    """(sentence, remedy, all of it as text for people). The text says the same as the JSON."""
    found = t.tandem.json("why", *about)
    text = t.tandem.cli("why", *about).stdout
    flat = " ".join(text.split())
    assert found["sentence"] in flat and "What to do: " in flat, text
    return found["sentence"], found["remedy"], text


def _why_once(t, words, *about):
    """The same once its sentence has these words: the end of a call reaches the recorder a moment after the phones."""
    wait_until(f"`tandem why {' '.join(about)}` to say: {words}",
               lambda: words in t.tandem.json("why", *about)["sentence"], 10, 0.2)
    return _why(t, *about)


def _called(t, **options):
    """A caller and a registered callee, both by hand."""
    caller, callee = t.endpoint(**options), t.endpoint()
    assert callee.register().status == 200
    return caller, callee


# --- registrations ---

def a_wrong_password_in_a_phone_is_named_and_what_to_type(t):
    name, _ = t.account()
    phone = t.phone((name, "not-its-secret"), registered=False)
    sentence, remedy, text = _why_once(t, "wrong password", "register", name)
    assert sentence.startswith("The phone at 127.0.0.1:") and f"tries to register as {name}" in sentence, sentence
    assert f"tandem account password {name}" in remedy, remedy
    assert "not-its-secret" not in text and "401 Unauthorized" in text, text
    assert phone.user == name


def a_phone_with_an_unknown_user_name_is_told_from_one_with_a_wrong_password(t):
    name = t.world.account_name()
    assert t.endpoint((name, "whatever")).register().status in (401, 403)
    sentence, remedy, _ = _why_once(t, "there is no account with that name", "register", name)
    assert f"tandem account add {name}" in remedy, remedy


def a_wrong_password_of_a_device_names_the_device(t):
    name, _ = t.account()
    device = t.tandem.json("device", "add", name, "--label", "Kitchen")
    device = device.get("name") or device["device"]["name"]
    phone = t.endpoint((name, "whatever"))
    uri, aor = f"sip:{phone.server}", f"<sip:{name}@{phone.server}>"
    phone.user = device  # it authenticates as the device and registers the account
    phone._authenticate("REGISTER", uri, aor, [f"Contact: <sip:{name}@{phone.contact}>"], "", None, "wrong", None, 1)
    assert phone.response("REGISTER", call_id=phone.call[1]).status in (401, 403)
    sentence, remedy, _ = _why_once(t, "wrong password", "register", name)
    assert f"as {name} with the user name {device}" in sentence, sentence
    assert f"tandem device password {device}" in remedy, remedy


def a_disabled_account_is_said_to_be_disabled(t):
    name, secret = t.account()
    t.tandem.cli("account", "disable", name)
    assert t.endpoint((name, secret)).register().status in (401, 403)
    _, remedy, _ = _why_once(t, "that account is disabled", "register", name)
    assert f"tandem account enable {name}" in remedy, remedy


def a_phone_that_was_never_heard_of_is_looked_for_outside(t):
    name, _ = t.account()
    sentence, remedy, _ = _why(t, "register", name)
    assert sentence.startswith(f"No phone has tried to register as {name}"), sentence
    assert "firewall" in remedy and "server" in remedy, remedy


def a_registered_phone_is_fine_and_one_that_left_is_not(t):
    phone = t.endpoint()
    assert phone.register().status == 200
    _why_once(t, "that went well", "register", phone.user)
    assert phone.register(expires=0, cseq=20).status == 200
    sentence, _, _ = _why_once(t, "is not any more", "register", phone.user)
    assert sentence.startswith(f"{phone.user} was registered until"), sentence


# --- calls that are none, because they were turned away before ---

def a_call_with_a_wrong_password_is_explained_although_no_call_was_made_of_it(t):
    caller, callee = _called(t)
    name, secret = caller.user, caller.secret
    caller.secret = "not-its-secret"
    assert caller.invite(callee.user).status == 401
    for who in (name, callee.user):  # who called, and who was called
        sentence, remedy, text = _why_once(t, "wrong password", "last", who)
        assert sentence.startswith(f"The phone at 127.0.0.1:{caller.port} tried to call {callee.user} as {name} at "), sentence
        assert f"tandem account password {name}" in remedy and "not-its-secret" not in text, text
    ladder = t.tandem.cli("trace", "last", name).stdout
    assert f"Attempt of {name} to call {callee.user}" in ladder and ladder.count("INVITE") >= 2 and "401" in ladder, ladder
    # It types the right one: the call is what counts now. Then the wrong one again, and the call is named all the same.
    caller.secret = secret
    caller.send_invite(callee.user)
    callee.reply(callee.request("INVITE"), 486, "Busy Here")
    assert caller.response("INVITE", call_id=caller.call[1]).status == 486
    _why_once(t, f"The phone of {callee.user} said that it is busy.", "last", name)
    call = t.tandem.json("trace", "last", name)["id"]
    caller.secret = "not-its-secret"
    assert caller.invite(callee.user).status == 401
    _, remedy, _ = _why_once(t, "wrong password", "last", name)
    assert f"tandem why {call}" in remedy, remedy


def a_call_of_a_disabled_and_of_an_unknown_account_is_explained(t):
    caller = t.endpoint()
    t.tandem.cli("account", "disable", caller.user)
    assert caller.invite("201").status == 401
    _, remedy, _ = _why_once(t, "that account is disabled", "last", caller.user)
    assert f"tandem account enable {caller.user}" in remedy, remedy
    name = t.world.account_name()
    assert t.endpoint((name, "whatever")).invite("201").status == 401
    _, remedy, _ = _why_once(t, "there is no account with that name", "last", name)
    assert f"tandem account add {name}" in remedy, remedy


def a_phone_that_calls_without_ever_sending_its_password_is_told_of(t):
    caller = t.endpoint()
    caller.send(caller.compose("INVITE", f"sip:201@{caller.server}", body=caller.sdp()))
    caller.ack(caller.response("INVITE", 401), f"sip:201@{caller.server}", 1)
    sentence, remedy, _ = _why_once(t, "never sent it", "last", caller.user)
    assert f"tried to call 201 as {caller.user}" in sentence and "secret in the phone" in remedy, sentence


# --- calls that nobody takes ---

def an_unknown_extension_is_said_not_to_exist(t):
    caller = t.endpoint()
    number = "5500" + caller.user
    assert caller.invite(number).status == 404
    sentence, remedy, _ = _why_once(t, f"the number {number} does not exist", "last", caller.user)
    assert sentence.startswith(f"{caller.user} called {number} at "), sentence
    assert f"tandem account add {number}" in remedy, remedy


def a_phone_that_is_not_registered_is_said_to_be_so(t):
    caller, (name, _) = t.endpoint(), t.account()
    assert caller.invite(name).status == 480
    _, remedy, _ = _why_once(t, f"no phone is registered for {name}", "last", caller.user)
    assert f"tandem why register {name}" in remedy, remedy


def a_busy_phone_is_said_to_be_busy(t):
    caller, callee = _called(t)
    caller.send_invite(callee.user)
    callee.reply(callee.request("INVITE"), 486, "Busy Here")
    assert caller.response("INVITE", lambda s: s >= 200, call_id=caller.call[1]).status == 486
    _, _, text = _why_once(t, f"The phone of {callee.user} said that it is busy.", "last", caller.user)
    assert "486" in text, text


def no_answer_says_how_long_it_rang(t):
    caller, callee = _called(t)
    caller.send_invite("88" + callee.user)  # rings for two seconds
    callee.reply(callee.request("INVITE"), 180, "Ringing")
    assert caller.response("INVITE", call_id=caller.call[1]).status == 480
    _, remedy, _ = _why_once(t, f"The phone of {callee.user} rang for 2 seconds, but nobody answered.", "last", caller.user)
    assert "timeout" in remedy, remedy


def a_caller_who_gives_up_is_said_to_have(t):
    caller, callee = _called(t)
    caller.send_invite(callee.user)
    callee.reply(callee.request("INVITE"), 180, "Ringing")
    caller.response("INVITE", 180)
    caller.cancel()
    assert caller.response("INVITE", call_id=caller.call[1]).status == 487
    _why_once(t, "The caller gave up", "last", caller.user)


def two_phones_without_a_common_codec_are_shown_with_both_their_lists(t):
    caller, callee = _called(t)
    caller.send_invite(callee.user, formats="0 8")
    callee.reply(callee.request("INVITE"), 488, "Not Acceptable Here", callee.sdp("18"))
    assert caller.response("INVITE", call_id=caller.call[1]).status == 488
    sentence, remedy, _ = _why_once(t, "no audio codec in common", "last", caller.user)
    assert f"{caller.user} offers PCMU PCMA;" in sentence and f"{callee.user} speaks G729." in sentence, sentence
    assert "PCMA" in remedy, remedy


@scenario(seconds=90)
def a_phone_that_answers_nothing_is_said_to_be_gone(t):
    caller, callee = _called(t)
    caller.send_invite(callee.user)
    callee.request("INVITE")  # and not a word
    assert caller.response("INVITE", timeout=45, call_id=caller.call[1]).status in (408, 480)
    sentence, _, text = _why_once(t, f"The phone of {callee.user} is registered at 127.0.0.1:{callee.port}, but answered "
                                  "nothing", "last", caller.user)
    assert "INVITE" in text, text


def a_circle_of_redirections_is_said_to_go_round(t):
    caller, one, two = t.endpoint(), t.endpoint(), t.endpoint()
    for phone in (one, two):
        assert phone.register().status == 200
    caller.send_invite(one.user)
    for phone, other in ((one, two), (two, one), (one, two)):
        phone.reply(phone.request("INVITE"), 302, "Moved Temporarily", headers=[f"Contact: <sip:{other.user}@{phone.server}>"])
    assert caller.response("INVITE", call_id=caller.call[1]).status in (482, 483, 480)
    _, remedy, _ = _why_once(t, "went round in circles", "last", caller.user)
    assert "forwards" in remedy, remedy


def a_dialplan_with_an_error_is_named_with_file_and_line(t):
    dialplan = t.directory("dialplan")
    shutil.copytree(t.world.dialplan(), dialplan, dirs_exist_ok=True)
    with open(os.path.join(dialplan, "init.lua"), "a", encoding="utf-8") as init:
        init.write('\nextension("internal", "666", function(call) local nobody; nobody.name() end)\n')
    t.own_tandem(dialplan=dialplan).start()
    t.tandem.expect_error("init.lua")
    caller = t.endpoint()
    assert caller.invite("666").status == 500
    sentence, remedy, _ = _why_once(t, "the dialplan script has an error", "last", caller.user)
    assert "init.lua:" in sentence and "nobody" in sentence, sentence
    assert "tandem dialplan reload" in remedy, remedy


# --- calls that were answered ---

def _answered(t, caller, callee):
    """Both by hand; no audio flows unless somebody sends it. Returns the caller's 200."""
    caller.send_invite(callee.user)
    invite = callee.request("INVITE")
    callee.reply(invite, 200, "OK", callee.sdp())
    answered = caller.response("INVITE", 200)
    caller.ack(answered)
    callee.request("ACK")
    return answered


def _talk(t):
    a, b = t.pair()
    for phone in (a, b):  # baresip hangs up when its file ends
        audio.write_tone(os.path.join(phone.home, "tone.wav"), phone.tone, seconds=90)
    a.dial(b.user)
    b.ringing()
    b.accept()
    a.established()
    a.wait_heard(b.tone, seconds=0.5)
    b.wait_heard(a.tone, seconds=0.5)
    return a, b


def a_call_that_went_well_is_said_to_have(t):
    a, b = _talk(t)
    a.hangup()
    b.closed()
    sentence, _, text = _why_once(t, "the caller hung up. Nothing went wrong.", "last", a.user)
    assert f"{b.user} answered" in sentence, sentence
    assert "audio packets received" in text, text


@scenario(seconds=60)
def audio_in_one_direction_names_the_phone_that_sends_none(t):
    t.own_tandem()
    t.tandem.sql("SELECT tandem.set_setting('silence_event', '2')")
    t.tandem.start()
    phone, mute = t.phone(tone=440), t.endpoint()
    assert mute.register().status == 200
    audio.write_tone(os.path.join(phone.home, "tone.wav"), 440, seconds=60)
    phone.dial(mute.user)
    mute.reply(mute.request("INVITE"), 200, "OK", mute.sdp())
    mute.request("ACK")
    sentence, remedy, _ = _why_once(t, f"No audio arrived from the phone of {mute.user}", "last", phone.user)
    assert "still running" in sentence and "firewall" in remedy, (sentence, remedy)
    phone.hangup()
    mute.reply(mute.request("BYE"), 200, "OK")
    def counted():
        found = t.tandem.json("why", "last", phone.user)
        return "still running" not in found["sentence"] and any(f"{mute.user}: 0 audio packets received" in f for f in found["facts"])
    wait_until("the counters of the ended call", counted, 10, 0.2)
    sentence, _, _ = _why(t, "last", phone.user)
    assert f"No audio arrived from the phone of {mute.user}" in sentence, sentence


def a_call_without_audio_in_either_direction_is_said_to_have_had_none(t):
    caller, callee = _called(t)
    answered = _answered(t, caller, callee)
    time.sleep(2.2)  # who hangs up at once may have sent nothing
    assert caller.bye(answered).status == 200
    callee.reply(callee.request("BYE"), 200, "OK")
    sentence, remedy, _ = _why_once(t, "No audio arrived from any phone", "last", caller.user)
    assert "nobody heard anything" in sentence and "audio ports" in remedy, (sentence, remedy)


@scenario(seconds=90)
def a_phone_that_lost_its_network_is_named_after_a_media_timeout(t):
    t.own_tandem()
    for key, value in (("silence_event", 2), ("silence_hangup", 4)):
        t.tandem.sql(f"SELECT tandem.set_setting('{key}', '{value}')")
    t.tandem.start()
    a, b = _talk(t)
    b.program.signal(signal.SIGSTOP)
    a.closed(timeout=30)
    sentence, remedy, _ = _why_once(t, f"because of the phone of {b.user}", "last", a.user)
    assert "no sound and no other sign of life" in sentence, sentence
    assert "network" in remedy, remedy
    b.program.signal(signal.SIGCONT)


@scenario(seconds=90)
def a_phone_that_does_not_confirm_the_session_any_more_is_named(t):
    t.own_tandem()
    t.tandem.sql("SELECT tandem.set_setting('keepalive', '10')")
    t.tandem.start()
    caller, callee = _called(t)
    _answered(t, caller, callee)
    def refuse():
        try:
            callee.reply(callee.request("OPTIONS", timeout=1), 481, "Call Does Not Exist")
        except Exception:  # nothing yet
            pass
        try:
            caller.reply(caller.request("OPTIONS", timeout=0.2), 200, "OK")
        except Exception:
            pass
        found = t.tandem.json("why", "last", caller.user)
        return found["sentence"] if "because of the phone of" in found["sentence"] else None
    sentence = wait_until("the call to be given up", refuse, 60, 0.1)
    assert f"the phone of {callee.user}" in sentence and "stopped answering" in sentence, sentence


def a_switch_that_was_killed_says_so_after_its_restart(t):
    t.own_tandem().start()
    caller, callee = _called(t)
    caller.send_invite(callee.user)
    callee.reply(callee.request("INVITE"), 180, "Ringing")
    caller.response("INVITE", 180)
    call = t.tandem.running_call(caller.user)["id"]
    # What is a second old is in a file; then nothing more is written while nothing happens.
    settled = lambda: t.tandem.json("status")["recorder"]["unwritten_bytes"] == 0
    wait_until("the recorder to have written all that there is", settled, 10, 0.2)
    t.tandem.kill()
    t.tandem.start()
    sentence, remedy, _ = _why_once(t, "The switch itself stopped", call)
    assert sentence.startswith(f"{caller.user} called {callee.user}"), sentence
    assert "log" in remedy, remedy
