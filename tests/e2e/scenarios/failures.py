"""What breaks around a switch: the database, the media process, the switch itself, its configuration."""

import json
import os
import re
import signal
import time

from harness import proc
from harness.proc import wait_until
from harness.runner import scenario


def _call(t):
    a, b = t.pair()
    a.dial(b.user)
    b.ringing()
    b.accept()
    a.established()
    a.wait_heard(b.tone, seconds=0.5)
    return a, b


@scenario(seconds=90)
def without_postgresql_the_start_says_so_and_it_comes_up_later(t):
    cluster = t.own_cluster().start()
    database = cluster.create_database("tandem")
    tandem = t.own_tandem(database=database)
    tandem.migrate()
    cluster.stop()
    tandem.expect_error("database|PostgreSQL")
    tandem.launch()
    tandem.wait_log("(?i)database|postgresql")
    wait_until("the control socket", lambda: os.path.exists(tandem.control))
    facts = json.dumps(tandem.json("status")["database"]).lower()
    assert "ready" not in facts and ("down" in facts or "connecting" in facts), facts
    words = tandem.cli("status").stdout.lower()
    assert "database" in words, words
    cluster.start()
    wait_until("the database to be ready in tandem status",
               lambda: "ready" in json.dumps(tandem.json("status")["database"]).lower(), 45, 0.5)
    phone = t.endpoint()
    assert phone.register().status == 200


@scenario(seconds=120)
def a_call_goes_on_while_postgresql_is_away_and_its_record_arrives_later(t):
    cluster = t.own_cluster().start()
    tandem = t.own_tandem(database=cluster.create_database("tandem"))
    tandem.migrate()
    tandem.expect_error("database|PostgreSQL")
    tandem.start()
    a, b = _call(t)
    cluster.stop("immediate")
    heard = a.heard_seconds(b.tone)
    a.wait_heard(b.tone, seconds=heard + 1)
    a.hangup()
    b.closed()
    # A second call, wholly without the database: accounts are in memory.
    a.dial(b.user)
    b.ringing()
    b.accept()
    a.established()
    a.hangup()
    b.closed()
    cluster.start()
    for index in (0, 1):
        record = t.call_record(a.user, timeout=60, index=index)
        assert record["answered"] and record["cause"] == "normal", record


def sigterm_ends_calls_with_bye_and_records_them(t):
    tandem = t.own_tandem()
    tandem.start()
    a, b = _call(t)
    tandem.stop()
    a.closed()
    b.closed()
    for phone in (a, b):
        assert "BYE sip:" in phone.log(), f"{phone.user} got no BYE"
    record = t.call_record(a.user)
    assert record["cause"] == "switch-stopping" and record["ended_by"] == "switch", record
    assert record["answered"] and record["talk_ms"] >= 500, record
    assert tandem.media_pid() is None, "tandem-media outlived an orderly end"


def a_second_sigterm_ends_it_at_once(t):
    tandem = t.own_tandem()
    tandem.start()
    # A phone that answers nothing holds the orderly end up: its BYE is never answered.
    callee, caller = t.endpoint(), t.endpoint()
    callee.register()
    caller.send_invite(callee.user)
    callee.reply(callee.request("INVITE"), 200, "OK", callee.sdp())
    caller.ack(caller.response("INVITE", 200))
    callee.request("ACK")
    tandem.program.signal(signal.SIGTERM)
    caller.request("BYE")
    began = time.monotonic()
    tandem.program.signal(signal.SIGTERM)
    status = tandem.program.wait(5)
    assert status is not None and time.monotonic() - began < 2, "it still runs after the second signal"


def the_media_process_is_killed_and_the_next_call_works(t):
    tandem = t.own_tandem()
    tandem.expect_error("media")
    tandem.start()
    a, b = _call(t)
    first = tandem.media_pid()
    assert first, "no tandem-media serves the call"
    os.kill(first, signal.SIGKILL)
    a.closed()
    b.closed()
    record = t.call_record(a.user)
    assert record["cause"] == "media-lost" and record["ended_by"] == "switch", record
    wait_until("another tandem-media", lambda: tandem.media_pid() not in (None, first), 15)
    def next_call():
        a.dial(b.user)
        try:
            b.ringing(timeout=2)
        except proc.Failed:
            return False
        return True
    wait_until("the next call to ring", next_call, 20, 0.5)
    b.accept()
    a.established()
    a.wait_heard(b.tone, seconds=1)
    a.hangup()
    b.closed()


def a_call_that_kill_9_cut_off_is_completed_at_the_next_start(t):
    tandem = t.own_tandem()
    tandem.start()
    a, b = _call(t)
    # Its record is opened through the spool: the file is there before the switch dies.
    tandem.wait_record(f"SELECT 1 AS yes FROM record.call WHERE from_account = '{a.user}'", "the open record")
    tandem.kill()
    tandem.start()
    record = t.call_record(a.user)
    assert record["cause"] == "switch-stopped" and record["ended_at"], record
    caller, callee = t.endpoint(), t.endpoint()
    callee.register()
    caller.send_invite(callee.user)
    callee.request("INVITE")
    caller.cancel()


def registrations_outlive_a_restart(t):
    tandem = t.own_tandem()
    tandem.start()
    callee, caller = t.endpoint(), t.endpoint()
    assert callee.register(expires=300).status == 200
    tandem.wait_record(f"SELECT 1 AS yes FROM live.binding WHERE account = '{callee.user}'", "the binding's row")
    tandem.stop()
    tandem.start()
    wait_until("the accounts to be read", lambda: tandem.json("accounts")["accounts"])  # SIP answers before that
    caller.send_invite(callee.user)
    callee.request("INVITE")
    caller.cancel()


def _refused(t, text):
    """What tandemd says about a configuration that must stop its start."""
    directory = t.directory("conf")
    path = os.path.join(directory, "bad.conf")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    program = os.path.join(t.world.build, "core", "tandemd")
    said = []
    for argv in ([program, "-c", path, "--check-config"], [program, "-c", path]):
        done = proc.run(argv, timeout=15, check=False)
        assert done.returncode > 0, f"{' '.join(argv)} ended with {done.returncode}: {done.stderr}"
        said.append(done.stderr + done.stdout)
    return path, said


def a_mistake_in_the_configuration_stops_the_start_with_file_and_line(t):
    good = f"[switch]\nnode = 1\nstate_dir = {t.directory('s')}\nrun_dir = {t.directory('r')}\n"
    for text, line, word in ((good + "listen = udp:127.0.0.1:notaport\n", 5, "notaport"),
                             (good + "no_such_key = 1\n", 5, "no_such_key"),
                             (good + "\n[nonsense]\n", 6, "nonsense"),
                             ("# a comment\n[switch]\nnode = many\n", 3, "many"),
                             (good + "just words\n", 5, ""),
                             (good + "[media]\nports = 30000-20000\n", 6, "ports")):
        path, said = _refused(t, text)
        for words in said:
            assert re.search(rf"{re.escape(path)}:{line}: .*{word}", words), f"{text!r} gave: {words}"


def a_missing_configuration_file_is_named(t):
    program = os.path.join(t.world.build, "core", "tandemd")
    done = proc.run([program, "-c", "/nonexistent/tandem.conf"], timeout=15, check=False)
    assert done.returncode > 0 and "/nonexistent/tandem.conf" in done.stderr, done


def a_broken_dialplan_is_named_with_file_and_line(t):
    directory = t.directory("dialplan")
    with open(os.path.join(directory, "init.lua"), "w", encoding="utf-8") as f:
        f.write('extension("internal", "100", function(call)\n  call:answer(\nend)\n')
    tandem = t.own_tandem(dialplan=directory)
    tandem.expect_error("init.lua|not started|media process .* was ended by signal 15")
    tandem.launch()
    tandem.wait_log(r"init\.lua:\d+: ")
    tandem.wait_log("not started|ready:")
    tandem.discard()
    tandem.program = None


def a_port_that_is_taken_is_named(t):
    first = t.own_tandem()
    first.start()
    second = t.own_tandem(listens=f"listen = udp:127.0.0.1:{first.port}\n")
    second.expect_error("cannot be opened|not started|media process .* was ended by signal 15")
    second.launch()
    assert second.program.wait(15), "a second switch runs on the first one's port"
    assert str(first.port) in second.log() and re.search("in use|taken", second.log()), second.tail()
    second.program = None
