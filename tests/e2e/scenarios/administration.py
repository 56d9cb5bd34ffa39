"""Administration with psql alone: what an administrator types, and what is said."""

import json
import os
import re
import shutil

from harness import postgres, proc
from harness.proc import wait_until
from harness.runner import scenario

SCHEMAS = "('tandem', 'config', 'live', 'record')"


def _psql(conninfo, *statements):
    """What psql prints for people: (its output, its complaints). Each statement is a transaction of its own."""
    argv = ["psql", "-X", "-q", "-A", "-t"]
    for statement in statements:
        argv += ["-c", statement]
    done = proc.run([*argv, conninfo], check=False)
    return done.stdout.strip(), done.stderr.strip()


def _says(conninfo, statement):
    out, err = _psql(conninfo, statement)
    assert not err, f"{statement}: {err}"
    return out


def _refuses(conninfo, statement, *words):
    """It is refused, and a person reads why: every word is there, and nothing of the machine room."""
    out, err = _psql(conninfo, statement)
    assert err.startswith("ERROR:"), f"{statement} was not refused: {out} {err}"
    for word in words:
        assert word in err, f"{statement}: {word!r} is not in: {err}"


def _login(t, database, role, group):
    """The conninfo of a new user in a group."""
    postgres.sql(database, f"DROP ROLE IF EXISTS {role}")
    postgres.sql(database, f"CREATE ROLE {role} LOGIN IN ROLE {group}")
    return database.replace("user=tandem ", f"user={role} ")


# --- the manual ---

def _blocks(path):
    """The fenced blocks of a document, in order: (language, text, line)."""
    language, text, began = None, [], 0
    with open(path, encoding="utf-8") as document:
        for number, line in enumerate(document, 1):
            if not line.startswith("```"):
                text.append(line)
            elif language is None:
                language, text, began = line[3:].strip(), [], number + 1
            else:
                yield language, "".join(text), began
                language = None


@scenario(seconds=180)
def every_line_of_the_databases_readme_works(t):
    """In order, as somebody would who works through it: SQL by psql, the rest by a shell."""
    plan = os.path.join(t.directory("plan"), "dialplan")
    shutil.copytree(t.world.dialplan(), plan)  # a restore puts another in its place
    tandem = t.own_tandem(database=t.own_cluster().start().create_database("pbx"), dialplan=plan,
                           modules="".join(f"[module {name}]\n" for name in (
                               "dialing", "forward", "screen", "group", "pickup", "park"))).migrate().start()
    readme = f"{t.world.source}/db/README.md"
    # Tandem's own are not installed: their migrations lie in the source tree.
    programs = t.directory("bin")
    with open(f"{programs}/tandem", "w", encoding="utf-8") as wrapper:
        wrapper.write(f"""#!/bin/bash
for word in "$@"; do
    [ "$word" != restore ] || set -- "$@" --dir {t.world.source}/db
done
exec {t.world.build}/core/tandem "$@"
""")
    os.chmod(f"{programs}/tandem", 0o755)
    host = tandem.database.split()[0].partition("=")[2]
    environment = {"TANDEM_CONTROL": tandem.control, "TANDEM_DATABASE": tandem.database, "PGHOST": host, "PGUSER": "tandem",
                   "PATH": f"{programs}:{os.environ['PATH']}"}
    ran, shell = 0, t.directory("shell")
    for language, text, line in _blocks(readme):
        if language == "sql":
            argv = ["psql", "-X", "-v", "ON_ERROR_STOP=1", tandem.database]
        elif language == "sh":
            argv = ["bash", "-e"]
        else:
            continue
        done = proc.run(argv, input=text, check=False, env=environment, cwd=shell, timeout=60)
        assert done.returncode == 0 and "ERROR" not in done.stderr, f"{readme}:{line}: {done.stderr or done.stdout}\n{text}"
        ran += len([each for each in text.splitlines() if each.strip()])
    assert ran > 20, f"only {ran} lines of {readme} were run"


def every_command_that_contrib_up_ends_with_works(t):
    """On a switch with the accounts that it makes, after a call."""
    tandem = t.own_tandem().start()
    caller, callee = (t.endpoint(t.account(name)) for name in ("201", "202"))
    assert callee.register().status == 200
    caller.send_invite("202")
    callee.reply(callee.request("INVITE"), 486, "Busy Here")
    assert caller.response("INVITE", call_id=caller.call[1]).status == 486
    id = t.call_record("201")["id"]
    t.account("206")
    tandem.cli("account", "del", "206")
    with open(f"{t.world.source}/contrib/up", encoding="utf-8") as script:
        text = script.read().replace("\\$", "$")
    shown = [re.split("   +", line[2:])[0] for line in text.splitlines() if line.startswith(("  tandem ", "  psql "))]
    shell = t.directory("shell")
    environment = {"TANDEM_CONTROL": tandem.control, "TANDEM_DATABASE": tandem.database,
                   "PATH": f"{t.world.build}/core:{os.environ['PATH']}"}
    for line in shown:
        line = line.replace(" ID", f" {id[:18]}").replace("FILE", "x.pcap").replace("206')", "202')")
        done = proc.run(["bash", "-c", line], check=False, env=environment, cwd=shell, timeout=30)
        assert done.returncode == 0 and (done.stdout + done.stderr).strip(), f"{line}: {done.stderr or done.stdout}"
    for line in ("tandem calls --last", "tandem call ID", "tandem why last", "psql \"$TANDEM_DATABASE\" -c 'SELECT * FROM v_call'"):
        assert line in shown, f"contrib/up does not show: {line}"


def everything_in_the_database_says_what_it_is_for(t):
    database = t.world.database()
    silent = postgres.sql(database, f"""
        SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname IN {SCHEMAS} AND c.relkind IN ('r', 'p', 'v', 'm') AND obj_description(c.oid, 'pg_class') IS NULL
        UNION ALL
        SELECT c.oid::regclass || '.' || a.attname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
            WHERE n.nspname IN {SCHEMAS} AND c.relkind IN ('r', 'p', 'v', 'm') AND col_description(c.oid, a.attnum) IS NULL
        UNION ALL
        SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
            WHERE n.nspname IN {SCHEMAS} AND obj_description(p.oid, 'pg_proc') IS NULL
        UNION ALL
        SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname IN {SCHEMAS} AND obj_description(oid, 'pg_namespace') IS NULL""")
    assert not silent, f"no comment on: {', '.join(row[0] for row in silent)}"
    shown = _says(database, r"\d+ config.account")
    assert "Name that the called side sees" in shown, shown


def a_secret_that_guessers_try_first_is_refused_with_the_reason(t):
    database = t.world.database()
    for secret, words in (("short", "shorter than 12"), ("201201201201", "only repeats the name"), ("voip-phone-201", "every guesser tries"),
                          ("password12345", "every guesser tries"), ("Tandem2026!!!", "every guesser tries"),
                          ("Sommer2026Sommer", "every guesser tries"), ("P@ssw0rd1234", "every guesser tries"),
                          ("1234567891234", "digits alone"), ("aabbccddeeff", "neighbouring keys"), ("zaq12wsxcde3", "neighbouring keys"),
                          ("qwertzuiopasd", "neighbouring keys"), ("hunter2hunter2", "repeats a shorter one"),
                          ("aaaaaaaabbbb", "different characters"), ("x" * 129, "longer than 128"), ("tab\tin the middle", "control characters")):
        _refuses(database, f"SELECT add_account('201', 'Anna', E'{secret}')", words, "HINT:")
    for secret in ("correct horse", "hunter2 and a dog", "arip92heo5qmwx", "4 of my summers"):
        _says(database, f"SELECT add_account('a{len(secret)}', 'Anna', '{secret}')")


def the_fallback_is_an_account_that_exists_and_stays(t):
    database = t.world.database()
    _refuses(database, "SELECT set_setting('script_fallback', 'account:201')", 'cannot be "account:201": there is no such account')
    _says(database, "SELECT add_account('201'), add_account('202')")
    _says(database, "SELECT set_setting('script_fallback', 'account:201')")
    _refuses(database, "SELECT remove_account('201')", 'account "201" cannot be removed', "script_fallback", "HINT:")
    _says(database, "SELECT remove_account('202')")
    # In one transaction the order does not matter.
    done = proc.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", database], input="""BEGIN;
        SELECT set_setting('script_fallback', 'account:203'), remove_account('201'), add_account('203'); COMMIT;""", check=False)
    assert done.returncode == 0, done.stderr
    assert _says(database, "SELECT name FROM config.account") == "203"
    _says(database, "SELECT set_setting('script_fallback', 'internal/600'), remove_account('203')")


def the_realm_is_not_lost_with_the_other_settings(t):
    database = t.world.database()
    realm = _says(database, "SELECT realm()")
    _says(database, "SELECT add_account('201'), set_setting('keepalive', '30')")
    _refuses(database, "TRUNCATE config.setting", "the realm among them", "DELETE FROM config.setting WHERE key <> 'realm'")
    _refuses(database, "DELETE FROM config.setting", "realm", "accounts")
    _refuses(database, "SELECT set_setting('realm', NULL)", "realm cannot be removed")
    _says(database, "DELETE FROM config.setting WHERE key <> 'realm'")
    assert _says(database, "SELECT key, value FROM config.setting") == f"realm|{realm}"


def no_view_is_taken_for_a_large_one(t):
    """A plan above jit_above_cost is compiled first, which takes a second: too long for a question of one row."""
    database = t.world.database()
    for (view,) in postgres.sql(database, "SELECT table_name FROM information_schema.views WHERE table_schema = 'tandem'"):
        plan = postgres.sql(database, f"EXPLAIN (FORMAT json) SELECT * FROM tandem.{view}")[0][0]
        cost = json.loads(plan)[0]["Plan"]["Total Cost"]
        assert cost < 50000, f"{view} is thought to cost {cost}"


def no_view_shows_a_secret(t):
    database = t.world.database()
    shown = postgres.sql(database, """
        SELECT table_schema || '.' || table_name || '.' || column_name FROM information_schema.columns
        JOIN information_schema.views USING (table_schema, table_name)
        WHERE table_schema = 'tandem' AND config.is_secret_column(column_name)""")
    assert not shown, shown


# --- what the switch makes of it ---

def psql_hears_when_a_change_is_in_force_and_why_it_is_not(t):
    tandem = t.own_tandem()
    database = tandem.database
    assert "no switch is connected" in _says(database, "SELECT wait_applied()")
    assert _says(database, "SELECT state FROM config_status") == "no switch has used this database yet"
    tandem.start()
    wait_until("the switch to say so", lambda: _says(database, "SELECT state FROM config_status") == "in force")
    _says(database, "SELECT add_account('201', 'Reception')")
    good = int(_says(database, "SELECT number FROM config.generation"))
    assert _says(database, "SELECT wait_applied()") == f"applied, generation {good}"
    # A constraint that somebody dropped: the switch does not believe the table.
    tandem.expect_error("was rejected: account 201")
    _says(database, "ALTER TABLE config.account DROP CONSTRAINT account_ha1_md5_is_16_bytes")
    _says(database, r"UPDATE config.account SET ha1_md5 = '\x00' WHERE name = '201'")
    words = _says(database, "SELECT wait_applied()")
    assert words.startswith(f"generation {good + 1} was rejected by the switch (node 1): account 201: its ha1_md5"), words
    assert words.endswith(f"Generation {good} stays in force"), words
    row = postgres.records(database, "SELECT * FROM config_status")[0]
    assert (row["state"], row["saved"], row["in_force"], row["rejected"]) == ("rejected", good + 1, good, good + 1), row
    assert row["rejected_row"] == "account 201" and "set_password" in row["reason"], row
    status = tandem.cli("status").stdout
    assert f"generation {good + 1} was rejected: account 201" in status, status
    # What the row's reason advises puts it right.
    secret = _says(database, "SELECT set_password('201')").rpartition(" ")[2]
    assert _says(database, "SELECT wait_applied()") == f"applied, generation {good + 2}"
    assert t.endpoint(("201", secret)).register().status == 200
    tandem.stop()
    row = postgres.records(database, "SELECT * FROM config_status")[0]
    assert row["state"] == "not connected" and row["in_force"] == good + 2, row
    assert "no switch is connected" in _says(database, "SELECT wait_applied()")


# --- roles ---

def a_reader_reads_everything_but_secrets_and_changes_nothing(t):
    database = t.world.database()
    _says(database, "SELECT add_account('201', 'Reception')")
    reader = _login(t, database, "paula", "tandem_read")
    for view in ("v_account", "v_setting", "v_registration", "v_call", "v_leg", "v_event", "config_status", "live.binding", "live.subscription", "v_subscription",
                 "record.call", "record.leg", "record.event", "config.setting", "config.change"):
        _says(reader, f"SELECT * FROM {view}")
    assert _says(reader, "SELECT name, display_name, realm <> '' FROM config.account") == "201|Reception|t"
    _refuses(reader, "SELECT ha1_md5 FROM config.account", "permission denied")
    _refuses(reader, "SELECT ha1_sha256 FROM config.account", "permission denied")
    _refuses(reader, "SELECT * FROM config.account", "permission denied")
    _refuses(reader, "SELECT add_account('202')", "permission denied", "add_account")
    _refuses(reader, "SELECT set_password('201')", "permission denied")
    _refuses(reader, "SELECT set_setting('keepalive', '30')", "permission denied")
    _refuses(reader, "UPDATE config.account SET display_name = 'x'", "permission denied")
    _refuses(reader, "DELETE FROM record.call", "permission denied")
    _refuses(reader, "DELETE FROM live.binding", "permission denied")
    _refuses(reader, "DELETE FROM live.subscription", "permission denied")
    _refuses(reader, "SELECT grant_roles()", "permission denied")


def an_administrator_changes_everything_and_sees_no_secret(t):
    database = t.world.database()
    anna = _login(t, database, "anna", "tandem_admin")
    assert _says(anna, "SELECT add_account('201', 'Reception')").startswith("account 201 added; its secret is ")
    assert _says(anna, "SELECT updated_by FROM v_account") == "anna"
    _says(anna, "UPDATE config.account SET display_name = 'Zoë', max_contacts = 3, max_call = 600 WHERE name = '201'")
    _says(anna, "SELECT set_setting('keepalive', '30')")
    _says(anna, "UPDATE config.setting SET value = '40' WHERE key = 'keepalive'")
    _says(anna, "INSERT INTO config.setting (key, value) VALUES ('max_call', '7200')")
    assert _says(anna, "SELECT value FROM v_setting WHERE key = 'keepalive'") == "40"
    _refuses(anna, "UPDATE config.account SET max_call = -5", 'account "201" cannot have max_call -5', "HINT:", "604800")
    _refuses(anna, "INSERT INTO config.account (name, display_name) VALUES ('202', 'Bob')", 'account "202" has no secret',
             "SELECT add_account('202', 'Bob')")
    _refuses(anna, "INSERT INTO config.setting VALUES ('keepalife', '40')", 'there is no setting "keepalife"', "keepalive")
    _refuses(anna, "SELECT ha1_md5 FROM config.account", "permission denied")
    _refuses(anna, r"UPDATE config.account SET ha1_md5 = '\x00'", "permission denied")
    _refuses(anna, "UPDATE config.generation SET number = 1", "permission denied")
    _refuses(anna, "DELETE FROM config.change", "permission denied")
    _refuses(anna, "UPDATE record.call SET cause = 'normal'", "permission denied")
    _refuses(anna, "UPDATE config.known_setting SET default_value = '1'", "permission denied")
    _says(anna, "DELETE FROM record.event WHERE at < now() - interval '90 days'")
    _says(anna, "DELETE FROM live.binding")
    _says(anna, "DELETE FROM live.subscription")
    _refuses(anna, "UPDATE live.subscription SET account = '202'", "permission denied")
    assert _says(anna, "SELECT remove_account('201')") == "account 201 removed"


def the_switch_works_as_a_member_of_tandem_daemon_and_cannot_change_the_configuration(t):
    database = t.world.database()
    daemon = _login(t, database, "switch_user", "tandem_daemon")
    tandem = t.own_tandem(database=daemon)
    tandem.database = database  # what administrators use
    tandem.start()
    accounts = [(name, f"a-secret-of-phone-{name}") for name in ("201", "202")]
    for name, secret in accounts:
        _says(database, f"SELECT add_account('{name}', 'Phone', '{secret}')")
    _says(database, "SELECT wait_applied()")
    a, b = t.phone(accounts[0]), t.phone(accounts[1])
    assert a.user in tandem.cli("registrations").stdout
    wait_until("the binding", lambda: _says(database, f"SELECT account FROM live.binding WHERE account = '{a.user}'") == a.user)
    a.dial(b.user)
    b.ringing()
    b.accept()
    a.established()
    a.hangup()
    b.closed()
    assert t.call_record(a.user)["cause"] == "normal"
    assert int(_says(database, "SELECT count(*) FROM v_leg")) == 2
    assert int(_says(database, "SELECT count(*) FROM v_event")) > 2
    assert _says(database, "SELECT state FROM config_status") == "in force"
    for statement in ("UPDATE config.account SET enabled = false", "DELETE FROM config.account", "SELECT add_account('999')",
                      "SELECT set_password('201')", "INSERT INTO config.setting VALUES ('keepalive', '1')",
                      "SELECT set_setting('keepalive', '1')", "UPDATE config.generation SET number = 1",
                      "TRUNCATE config.account", "DELETE FROM record.call", "CREATE TABLE config.mine (x int)"):
        _refuses(daemon, statement, "permission denied")


def whoever_may_not_make_roles_is_told_who_has_to(t):
    cluster = t.own_cluster().start()
    cluster.sql("CREATE ROLE plain LOGIN")
    cluster.sql("CREATE DATABASE pbx OWNER plain")
    owner = cluster.conninfo("pbx").replace("user=tandem ", "user=plain ")

    def migrate():
        return proc.run([f"{t.world.build}/core/tandem", "db", "migrate", "--database", owner, "--dir",
                         f"{t.world.source}/db/migrations"]).stdout
    said = migrate()
    advice = [line for line in said.splitlines() if "A superuser runs: " in line]
    assert advice and "nobody but the owner, plain, can use this database yet" in advice[-1], said
    roles, _, then = advice[-1].partition("A superuser runs: ")[2].partition("; then the owner runs: ")
    for statement in roles.split("; "):
        cluster.sql(statement)
    assert _says(owner, then) == "tandem_admin, tandem_read and tandem_daemon have their rights"
    cluster.sql("CREATE ROLE anna LOGIN IN ROLE tandem_admin")
    anna = owner.replace("user=plain ", "user=anna ")
    _says(anna, "SELECT add_account('201')")
    _refuses(anna, "SELECT ha1_md5 FROM config.account", "permission denied")
    assert "superuser runs" not in migrate()
