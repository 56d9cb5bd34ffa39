"""Something else happens in the middle of a command: another administrator, or the end of the database."""

import os
import re
import subprocess

from harness import postgres, proc
from harness.proc import wait_until
from harness.runner import scenario


class Psql:
    """A person at psql, who types one line after the other and leaves the transaction open meanwhile."""

    def __init__(self, t, database):
        self.log = os.path.join(t.directory("psql"), "out")
        with open(self.log, "wb") as out:
            self.child = subprocess.Popen(["psql", "-X", "-q", "-A", "-t", "-v", "VERBOSITY=terse", database],
                                          stdin=subprocess.PIPE, stdout=out, stderr=out)
        self.said = 0

    def text(self):
        with open(self.log, encoding="utf-8") as f:
            return f.read()

    def type(self, line):
        self.child.stdin.write(line.encode() + b"\n")
        self.child.stdin.flush()

    def does(self, line):
        """Types it and waits until it is done."""
        self.said += 1
        self.type(f"{line}\n\\echo done {self.said}")
        wait_until(f"psql to have done: {line}", lambda: f"done {self.said}\n" in self.text())

    def end(self):
        self.child.stdin.close()
        assert self.child.wait(30) == 0, self.text()
        return self.text()


def _command(t, *args):
    """A command that is under way: proc.Program."""
    env = ["env", f"TANDEM_DATABASE={t.tandem.database}"]
    return t.program([*env, t.tandem.path("tandem"), "-s", t.tandem.control, *args], f"{t.directory('command')}/out")


def _waits(t, count=1):
    """So many sessions of the command line wait for a lock."""
    return t.tandem.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'tandem (%' AND wait_event_type = 'Lock' "
                        "AND datname = current_database()") == [[str(count)]]


def _people(t, first, count):
    path = os.path.join(t.directory("import"), "people.csv")
    with open(path, "w", encoding="utf-8") as f:
        f.write("name,display_name,secret\n")
        f.writelines(f"{first + n},Person {n},the secret of person {n}\n" for n in range(count))
    return path


def _name(t, account):
    return t.tandem.sql(f"SELECT display_name FROM config.account WHERE name = '{account}'")[0][0]


# --- two administrators ---

def two_administrators_who_cross_each_other_take_turns(t):
    """Each changes two rows, in opposite order: without turns one of them would be sent away as a deadlock."""
    tandem = t.own_tandem().start()
    for name in ("201", "202"):
        tandem.cli("account", "add", name)
    anna, bob = Psql(t, tandem.database), Psql(t, tandem.database)
    anna.does("BEGIN; UPDATE config.account SET display_name = 'Anna 1' WHERE name = '201';")
    bob.type("BEGIN; UPDATE config.account SET display_name = 'Bob 2' WHERE name = '202';")
    wait_until("Bob to wait", lambda: tandem.sql("SELECT count(*) FROM pg_locks WHERE NOT granted") != [["0"]])
    anna.does("UPDATE config.account SET display_name = 'Anna 2' WHERE name = '202';")
    anna.does("COMMIT;")
    bob.does("UPDATE config.account SET display_name = 'Bob 1' WHERE name = '201';")
    bob.does("COMMIT;")
    for who in (anna, bob):
        assert "ERROR" not in who.end(), who.text()
    assert (_name(t, "201"), _name(t, "202")) == ("Bob 1", "Bob 2")
    rows = tandem.sql("SELECT generation, count(*) FROM v_history WHERE action = 'change' GROUP BY 1 ORDER BY 1")
    assert [count for _, count in rows] == ["2", "2"], rows


@scenario(seconds=90)
def a_change_in_the_middle_of_a_long_import_waits_and_breaks_nothing(t):
    tandem = t.own_tandem().start()
    tandem.cli("account", "add", "10500")
    running = _command(t, "account", "import", _people(t, 10000, 600))
    generation = "SELECT count(*) FROM pg_locks WHERE relation = 'config.generation'::regclass AND mode = 'RowExclusiveLock'"
    wait_until("the import to have begun", lambda: tandem.sql(generation) != [["0"]])
    said = tandem.cli("account", "set", "10500", "--name", "By hand", timeout=60).stdout
    assert "applied" in said, said
    wait_until("the import to end", lambda: not running.running(), 60)
    assert "599 added, 1 changed" in running.text(), running.text()
    assert _name(t, "10500") == "By hand", "the one who came later lost"


@scenario(seconds=90)
def who_keeps_a_transaction_open_is_named_to_the_one_who_waits(t):
    tandem = t.own_tandem().start()
    tandem.cli("account", "add", "201")
    postgres.sql(tandem.database, "DROP ROLE IF EXISTS lunch")
    postgres.sql(tandem.database, "CREATE ROLE lunch LOGIN IN ROLE tandem_admin")
    forgetful = Psql(t, tandem.database.replace("user=tandem ", "user=lunch "))
    forgetful.does("BEGIN; UPDATE config.account SET display_name = 'Back soon' WHERE name = '201';")
    words = tandem.command_fails("setting", "set", "keepalive", "30")
    assert "lunch (psql) is in the middle of changing the configuration" in words and "COMMIT or ROLLBACK" in words, words
    assert "201" in tandem.cli("account", "list").stdout, "reading waits, too"
    forgetful.does("COMMIT;")
    assert "applied" in tandem.cli("setting", "set", "keepalive", "30").stdout
    forgetful.end()


def a_rollback_undoes_what_another_was_about_to_save(t):
    tandem = t.own_tandem().start()
    tandem.cli("account", "add", "201", "--name", "Before")
    at = tandem.sql("SELECT number FROM config.generation")[0][0]
    other = Psql(t, tandem.database)
    other.does("BEGIN; UPDATE config.account SET display_name = 'After' WHERE name = '201'; SELECT set_setting('keepalive', '30');")
    running = _command(t, "config", "rollback", at)
    wait_until("the rollback to wait", lambda: _waits(t))
    other.does("COMMIT;")
    wait_until("the rollback to end", lambda: not running.running())
    assert "2 rows are as in generation" in running.text(), running.text()
    assert _name(t, "201") == "Before" and tandem.sql("SELECT count(*) FROM config.setting WHERE key = 'keepalive'") == [["0"]]
    other.end()


# --- the database goes away ---

def _own(t):
    cluster = t.own_cluster(more="synchronous_commit = on\n").start()  # what was saved is there after a crash
    tandem = t.own_tandem(database=cluster.create_database("tandem")).migrate().start()
    tandem.expect_error("database|PostgreSQL")
    tandem.cli("account", "add", "201", "--name", "Before")
    return cluster, tandem


@scenario(seconds=120)
def a_database_that_goes_away_in_the_middle_of_a_command_changes_nothing_and_is_named(t):
    cluster, tandem = _own(t)
    home = t.directory("files")
    sql = os.path.join(home, "change.sql")
    with open(sql, "w", encoding="ascii") as f:
        f.write("UPDATE config.account SET display_name = 'After';\nSELECT pg_sleep(30);\n")
    backup = os.path.join(home, "good.tar")
    tandem.cli("backup", backup)
    tandem.cli("account", "set", "201", "--name", "Now")
    # Each of them waits in its middle: for the end of a pause, or for a table that somebody keeps.
    tandem.sql("CREATE FUNCTION public.pause() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(30); RETURN NEW; END'")
    tandem.sql("CREATE TRIGGER z_pause BEFORE INSERT ON config.account FOR EACH ROW WHEN (NEW.name = '10002') "
               "EXECUTE FUNCTION public.pause()")
    tandem.sql("CREATE TRIGGER z_pause BEFORE INSERT ON config.setting FOR EACH ROW EXECUTE FUNCTION public.pause()")
    for command in (["account", "import", _people(t, 10000, 5)], ["config", "apply", sql], ["account", "add", "10002"],
                    ["restore", backup, "--yes"], ["setting", "set", "keepalive", "30"]):
        running = _command(t, *command)
        wait_until("it to be in its middle", lambda: tandem.sql(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'tandem (%' AND wait_event = 'PgSleep'") == [["1"]], 20)
        cluster.stop("immediate")
        wait_until("the command to end", lambda: not running.running(), 20)
        assert running.child.returncode == 1, command
        text = running.text()
        assert "the connection to the database was lost" in text and "no connection to the server" not in text, (command, text)
        assert "applied" not in text and "line of" not in text, (command, text)
        words = tandem.command_fails(*command)
        assert "connection to server on socket" in words, words
        cluster.start()
        assert tandem.sql("SELECT name, display_name FROM config.account") == [["201", "Now"]], command
        assert not [n for n in os.listdir(os.path.dirname(t.world.dialplan())) if "restored" in n or "before" in n], "litter"
    tandem.sql("DROP TRIGGER z_pause ON config.account; DROP TRIGGER z_pause ON config.setting")
    assert re.search("applied|no switch", tandem.cli("setting", "set", "keepalive", "30", timeout=40).stdout)


@scenario(seconds=60)
def a_backup_whose_database_goes_away_leaves_no_half_of_it(t):
    cluster, tandem = _own(t)
    home = t.directory("backup")
    keeper = Psql(t, tandem.database)
    keeper.does("BEGIN; LOCK TABLE config.account IN ACCESS EXCLUSIVE MODE;")
    running = _command(t, "backup", os.path.join(home, "x.tar"))
    wait_until("the backup to wait", lambda: _waits(t))
    cluster.stop("immediate")
    wait_until("the backup to end", lambda: not running.running(), 20)
    assert running.child.returncode == 1 and "the connection to the database was lost" in running.text(), running.text()
    assert os.listdir(home) == [], os.listdir(home)
    keeper.child.stdin.close()
    keeper.child.wait(20)
    cluster.start()


@scenario(seconds=60)
def a_dialplan_that_cannot_be_moved_stays_and_the_restored_one_is_kept_beside_it(t):
    """As in a container, where the directory is mounted from outside."""
    plan = os.path.join(t.directory("plan"), "dialplan")
    proc.run(["cp", "-r", t.world.dialplan(), plan])
    tandem = t.own_tandem(dialplan=plan).start()
    tandem.cli("account", "add", "201", "--name", "Before")
    path = os.path.join(t.directory("backup"), "x.tar")
    tandem.cli("backup", path)
    tandem.cli("account", "set", "201", "--name", "After")
    as_root = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    done = proc.run(["unshare", *as_root, "--mount", "sh", "-c", 'mount --bind "$0" "$0" && exec "$@"', plan, tandem.path("tandem"),
                     "-s", tandem.control, "restore", path, "--yes"], check=False, env={"TANDEM_DATABASE": tandem.database})
    assert done.returncode == 1 and "the database is restored, but the dialplan" in done.stderr, done
    beside = re.search(r"backup is in (\S+)", done.stderr).group(1)
    assert sorted(os.listdir(beside)) == sorted(os.listdir(plan)) and os.path.exists(os.path.join(plan, "init.lua"))
    assert _name(t, "201") == "Before"
