"""Administration by the command line: what an administrator types, and what is said."""

import json
import os
import pty
import re
import select
import subprocess

from harness import postgres, proc
from harness.proc import wait_until


def _tandem(t, *args, **options):
    """(status, output, complaints)"""
    done = t.tandem.cli(*args, check=False, **options)
    return done.returncode, done.stdout, done.stderr


def _ok(t, *args, **options):
    status, out, err = _tandem(t, *args, **options)
    assert status == 0 and not err, f"tandem {' '.join(args)} ended with {status}: {err or out}"
    return out


def _refused(t, *args, words=(), status=1, **options):
    """Ends with this status; standard error has the words."""
    got, out, err = _tandem(t, *args, **options)
    assert got == status, f"tandem {' '.join(args)} ended with {got}: {out}{err}"
    for word in words:
        assert word in err, f"tandem {' '.join(args)}: {word!r} is not in: {err}"
    assert "ERROR" not in err and "PL/pgSQL" not in err, err


def _at_a_terminal(t, answers, *args):
    """Runs it as a person at a terminal would: (prompt, answer) in turn. Returns what the terminal showed."""
    master, slave = pty.openpty()
    env = dict(os.environ, TANDEM_DATABASE=t.tandem.database, TERM="dumb")
    child = subprocess.Popen([t.tandem.path("tandem"), "-s", t.tandem.control, *args], stdin=slave, stdout=slave,
                             stderr=slave, env=env, start_new_session=True)
    os.close(slave)
    shown, seen = "", 0
    answers = list(answers)
    try:
        while True:
            ready, _, _ = select.select([master], [], [], 15)
            assert ready, f"nothing more came; so far: {shown}"
            try:
                piece = os.read(master, 4096)
            except OSError:  # the terminal closed: it has ended
                break
            if not piece:
                break
            shown += piece.decode()
            if answers and answers[0][0] in shown[seen:]:
                seen = len(shown)
                os.write(master, answers.pop(0)[1].encode() + b"\n")
    finally:
        os.close(master)
        child.wait(15)
    assert not answers, f"it never asked for {answers[0][0]!r}: {shown}"
    assert child.returncode == 0, f"ended with {child.returncode}: {shown}"
    return shown


# --- accounts ---

def an_account_is_added_shown_changed_and_removed(t):
    t.own_tandem().start()
    said = _ok(t, "account", "add", "301", "--name", "Zoë at the front desk", "--max-call", "3600", "--enabled=no")
    assert "The secret of account 301 is shown once" in said and "Account 301 added: applied, generation" in said, said
    shown = _ok(t, "account", "show", "301")
    for words in ("Zoë at the front desk", "longest call     1 h 0 min", "enabled          no", "session timers   as the switch"):
        assert words in shown, shown
    assert "changed: applied" in _ok(t, "account", "set", "301", "--enabled", "yes", "--max-call", "default")
    row = json.loads(_ok(t, "--json", "account", "show", "301"))
    assert (row["enabled"], row["max_call"], row["display_name"]) == (True, None, "Zoë at the front desk"), row
    assert "was so already" in _ok(t, "account", "set", "301", "--enabled", "yes")
    before = json.loads(_ok(t, "--json", "account", "set", "301", "--name=Zoë"))
    assert before["applied"] and before["name"] == "301" and before["generation"] > 2, before
    assert "301" in _ok(t, "account", "list") and "301" in _ok(t, "account", "list", "zoË".lower())
    assert _ok(t, "account", "list", "nobody") == "No account has that in its name.\n"
    assert [a["name"] for a in json.loads(_ok(t, "account", "list", "--json"))["accounts"]] == ["301"]
    _ok(t, "account", "add", "302", "--secret-stdin", input="a secret of 302 with spaces\n")
    assert t.endpoint(("302", "a secret of 302 with spaces")).register().status == 200
    said = _ok(t, "account", "del", "301", "302")
    assert "Account 301 removed" in said and "Account 302 removed" in said, said
    assert "There are no accounts yet" in _ok(t, "account", "list")


def mistakes_end_with_1_or_2_and_say_what_to_do(t):
    t.own_tandem().start()
    _ok(t, "account", "add", "301")
    _refused(t, "account", "add", "301", words=['account "301" exists already'])
    _refused(t, "account", "add", "Front Desk", words=['an account cannot be called "Front Desk"', "lower-case letters"])
    _refused(t, "account", "add", "302", "--secret-stdin", input="short\n", words=["shorter than 12 characters"])
    _refused(t, "account", "add", "302", "--secret-stdin", input="", words=["nothing came on standard input"])
    _refused(t, "account", "add", "302", "--max-call", "-5", words=["from 0 (no limit) to 604800"])
    _refused(t, "account", "add", "302", "--max-call", "long", words=['"long"'])
    assert "302" not in _ok(t, "account", "list"), "half of it was done"
    for verb in (["set", "999", "--name", "x"], ["show", "999"], ["password", "999"], ["enable", "999"]):
        _refused(t, "account", *verb, words=['there is no account "999"', "`tandem account list` shows them all"])
    _refused(t, "account", "del", "301", "999", words=['there is no account "999"'])
    assert "301" in _ok(t, "account", "list"), "half of it was done"
    _refused(t, "setting", "set", "keepalife", "30", words=['there is no setting "keepalife"', "keepalive"])
    _refused(t, "setting", "set", "keepalive", "often", words=["needs a number of seconds"])
    for wrong in (["account"], ["account", "paint"], ["account", "add"], ["account", "set", "301"], ["account", "add", "a", "b"],
                  ["account", "set", "301", "--colour", "red"], ["account", "add", "303", "--name"], ["account", "del"],
                  ["account", "import"], ["account", "show"], ["device", "add"], ["setting", "set", "keepalive"],
                  ["setting", "enable", "x"], ["account", "list", "a", "b"]):
        _refused(t, *wrong, words=["Usage: tandem"], status=2)
    status, out, err = _tandem(t, "--json", "account", "add", "301")
    assert status == 1 and json.loads(out)["code"] == "23505" and "exists already" in json.loads(out)["text"], (out, err)


def a_person_at_a_terminal_is_asked_and_a_secret_is_not_shown(t):
    t.own_tandem().start()
    secret = "quite a secret secret"
    shown = _at_a_terminal(t, [("account: ", "401"), ("name: ", "Büro \"Nord\" $HOME"), ("secret", secret)], "account", "add")
    assert "Account 401 added" in shown and secret not in shown, shown
    assert t.endpoint(("401", secret)).register().status == 200
    assert "Büro \"Nord\" $HOME" in _ok(t, "account", "show", "401")
    shown = _at_a_terminal(t, [("account: ", "402"), ("name: ", ""), ("secret", "")], "account", "add")
    assert "The secret of account 402 is shown once" in shown, shown
    other = "another quite secret one"
    shown = _at_a_terminal(t, [("Secret: ", other)], "account", "set", "401", "--secret-stdin")
    assert "changed" in shown and other not in shown, shown
    assert t.endpoint(("401", other)).register().status == 200


# --- devices ---

def a_device_is_a_phone_of_its_account_that_can_be_taken_away(t):
    t.own_tandem().start()
    name, secret = t.account()
    said = json.loads(_ok(t, "--json", "device", "add", name, "--label", "Anna, at home", "--mac", "00-11-22-AA-BB-CC"))
    assert said["name"] == f"{name}-1" and said["applied"], said
    home = t.phone((f"{name}-1", said["secret"]))
    desk = t.phone((name, secret))
    listed = json.loads(_ok(t, "--json", "device", "list"))["devices"]
    assert [(d["name"], d["account"], d["label"], d["mac"]) for d in listed] == [
        (f"{name}-1", name, "Anna, at home", "00:11:22:aa:bb:cc")], listed
    wait_until("both phones' rows", lambda: t.tandem.sql(f"SELECT count(*) FROM v_registration WHERE account = '{name}'") == [["2"]])
    shown = _ok(t, "account", "show", name)
    assert "Anna, at home" in shown and home.address in shown and desk.address in shown, shown
    assert f"{name}-1" in _ok(t, "registrations")
    # Both ring when the account is called, and what the device calls sees the account.
    caller = t.phone()
    caller.dial(name)
    home.ringing()
    desk.ringing()
    home.accept()
    caller.established()
    caller.hangup()
    home.closed()
    home.dial(caller.user)
    caller.ringing()
    caller.accept()
    home.established()
    assert t.tandem.running_call(name), "the device's call is not its account's"
    home.hangup()
    caller.closed()
    wait_until("the binding's row", lambda: t.tandem.sql(f"SELECT registered FROM v_device WHERE name = '{name}-1'") == [["1"]])
    # Stolen.
    assert "removed: applied" in _ok(t, "device", "del", f"{name}-1")
    wait_until("the device to be forgotten", lambda: len(t.tandem.registrations(name)) == 1)
    caller.dial(name)
    desk.ringing()
    legs = t.tandem.running_call(caller.user)["legs"]
    assert len(legs) == 2, f"somebody else was called, too: {legs}"
    caller.hangup()
    assert t.endpoint((f"{name}-1", said["secret"])).register().status == 401
    _refused(t, "device", "add", "999", words=['there is no account "999"'])
    _refused(t, "device", "add", name, name, words=["there is an account and a device called"])
    _ok(t, "device", "add", name, f"{name}-desk", "--mac", "00:11:22:33:44:55")
    _refused(t, "device", "add", name, "--mac", "00:11:22:33:44:55", words=[f'it is that of device "{name}-desk"'])
    assert "changed" in _ok(t, "device", "set", f"{name}-desk", "--mac", "default", "--label", "Desk")
    assert "may not register" in _ok(t, "device", "disable", f"{name}-desk")
    assert _ok(t, "device", "show", f"{name}-desk").count("no") >= 1


# --- settings ---

def settings_are_listed_with_their_meaning_and_changed(t):
    t.own_tandem().start()
    listed = _ok(t, "setting", "list")
    for word in ("SETTING", "DEFAULT", "silence_hangup", "60", "media-timeout"):
        assert word in listed, listed
    assert "Setting keepalive set: applied" in _ok(t, "setting", "set", "keepalive", "30")
    shown = json.loads(_ok(t, "--json", "setting", "show", "keepalive"))
    assert (shown["value"], shown["default_value"]) == ("30", "120"), shown
    assert "120" in _ok(t, "setting", "show", "keepalive")
    _ok(t, "setting", "del", "keepalive")
    assert json.loads(_ok(t, "--json", "setting", "show", "keepalive"))["value"] is None
    _refused(t, "setting", "set", "transfer_code_attended", "*1",
             words=['transfer_code_blind and transfer_code_attended cannot both be "*1"', "or none"])
    _ok(t, "setting", "set", "my.greeting", "Grüß Gott, 'quoted' \"text\"")
    assert json.loads(_ok(t, "--json", "setting", "show", "my.greeting"))["value"] == "Grüß Gott, 'quoted' \"text\""


# --- files ---

def a_file_from_a_spreadsheet_is_imported_as_a_whole_or_not_at_all(t):
    t.own_tandem().start()
    _ok(t, "account", "add", "501", "--name", "Old name", "--max-call", "60")
    path = os.path.join(t.directory("import"), "people.csv")

    def write(text):
        with open(path, "w", encoding="utf-8", newline="") as f:
            f.write(text)
    write("\ufeffname;display_name;secret;max_call\r\n501;\"Müller; \"\"Chef\"\"\";;default\r\n502;Zweite;;\r\n"
          "503;;ein langes Geheimnis;120\r\n\r\n")
    said = _ok(t, "account", "import", path, "--dry-run")
    assert said == "It would be: 2 added, 1 changed, 0 as they were.\n", said
    assert "502" not in _ok(t, "account", "list")
    said = json.loads(_ok(t, "--json", "account", "import", path))
    assert (said["added"], said["changed"], said["applied"]) == (2, 1, True), said
    assert [s["name"] for s in said["secrets"]] == ["502"], said
    assert t.endpoint(("502", said["secrets"][0]["secret"])).register().status == 200
    assert t.endpoint(("503", "ein langes Geheimnis")).register().status == 200
    row = json.loads(_ok(t, "--json", "account", "show", "501"))
    assert (row["display_name"], row["max_call"]) == ('Müller; "Chef"', None), row
    # Every mistake is named with its line, and nothing is done.
    write("name,display_name,max_call\n601,Good,10\n\"Two Words\",Bad,10\n602,Bad,forever\n603,too,many,fields\n604,\"Good\n\",10\n")
    _refused(t, "account", "import", path, words=['an account cannot be called "Two Words"', f"({path}, line 3)", '"forever"',
             f"({path}, line 4)", "line 5 has 4 fields", "604", f"({path}, line 6)", "nothing was changed: 4 lines"])
    assert "60" not in json.dumps(json.loads(_ok(t, "--json", "account", "list", "60"))), "half of it was done"
    for text, words in (("", "is empty"), ("display_name\nx\n", 'must name the column "name"'),
                        ("name,colour\n601,red\n", 'no column "colour"'), ("name,name\n601,601\n", "is there twice"),
                        ('name,display_name\n601,"never ends\n', "a quote does not end")):
        write(text)
        _refused(t, "account", "import", path, words=[words])
    # A line that was copied and not changed, what a spreadsheet of another age writes, and values of another kind.
    write("Name,Display_Name,ENABLED\n701,One,yes\n702,Two,maybe\n701,Three,no\n")
    _refused(t, "account", "import", path, words=['"701" is in line 2 already', f"({path}, line 4)", '"maybe"', "yes or no",
             f"({path}, line 3)", "nothing was changed: 2 lines"])
    with open(path, "wb") as f:
        f.write("name,display_name\n701,Müller\n".encode("latin-1"))
    _refused(t, "account", "import", path, words=["CSV UTF-8", f"({path}, line 2)"])
    _refused(t, "account", "set", "501", "--max-call", "5.5", words=["a whole number"])
    _refused(t, "account", "import", "/nowhere/x.csv", words=["/nowhere/x.csv cannot be read"])
    said = _ok(t, "account", "import", "-", input="name,display_name\n502,From a pipe\n")
    assert "0 added, 1 changed" in said, said


def what_is_exported_can_be_imported_and_changes_nothing(t):
    t.own_tandem().start()
    _ok(t, "account", "add", "501", "--name", 'Quote " and, comma', "--max-call", "60")
    _ok(t, "account", "add", "502", "--enabled", "no", "--session-timers", "accept", "--transfer-codes", "##1,none")
    _ok(t, "device", "add", "501", "501-desk", "--label", "Desk", "--mac", "00:11:22:33:44:55")
    _ok(t, "setting", "set", "keepalive", "30")
    home = t.directory("export")
    for word in ("account", "device", "setting"):
        path = os.path.join(home, f"{word}.csv")
        _ok(t, word, "export", path)
        with open(path, encoding="utf-8") as f:
            text = f.read()
        assert "ha1" not in text and text == _ok(t, word, "export"), text
        said = _ok(t, word, "import", path)
        assert said.startswith("0 added, 0 changed"), said
        _refused(t, word, "export", path, words=["cannot be made", "exists"])
    other = t.own_tandem().start()
    assert t.tandem is other
    for word, count in (("account", 2), ("device", 1), ("setting", 2)):
        said = _ok(t, word, "import", os.path.join(home, f"{word}.csv")) if word != "setting" else ""
        assert word == "setting" or f"{count} added" in said, said
    assert "501-desk" in _ok(t, "device", "list")
    assert json.loads(_ok(t, "--json", "account", "show", "502"))["transfer_codes"] == "##1,none"
    _ok(t, "account", "set", "502", "--transfer-codes", "default")
    assert json.loads(_ok(t, "--json", "account", "show", "502"))["transfer_codes"] is None
    _refused(t, "account", "set", "502", "--transfer-codes", "*1,*1", words=["both codes are the same", "BLIND,ATTENDED as *1,*2"])


# --- connecting ---

def the_database_is_found_by_asking_the_switch(t):
    tandem = t.own_tandem().start()
    command = [tandem.path("tandem"), "-s", tandem.control]
    mine = {"TANDEM_DATABASE": "", "PGUSER": "tandem"}
    assert "added: applied" in proc.run([*command, "account", "add", "701"], env=mine).stdout
    assert postgres.sql(tandem.database, "SELECT updated_by FROM config.account") == [["tandem"]]
    # Somebody whom the database does not know.
    done = proc.run([*command, "account", "list"], env={**mine, "PGUSER": "nobody_at_all"}, check=False)
    assert done.returncode == 1 and 'role "nobody_at_all" does not exist' in done.stderr, done.stderr
    assert "CREATE ROLE anna LOGIN IN ROLE tandem_admin" in done.stderr, done.stderr
    # Somebody who may only look.
    postgres.sql(tandem.database, "DROP ROLE IF EXISTS clara")
    postgres.sql(tandem.database, "CREATE ROLE clara LOGIN IN ROLE tandem_read")
    clara = {**mine, "PGUSER": "clara"}
    assert "701" in proc.run([*command, "account", "list"], env=clara).stdout
    done = proc.run([*command, "account", "add", "702"], env=clara, check=False)
    assert done.returncode == 1 and "GRANT tandem_admin TO clara" in done.stderr, done.stderr
    # No switch, no database, or one that is not Tandem's.
    done = proc.run([command[0], "-s", "/nowhere", "account", "list"], env={**mine, "PGHOST": "/nowhere"}, check=False)
    assert done.returncode == 1 and "--database or $TANDEM_DATABASE" in done.stderr, done.stderr
    empty = t.world.cluster.create_database("not_migrated")
    done = proc.run([*command, "-d", empty, "account", "list"], check=False)
    assert done.returncode == 1 and "tandem db migrate" in done.stderr, done.stderr


def a_change_that_no_switch_takes_is_said_so(t):
    tandem = t.own_tandem()
    said = tandem.cli("account", "add", "801").stdout
    assert "no switch is connected, it comes into force when one starts" in said, said
    tandem.start()
    wait_until("the account", lambda: tandem.json("accounts")["accounts"])
    tandem.expect_error("was rejected: account 801")
    tandem.sql("ALTER TABLE config.account DROP CONSTRAINT account_ha1_md5_is_16_bytes")
    tandem.sql(r"UPDATE config.account SET ha1_md5 = '\x00' WHERE name = '801'")
    _refused(t, "account", "set", "801", "--name", "New", words=["was rejected by the switch (node 1): account 801: its ha1_md5",
             "stays in force"])
    assert "applied" in _ok(t, "account", "password", "801")


# --- help ---

def every_command_has_help_a_place_in_the_manual_and_completes(t):
    t.own_tandem().start()
    _ok(t, "account", "add", "901", "--name", "Nine")
    _ok(t, "device", "add", "901", "901-desk")
    said = _ok(t, "--help")
    commands = [line.split()[0] for line in said.partition("Commands:")[2].partition("Options:")[0].splitlines() if line.strip()]
    assert {"account", "device", "setting", "db"} <= set(commands), commands
    with open(f"{t.world.source}/contrib/man/tandem.1", encoding="utf-8") as page:
        manual = " ".join(re.sub(r'\\f[A-Z]|^\.[A-Z]+|"', " ", page.read().replace("\\-", "-"), flags=re.M).split())

    def complete(*words):
        script = (f"source {t.world.source}/contrib/completion/tandem; COMP_WORDS=(tandem \"$@\"); COMP_CWORD=$#; _tandem; "
                  "printf '%s\\n' \"${COMPREPLY[@]}\"")
        return proc.run(["bash", "-c", script, "bash", *words], env={
            "PATH": f"{t.world.build}/core:{os.environ['PATH']}", "TANDEM_CONTROL": t.tandem.control,
            "TANDEM_DATABASE": t.tandem.database}).stdout.split()
    offered = complete("")
    for command in commands:
        usage = _ok(t, command, "--help")
        assert f"Usage: tandem {command}" in usage, usage
        assert command in offered, f"{command} does not complete"
        assert f" {command} " in manual, f"{command} is not in the manual"
    assert {"--max-call", "--enabled"} <= set(complete("account", "set", "901", "--")), complete("account", "set", "901", "--")
    assert complete("account", "show", "") == ["901"] and complete("device", "del", "") == ["901-desk"]
    assert "keepalive" in complete("setting", "set", "ke")
