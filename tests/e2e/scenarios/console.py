"""The command line against a running switch."""

import json

from harness import proc
from harness.proc import wait_until


def _call(t):
    a, b = t.pair()
    a.dial(b.user)
    b.ringing()
    b.accept()
    a.established()
    return a, b


def status_says_that_all_is_well(t):
    text = t.tandem.cli("status").stdout
    assert text.strip(), "tandem status says nothing"
    facts = json.dumps(t.tandem.json("status")).lower()
    for word in ("database", "media"):
        assert word in facts, f"tandem status --json does not speak of the {word}: {facts}"


def version_names_the_program(t):
    assert t.tandem.cli("version").stdout.strip()


def a_running_call_is_listed_and_its_messages_are_shown(t):
    a, b = _call(t)
    call = t.tandem.running_call(a.user)
    assert call and b.user in json.dumps(call), f"the call is not among the calls: {t.tandem.json('calls')}"
    text = t.tandem.cli("calls").stdout
    assert a.user in text and b.user in text, text
    ladder = t.tandem.cli("call", call["id"]).stdout
    for word in ("INVITE", "180", "200", "ACK"):
        assert word in ladder, f"{word} is not in the ladder:\n{ladder}"
    raw = t.tandem.cli("call", call["id"], "--raw").stdout
    assert "Call-ID:" in raw or "i:" in raw, raw[:400]
    for line in raw.splitlines():
        if line.lower().startswith(("authorization", "proxy-authorization")):
            assert "response=" not in line or "…" in line or "***" in line or "hidden" in line, f"a digest is shown: {line}"
    a.hangup()
    b.closed()
    wait_until("the call to leave the list", lambda: t.tandem.running_call(a.user) is None)
    assert "BYE" in t.tandem.cli("call", call["id"]).stdout, "the ladder is gone, or lacks BYE, after the call"


def hangup_ends_a_call_on_both_phones(t):
    a, b = _call(t)
    t.tandem.cli("hangup", t.tandem.running_call(a.user)["id"])
    a.closed()
    b.closed()
    record = t.call_record(a.user)
    assert (record["cause"], record["ended_by"]) == ("operator", "operator"), record


def hangup_of_no_call_says_so(t):
    words = t.tandem.command_fails("hangup", "01890000-0000-7000-8000-000000000000")
    assert words and "0189" in words or "no call" in words.lower() or "not" in words.lower(), words


def registrations_and_accounts_are_tables_for_people(t):
    a = t.phone()
    text = t.tandem.cli("registrations").stdout
    assert a.user in text and a.address in text, text
    text = t.tandem.cli("accounts").stdout
    assert a.user in text and f"Test {a.user}" in text, text
    assert a.user in json.dumps(t.tandem.json("accounts"))


def account_add_prints_the_secret_once_and_a_phone_registers_with_it(t):
    name = t.world.account_name()
    said = t.tandem.json("account", "add", name, "--name", "Front desk")
    secret = said["secret"]
    assert len(secret) >= 16, "the secret is short"
    assert t.endpoint((name, secret)).register().status == 200
    shown = t.tandem.cli("account", "show", name).stdout
    assert "Front desk" in shown and secret not in shown, "the secret is shown again"
    assert secret not in t.tandem.log(), "the secret is in the log"


def a_new_password_replaces_the_old_one(t):
    name, old = t.account()
    new = t.tandem.json("account", "password", name)["secret"]
    assert t.endpoint((name, old)).register().status in (401, 403)
    assert t.endpoint((name, new)).register().status == 200


def a_deleted_account_is_gone(t):
    name, secret = t.account()
    t.tandem.cli("account", "del", name)
    assert t.endpoint((name, secret)).register().status in (401, 403)
    assert name in t.tandem.command_fails("account", "show", name)


def an_account_with_a_bad_name_is_refused_in_words(t):
    words = t.tandem.command_fails("account", "add", "two words")
    assert "two words" in words or "name" in words, words


def a_switch_that_is_not_there_is_said_in_words(t):
    done = proc.run([t.tandem.path("tandem"), "-s", "/nonexistent/control.sock", "status"], check=False)
    assert done.returncode != 0 and "/nonexistent/control.sock" in done.stderr, done


def events_follow_a_call(t):
    a, b = t.pair()
    log = f"{t.directory('events')}/out"
    follower = t.program([t.tandem.path("tandem"), "-s", t.tandem.control, "--json", "events", "call"], log)
    wait_until("the follower to run", follower.running)
    # It may take a moment to subscribe: a second call then shows it.
    def called():
        a.dial(b.user)
        b.ringing()
        b.hangup()
        a.closed()
        return "call" in follower.text()
    wait_until("an event of the call", called, 20, 0.5)
