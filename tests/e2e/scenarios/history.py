"""What was changed in the configuration, by whom, and the way back: by command line and by psql."""

import getpass
import json
import os

from harness import postgres, proc
from harness.proc import wait_until
from harness.runner import scenario


def _tandem(t, *args, status=0, words=(), **options):
    """Runs the command line; returns its output after checking its status and the words of its complaint."""
    done = t.tandem.cli(*args, check=False, **options)
    said = done.stdout + done.stderr
    assert done.returncode == status, f"tandem {' '.join(args)} ended with {done.returncode}: {said}"
    for word in words:
        assert word in said, f"tandem {' '.join(args)}: {word!r} is not in: {said}"
    return done.stdout


def _history(t, *args):
    return json.loads(_tandem(t, "--json", "config", "history", *args))["history"]


def _generation(t):
    return int(t.tandem.sql("SELECT number FROM config.generation")[0][0])


def _file(t, text, name="change.sql"):
    path = os.path.join(t.directory("sql"), name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def _name(t, account):
    return t.tandem.sql(f"SELECT display_name FROM config.account WHERE name = '{account}'")[0][0]


def _in_force(t, account):
    """Its name in the switch."""
    return {a["name"]: a["display_name"] for a in t.tandem.json("accounts")["accounts"]}.get(account)


def _copy(tandem):
    """The local copy of the configuration, as it is on disk."""
    found = b""
    for directory, _, names in os.walk(os.path.join(tandem.home, "state")):
        for name in names:
            if "config" in name:
                with open(os.path.join(directory, name), "rb") as f:
                    found += f.read()
    return found


# --- remembering ---

def every_change_is_remembered_with_who_made_it(t):
    t.own_tandem().start()
    _tandem(t, "account", "add", "201", "--name", "Reception")
    _tandem(t, "account", "set", "201", "--name", "Zoë", "--max-call", "60")
    t.tandem.sql("UPDATE config.account SET display_name = 'Anna' WHERE name = '201'")
    _tandem(t, "setting", "set", "keepalive", "30")
    before = _generation(t)
    _tandem(t, "account", "set", "201", "--name", "Anna")
    t.tandem.sql("UPDATE config.account SET display_name = 'Anna'")
    assert _generation(t) == before, "a change that changes nothing made a generation"
    _tandem(t, "account", "del", "201")
    seen = [(h["action"], h["table_name"], h["key"], h["changes"], h["application"]) for h in _history(t)]
    me = f"tandem ({getpass.getuser()})"
    assert seen[0] == ("remove", "account", "201", None, me), seen[0]
    assert seen[1] == ("add", "setting", "keepalive", "value 30", me), seen[1]
    assert seen[2] == ("change", "account", "201", "display_name Zoë → Anna", "psql"), seen[2]
    assert seen[3][3] == "max_call (nothing) → 60, display_name Reception → Zoë", seen[3]
    assert seen[4][0] == "change" or seen[4][0] == "add", seen[4]
    assert all(h["db_user"] == "tandem" and h["at"] for h in _history(t))
    shown = _tandem(t, "config", "history", "account", "201")
    assert "remove account 201" in shown and "keepalive" not in shown and me in shown, shown
    assert len(_history(t, "--last", "2")) == 2
    assert "Nothing of that" in _tandem(t, "config", "history", "account", "999")


def one_transaction_is_one_generation(t):
    t.own_tandem()
    before = _generation(t)
    path = _file(t, "SELECT add_account('201'); SELECT add_account('202'); UPDATE config.account SET max_call = 60;\n")
    _tandem(t, "config", "apply", path)
    assert _generation(t) == before + 1
    assert {h["generation"] for h in _history(t) if h["generation"] > before} == {before + 1}
    # A savepoint that is undone takes its changes with it, and the rest stays in one generation.
    proc.run(["psql", "-X", "-q", t.tandem.database], input="""BEGIN;
        SELECT add_account('301'); SAVEPOINT s; SELECT add_account('302'); ROLLBACK TO s; SELECT add_account('303'); COMMIT;""")
    assert {(h["generation"], h["key"]) for h in _history(t, "--last", "2")} == {(before + 2, "301"), (before + 2, "303")}


def tables_of_modules_are_remembered_and_go_back_too(t):
    t.own_tandem()
    t.tandem.sql("""CREATE TABLE config.gadget (name text PRIMARY KEY, account text REFERENCES config.account (name) ON DELETE CASCADE,
        secret_key text, size integer, updated_at timestamptz NOT NULL DEFAULT now(), updated_by text NOT NULL DEFAULT session_user)""")
    t.tandem.sql("SELECT config.watch_table('gadget', 'name')")
    _tandem(t, "account", "add", "201")
    t.tandem.sql("INSERT INTO config.gadget (name, account, secret_key, size) VALUES ('lamp', '201', 'hidden-away', 3)")
    at = _generation(t)
    t.tandem.sql("UPDATE config.gadget SET secret_key = 'other', size = 4")
    assert _history(t, "gadget")[0]["changes"] == "size 3 → 4, secret changed", _history(t, "gadget")[0]
    assert "hidden-away" not in json.dumps(_history(t)), "a secret of a module's table is shown"
    t.tandem.sql("ALTER TABLE config.gadget ADD COLUMN colour text NOT NULL DEFAULT 'red'")  # a later migration
    _tandem(t, "account", "del", "201")
    assert t.tandem.sql("SELECT count(*) FROM config.gadget") == [["0"]]
    _tandem(t, "config", "rollback", str(at))
    assert t.tandem.sql("SELECT name, account, secret_key, size, colour FROM config.gadget") == [
        ["lamp", "201", "hidden-away", "3", "red"]]
    t.tandem.sql("TRUNCATE config.account CASCADE")
    assert t.tandem.sql("SELECT count(*) FROM config.gadget") == [["0"]]
    _tandem(t, "config", "rollback", str(at))
    assert t.tandem.sql("SELECT count(*) FROM config.gadget") == [["1"]]


def nobody_reads_a_secret_in_the_history_and_a_rollback_brings_it_back(t):
    tandem = t.own_tandem().start()
    name, secret = t.account()
    at = _generation(t)
    new = json.loads(_tandem(t, "--json", "account", "password", name))["secret"]
    hashes = [h for row in tandem.sql("SELECT encode(ha1_md5, 'hex'), encode(ha1_sha256, 'hex') FROM config.account") for h in row]
    postgres.sql(tandem.database, "DROP ROLE IF EXISTS dora")
    postgres.sql(tandem.database, "CREATE ROLE dora LOGIN IN ROLE tandem_admin")
    dora = tandem.database.replace("user=tandem ", "user=dora ")
    shown = json.dumps(postgres.records(dora, "SELECT * FROM v_history")) + json.dumps(
        postgres.records(dora, f"SELECT * FROM config_diff({at})")) + _tandem(t, "config", "history") + _tandem(t, "config", "diff", str(at))
    assert "secret changed" in shown and "(secret)" in shown, shown
    assert not [h for h in hashes if h in shown], "a hash is shown"
    done = proc.run(["psql", "-X", "-c", "SELECT secret_before FROM config.history", dora], check=False)
    assert "permission denied" in done.stderr, done
    assert t.endpoint((name, new)).register().status == 200
    said = proc.run(["psql", "-X", "-A", "-t", "-c", f"SELECT rollback_config({at})", dora]).stdout
    assert f"1 row is as in generation {at} again" in said, said
    assert postgres.sql(dora, "SELECT wait_applied()")[0][0].startswith("applied")
    assert t.endpoint((name, secret)).register().status == 200
    assert t.endpoint((name, new)).register().status == 401
    assert _history(t)[0]["db_user"] == "dora" and _history(t)[0]["note"] == f"back to generation {at}", _history(t)[0]


# --- going back ---

def a_rollback_undoes_everything_since_and_can_be_undone_itself(t):
    t.own_tandem().start()
    _tandem(t, "account", "add", "201", "--name", "Anna")
    _tandem(t, "account", "add", "202", "--name", "Bob")
    _tandem(t, "device", "add", "202", "--mac", "00:11:22:33:44:55")
    at = _generation(t)
    _tandem(t, "account", "del", "202")
    _tandem(t, "account", "add", "203", "--name", "New")
    _tandem(t, "device", "add", "203", "203-x", "--mac", "00:11:22:33:44:55")  # the address moved
    _tandem(t, "account", "set", "201", "--name", "Changed")
    _tandem(t, "setting", "set", "keepalive", "30")
    now = _generation(t)
    shown = _tandem(t, "config", "diff", str(at))
    for words in ("- account 202", "+ account 203: ", "~ account 201: display_name Anna → Changed", "+ setting keepalive: value 30",
                  "- device 202-1"):
        assert words in shown, shown
    assert _tandem(t, "config", "diff", str(now)) == "There is no difference.\n"
    said = _tandem(t, "config", "rollback", str(at))
    assert f"as in generation {at} again" in said and f"applied, generation {now + 1}" in said, said
    assert _in_force(t, "201") == "Anna" and _in_force(t, "202") == "Bob" and _in_force(t, "203") is None
    assert t.tandem.sql("SELECT name FROM config.device") == [["202-1"]]
    assert _tandem(t, "config", "diff", str(at)) == "There is no difference.\n"
    _tandem(t, "config", "rollback", str(now))
    assert _in_force(t, "201") == "Changed" and _in_force(t, "203") == "New"
    _tandem(t, "config", "rollback", str(now), words=["nothing to undo"])
    _tandem(t, "config", "rollback", "999", status=1, words=["there is no generation 999"])
    _tandem(t, "config", "rollback", "0", status=1, words=["not known any more", "The history begins with generation"])
    _tandem(t, "config", "diff", "9", "3", status=1, words=["is newer than generation 3"])
    for wrong in (["rollback"], ["rollback", "x"], ["diff"], ["diff", "1", "2", "3"], ["paint"], ["status", "x"], ["apply"],
                  ["apply", "x", "--confirm", "soon"], ["history", "--last", "x"], []):
        _tandem(t, "config", *wrong, status=2, words=["Usage: tandem config"])


def a_rollback_goes_back_over_names_that_were_given_again_and_over_another_realm(t):
    tandem = t.own_tandem().start()
    name, secret = t.account()
    _tandem(t, "device", "add", name, f"{name}-desk", "--mac", "00:11:22:33:44:55")
    _tandem(t, "account", "add", "keeper")
    at, realm = _generation(t), tandem.sql("SELECT realm()")[0][0]
    _tandem(t, "account", "del", name, "keeper")
    tandem.sql("SELECT set_setting('realm', 'another-realm')")
    _tandem(t, "account", "add", name)
    _tandem(t, "account", "add", f"{name}-desk")  # what was a device's name is an account's
    _tandem(t, "device", "add", name, "keeper", "--mac", "00:11:22:33:44:55")  # and the other way round
    now = _generation(t)
    _tandem(t, "config", "rollback", str(at), words=["applied, generation"])
    assert tandem.sql("SELECT realm()") == [[realm]] and _tandem(t, "config", "diff", str(at)) == "There is no difference.\n"
    assert tandem.sql("SELECT name, account FROM config.device") == [[f"{name}-desk", name]]
    assert t.endpoint((name, secret)).register().status == 200
    _tandem(t, "config", "rollback", str(now), words=["applied, generation"])
    assert tandem.sql("SELECT name FROM config.device") == [["keeper"]] and tandem.sql("SELECT realm()") == [["another-realm"]]


def a_large_import_goes_back_in_one_step(t):
    t.own_tandem().start()
    at = _generation(t)
    rows = "".join(f"{n},Person {n},the secret of person {n}\n" for n in range(10000, 11500))
    said = _tandem(t, "account", "import", "-", input="name,display_name,secret\n" + rows, timeout=60)
    assert f"1500 added, 0 changed, 0 as they were: applied, generation {at + 1}" in said, said
    assert len(t.tandem.json("accounts")["accounts"]) == 1500
    said = _tandem(t, "config", "rollback", str(at), timeout=60)
    assert f"applied, generation {at + 2}" in said, said
    assert t.tandem.json("accounts")["accounts"] == []


# --- files ---

def a_file_is_applied_as_a_whole_or_not_at_all(t):
    t.own_tandem().start()
    before = _generation(t)
    path = _file(t, """-- two people; and a semicolon in a comment;
SELECT add_account('201', 'Anna; "the boss"', 'correct horse');
/* another /* nested; */ one */
SELECT add_account('202', $$Bob's$$);
UPDATE config.account
    SET max_call = 60
    WHERE name = '201';
""")
    said = _tandem(t, "config", "apply", path)
    assert "account 201 added" in said and "account 202 added; its secret is" in said and "applied, generation" in said, said
    assert _in_force(t, "201") == 'Anna; "the boss"' and _in_force(t, "202") == "Bob's"
    assert {h["note"] for h in _history(t) if h["generation"] > before} == {path}
    # Editors elsewhere put a mark at the beginning, and end lines otherwise.
    _tandem(t, "config", "apply", _file(t, "\ufeffSELECT set_setting('keepalive', '31');\r\n"), words=["keepalive is 31"])
    before = _generation(t)
    for text, words in (
            ("SELECT add_account('203');\n\nUPDATE config.account\n  SET max_call = -5;\n", ["line 3", "max_call -5"]),
            ("SELECT add_account('203');\nSELECT 1,\n  nonsense;\n", ["line 3", "nonsense"]),
            ("SELECT add_account('203'); COMMIT; SELECT add_account('204');", ["line 1", "COMMIT does not work"]),
            ("SELECT add_account('203');\nCOPY config.setting FROM STDIN;\n", ["line 2", "COPY does not work"]),
            ("-- nothing\n", ["has no statement in it"])):
        _tandem(t, "config", "apply", _file(t, text), status=1, words=[*words, "nothing was changed"])
    assert _generation(t) == before and _in_force(t, "203") is None, "half of it was done"
    _tandem(t, "config", "apply", "/nowhere.sql", status=1, words=["/nowhere.sql cannot be read"])
    _tandem(t, "config", "apply", _file(t, "SELECT 1;"), "--confirm", "5m", status=1, words=["has changed nothing"])


def a_change_that_is_not_confirmed_goes_back_by_itself(t):
    tandem = t.own_tandem().start()
    _tandem(t, "account", "add", "201", "--name", "Before")
    path = _file(t, "UPDATE config.account SET display_name = 'After' WHERE name = '201';")
    said = _tandem(t, "config", "apply", path, "--confirm", "6s")
    assert "applied, generation" in said and "goes back by itself in 6 s" in said, said
    assert _in_force(t, "201") == "After"
    assert "goes back by itself" in _tandem(t, "config", "status")
    # Meanwhile nobody else changes anything, and is told what to do.
    _tandem(t, "setting", "set", "keepalive", "30", status=1,
            words=["waits until", "nothing else can be changed meanwhile", "tandem config confirm", "tandem config revert"])
    tandem.wait_log("not confirmed in time: generation [0-9]+ was undone")
    wait_until("the old name", lambda: _in_force(t, "201") == "Before")
    assert _history(t)[0]["note"].endswith("it was not confirmed in time") and "tandemd" in _history(t)[0]["application"]
    _tandem(t, "config", "confirm", status=1, words=["no change waits for its confirmation"])
    _tandem(t, "setting", "set", "keepalive", "30")


def a_confirmed_change_stays_and_a_reverted_one_goes_at_once(t):
    tandem = t.own_tandem().start()
    _tandem(t, "account", "add", "201", "--name", "Before")
    path = _file(t, "UPDATE config.account SET display_name = 'After' WHERE name = '201';")
    _tandem(t, "config", "apply", path, "--confirm", "5s")
    _tandem(t, "config", "confirm", words=["stays"])
    _tandem(t, "config", "apply", _file(t, "SELECT set_setting('keepalive', '30');"), "--confirm=1h")
    assert json.loads(_tandem(t, "--json", "config", "status"))["switches"][0]["confirm_by"]
    _tandem(t, "config", "revert", words=["was undone", "applied, generation"])
    assert tandem.sql("SELECT count(*) FROM config.setting WHERE key = 'keepalive'") == [["0"]]
    # The same by psql, as one types it; and long after the first one's time would have come, its change is still there.
    proc.run(["psql", "-X", "-v", "ON_ERROR_STOP=1", tandem.database], input="""BEGIN;
        SELECT set_setting('keepalive', '40'); SELECT confirm_within('5 seconds'); COMMIT;""")
    tandem.wait_log("not confirmed in time")
    wait_until("the setting to go", lambda: tandem.sql("SELECT count(*) FROM config.setting WHERE key = 'keepalive'") == [["0"]])
    assert _in_force(t, "201") == "After", "a confirmed change went back"


def what_waits_for_its_confirmation_can_go_back_whatever_is_forgotten_meanwhile(t):
    tandem = t.own_tandem().start()
    _tandem(t, "account", "add", "201", "--name", "Before")
    path = _file(t, "UPDATE config.account SET display_name = 'After' WHERE name = '201';")
    _tandem(t, "config", "apply", path, "--confirm", "1h")
    tandem.sql("SELECT forget_history('0 seconds')")
    assert [h["key"] for h in _history(t)] == ["201"], _history(t)
    _tandem(t, "config", "revert", words=["was undone", "applied, generation"])
    assert _in_force(t, "201") == "Before"
    tandem.sql("SELECT forget_history('0 seconds')")
    assert _history(t) == []


@scenario(seconds=90)
def what_was_not_confirmed_goes_back_although_the_switch_was_away(t):
    tandem = t.own_tandem().start()
    _tandem(t, "account", "add", "201", "--name", "Before")
    path = _file(t, "UPDATE config.account SET display_name = 'After' WHERE name = '201';")
    # The switch starts again in between: the deadline is in the database.
    _tandem(t, "config", "apply", path, "--confirm", "6s")
    tandem.stop()
    tandem.start()
    wait_until("the old name", lambda: _in_force(t, "201") == "Before", 20)
    # It is away when the time comes: what is overdue is never in force.
    _tandem(t, "config", "apply", path, "--confirm", "5s")
    tandem.kill()
    wait_until("the time to come", lambda: tandem.sql("SELECT confirm_by < now() FROM config.pending") == [["t"]], 20)
    _tandem(t, "setting", "set", "keepalive", "30", status=1, words=["was not confirmed in time", "tandem config revert"])
    mark, overdue = len(tandem.log()), _generation(t)
    tandem.start()
    assert wait_until("the accounts", lambda: _in_force(t, "201")) == "Before"
    tandem.wait_log("not confirmed in time", since=mark)
    assert f"configuration generation {overdue} " not in tandem.log()[mark:], "it was in force for a moment"
    # No switch at all: an administrator does it.
    _tandem(t, "config", "apply", path, "--confirm", "5s")
    tandem.stop()
    wait_until("the time to come", lambda: tandem.sql("SELECT confirm_by < now() FROM config.pending") == [["t"]], 20)
    _tandem(t, "config", "confirm", status=1, words=["no change waits"])
    _tandem(t, "config", "revert", words=["was undone"])
    assert _name(t, "201") == "Before"


@scenario(seconds=120)
def a_change_that_waits_is_not_what_the_switch_starts_with_when_the_database_is_away(t):
    cluster = t.own_cluster().start()
    tandem = t.own_tandem(database=cluster.create_database("pbx")).migrate().start()
    _tandem(t, "account", "add", "201", "--name", "Before")
    path = _file(t, "UPDATE config.account SET display_name = 'After' WHERE name = '201';")

    def starts_without_the_database():
        tandem.kill()
        cluster.stop()
        tandem.start()
        return wait_until("the local copy", lambda: _in_force(t, "201"))
    _tandem(t, "config", "apply", path, "--confirm", "1h")
    assert _in_force(t, "201") == "After"
    assert starts_without_the_database() == "Before", "an unconfirmed change is in the local copy"
    # The database is there again: what waits is in force again, until it is confirmed; then it is in the copy, too.
    cluster.start()
    wait_until("what waits", lambda: _in_force(t, "201") == "After", 60)
    _tandem(t, "config", "confirm")
    _tandem(t, "setting", "set", "keepalive", "30")
    wait_until("the copy to be whole", lambda: b"After" in _copy(tandem))
    assert starts_without_the_database() == "After", "a confirmed change is not in the local copy"


def a_rejected_generation_is_shown_with_its_row_and_the_old_one_goes_on(t):
    tandem = t.own_tandem().start()
    a, b = t.pair()
    tandem.expect_error("was rejected: account")
    tandem.sql("ALTER TABLE config.account DROP CONSTRAINT account_ha1_md5_is_16_bytes")
    at = _generation(t)
    path = _file(t, f"UPDATE config.account SET display_name = 'New';\nUPDATE config.account SET ha1_md5 = '\\x00' WHERE name = '{a.user}';")
    _tandem(t, "config", "apply", path, status=1, words=[f"generation {at + 1} was rejected", f"account {a.user}: its ha1_md5"])
    shown = _tandem(t, "config", "status")
    assert "rejected" in shown and f"account {a.user}" in shown and str(at) in shown, shown
    assert f"account {a.user}" in _tandem(t, "status")
    a.dial(b.user)  # the old one goes on
    b.ringing()
    b.hangup()
    a.closed()
    _tandem(t, "config", "rollback", str(at), words=["applied, generation"])
    assert "in force" in _tandem(t, "config", "status")
