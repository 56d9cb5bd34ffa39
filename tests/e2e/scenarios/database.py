"""Trouble with the database, as an administrator meets it: phones register and call all the same, `tandem status` says in
words what is the matter, and when it is over nothing is missing, nothing is there twice and nobody had to do anything."""

import os
import shutil
import time

from harness import postgres, proc
from harness.proc import wait_until
from harness.runner import scenario
from harness.traffic import Traffic


# --- help ---

def _own(t, **options):
    """(cluster, tandem): a Tandem with a cluster of its own, started."""
    cluster = t.own_cluster().start()
    tandem = t.own_tandem(database=cluster.create_database("tandem"), log="info", **options)
    tandem.migrate()
    tandem.start()
    return cluster, tandem


def _status(tandem):
    """`tandem status` as people read it, on one line."""
    return " ".join(tandem.cli("status").stdout.split())


def _says(tandem, words, timeout=40):
    """Waits until `tandem status` says all of these words."""
    wanted = [words] if isinstance(words, str) else words
    try:
        wait_until(f"tandem status to say {wanted}", lambda: all(w in _status(tandem) for w in wanted), timeout, 0.3)
    except proc.Failed as failure:
        raise proc.Failed(f"{failure}; it says: {_status(tandem)}") from failure


def _ready(tandem, timeout=45):
    """The database is there again, and has all records and live rows."""
    _says(tandem, ["database ready", "records: 0 waiting"], timeout)
    def settled():
        facts = tandem.json("status")["database"]
        return facts["records"]["waiting"] == 0 and facts["records"]["lost"] == 0 and facts["live"]["waiting"] == 0
    wait_until("everything to be written", settled, timeout, 0.3)


def _traffic(t, rate=20):
    # Sanitizers make everything several times as slow, and an overloaded switch refuses calls.
    return Traffic(t.tandem.server, t.account(), t.account(), rate=rate / 3 if t.world.sanitized else rate)


def _all_went_well(t, traffic):
    """Every call of it was answered and ended as it should, and has exactly one record that says so."""
    assert not traffic.refused, f"{len(traffic.refused)} calls were refused or cut off: {list(traffic.refused.values())[:3]}"
    assert traffic.finished == traffic.sent and len(traffic.sent) > 10, (len(traffic.finished), len(traffic.sent))
    rows = t.tandem.sql("SELECT sip_call_id, answered, cause FROM record.call WHERE from_account = "
                        f"'{traffic.caller.user}'")
    ids = [row[0] for row in rows]
    assert len(ids) == len(set(ids)), f"{len(ids) - len(set(ids))} calls are recorded twice"
    assert set(ids) == traffic.sent, f"{len(traffic.sent - set(ids))} of {len(traffic.sent)} calls have no record"
    odd = [row for row in rows if row[1:] != ["t", "normal"]]
    assert not odd, f"records that do not say what happened: {odd[:3]}"
    legs = t.tandem.sql("SELECT count(*), count(DISTINCT id) FROM record.leg WHERE call_id IN (SELECT id FROM record.call "
                        f"WHERE from_account = '{traffic.caller.user}')")[0]
    assert legs == [str(2 * len(ids))] * 2, f"{legs} legs of {len(ids)} calls"


def _account(t):
    """As t.account(), but by SQL: the switch may not be allowed to make one."""
    name, secret = t.world.account_name(), "a secret of " + os.urandom(8).hex()
    t.tandem.sql(f"SELECT add_account('{name}', 'Test', '{secret}')")
    assert t.tandem.sql("SELECT wait_applied()")[0][0].startswith("applied")
    return name, secret


def _calls_and_registers(t):
    """A new phone registers and is called: both work at this moment."""
    callee, caller = t.endpoint(_account(t)), t.endpoint(_account(t))
    assert callee.register().status == 200, "no registration"
    caller.send_invite(callee.user)
    invite = callee.request("INVITE")
    callee.reply(invite, 200, "OK", callee.sdp())
    answer = caller.response("INVITE", 200)
    caller.ack(answer)
    assert caller.bye(answer).status == 200


# --- starting without it ---

@scenario(seconds=120)
def without_the_database_a_switch_starts_from_its_local_copy(t):
    cluster, tandem = _own(t)
    tandem.expect_error("database|PostgreSQL")
    accounts = [t.account(), t.account()]
    callee, caller = t.endpoint(accounts[0]), t.endpoint(accounts[1])
    assert callee.register(expires=600).status == 200
    copy = os.path.join(tandem.home, "state", "config.copy")
    wait_until("the local copy", lambda: os.path.exists(copy))
    assert os.stat(copy).st_mode & 0o077 == 0, "others may read the local copy"
    # What is changed last is in the copy too.
    tandem.sql(f"SELECT set_account_enabled('{t.account()[0]}', false)")
    disabled = (str(int(callee.user) + 2), "x" * 16)
    time.sleep(1)
    tandem.kill()
    cluster.stop()
    tandem.start()
    _says(tandem, ["from the local copy", "database", "connect"])
    assert "ready" not in _status(tandem).split("database", 1)[1][:12], _status(tandem)
    # The phone that was registered is there, and the secrets are known.
    caller.send_invite(callee.user)
    caller_heard = callee.request("INVITE")
    callee.reply(caller_heard, 486, "Busy Here")
    assert caller.response("INVITE").status == 486
    assert callee.register(expires=600, cseq=5).status == 200
    with t.endpoint(disabled) as nobody:
        assert nobody.register().status in (401, 403), "a disabled account may register"
    cluster.start()
    _ready(tandem)
    assert "from the local copy" not in _status(tandem)
    assert t.call_record(caller.user)["cause"] == "busy"


def _register_many(t, count):
    """So many accounts with a registered phone each, all at one endpoint: (endpoint, names)."""
    names = [f"p{i}" for i in range(count)]
    t.tandem.sql("SELECT count(add_account('p' || i, '', md5('p' || i))) FROM generate_series(0, " + str(count - 1) + ") i")
    wait_until("the accounts", lambda: len(t.tandem.json("accounts")["accounts"]) >= count, 20)
    import hashlib
    phone = t.endpoint((names[0], ""))
    for name in names:
        phone.user, phone.secret = name, hashlib.md5(name.encode()).hexdigest()
        assert phone.register(expires=3600).status == 200, name
    return phone, names


@scenario(seconds=180)
def a_thousand_phones_are_reachable_five_seconds_after_a_kill_without_the_database(t):
    cluster, tandem = _own(t)
    tandem.expect_error("database|PostgreSQL")
    phone, names = _register_many(t, 1000)
    caller = t.endpoint()
    cluster.stop("immediate")
    tandem.kill()
    began = time.monotonic()
    tandem.start()
    found = len(tandem.json("registrations")["registrations"])
    for name in (names[0], names[499], names[999]):
        caller.send_invite(name)
        invite = phone.request("INVITE")
        assert f"sip:{name}@" in invite.start, invite
        phone.reply(invite, 486, "Busy Here")
        assert caller.response("INVITE").status == 486
    took = time.monotonic() - began
    assert found == 1000, f"{found} registrations are left"
    assert took < 5, f"it took {took:.1f} s"
    cluster.start()
    _ready(tandem)
    assert tandem.sql("SELECT count(*) FROM v_registration") == [["1000"]]


# --- trouble under load ---

def _trouble_under_load(t, tandem, begin, end, seconds, words, rate=20):
    """Traffic all the time; in the middle of it the trouble. `words`: what `tandem status` says meanwhile."""
    tandem.expect_error("database|PostgreSQL")
    traffic = _traffic(t, rate).start()
    try:
        traffic.wait(1)
        begin()
        until = time.monotonic() + seconds
        if words:
            _says(tandem, words)
        # What changes meanwhile is in force meanwhile: a phone that nobody knew registers, and is called.
        newcomer, caller = t.newcomers
        assert newcomer.register(expires=3600).status == 200
        caller.send_invite(newcomer.user)
        newcomer.reply(newcomer.request("INVITE"), 486, "Busy Here")
        assert caller.response("INVITE").status == 486
        traffic.wait(max(0.1, until - time.monotonic()))
        end()
        traffic.wait(1)
        traffic.stop()
        _ready(tandem, 90)
    finally:
        traffic.close()
    _all_went_well(t, traffic)
    slowest = max(traffic.took.values())
    assert slowest < 1, f"the database is waited for: an answer took {slowest:.2f} s"
    assert tandem.sql(f"SELECT count(*) FROM v_registration WHERE account = '{newcomer.user}'") == [["1"]]
    assert t.call_record(caller.user)["cause"] == "busy"


def _newcomers(t):
    """Two accounts that are known before the trouble begins."""
    t.newcomers = t.endpoint(), t.endpoint()


@scenario(seconds=180)
def postgresql_is_stopped_under_load(t):
    cluster, tandem = _own(t, crowd=True)
    _newcomers(t)
    _trouble_under_load(t, tandem, cluster.stop, cluster.start, 60, ["database down", "records:"], rate=30)


@scenario(seconds=900, long=True)
def postgresql_is_stopped_for_ten_minutes_under_load(t):
    cluster, tandem = _own(t, crowd=True)
    _newcomers(t)  # a port rests for five seconds after use: fifty calls a second keep twelve hundred busy
    _trouble_under_load(t, tandem, cluster.stop, cluster.start, 600, ["database down", "records:"], rate=50)


@scenario(seconds=180)
def postgresql_is_frozen_under_load(t):
    cluster, tandem = _own(t, crowd=True)
    _newcomers(t)
    _trouble_under_load(t, tandem, cluster.freeze, cluster.thaw, 25, ["database down", "did not answer"])


@scenario(seconds=120)
def postgresql_crashes_and_is_restarted_under_load(t):
    cluster, tandem = _own(t, crowd=True)
    _newcomers(t)
    def crash_and_start():
        cluster.stop("immediate")
        cluster.start()
    _trouble_under_load(t, tandem, crash_and_start, crash_and_start, 4, None)


@scenario(seconds=120)
def a_slow_database_slows_no_call(t):
    cluster = t.own_cluster().start()
    conninfo = cluster.create_database("tandem")
    slow = postgres.Slow(t.directory("slow"), cluster, 0.7)
    tandem = t.own_tandem(database=slow.conninfo("tandem"), crowd=True, log="info")
    tandem.database = conninfo
    tandem.migrate()
    tandem.start()
    wait_until("the database to be ready", lambda: tandem.json("status")["database"]["state"] == "ready", 30)
    traffic = _traffic(t, 30)
    wait_until("the accounts", lambda: len(tandem.json("accounts")["accounts"]) == 2, 10)
    traffic.start()
    traffic.wait(5)
    traffic.stop()
    slowest = max(traffic.took.values())
    traffic.close()
    assert slowest < 0.5, f"an answer took {slowest:.2f} s"
    _ready(tandem, 60)
    _all_went_well(t, traffic)
    slow.close()


@scenario(seconds=240)
def the_disk_of_postgresql_is_full_under_load(t):
    cluster = t.own_cluster(postgres.Tiny).start()
    tandem = t.own_tandem(database=cluster.create_database("tandem"), crowd=True, log="info")
    tandem.migrate()
    tandem.start()
    _newcomers(t)
    def room_again():
        cluster.make_room()
        if not cluster.running():
            cluster.start()
    _trouble_under_load(t, tandem, cluster.fill, room_again, 20, ["database", "No space left on device"], rate=30)


@scenario(seconds=240)
def another_host_takes_over_under_load(t):
    first = t.own_cluster(more="wal_level = replica\n").start()
    first.sql("CREATE DATABASE tandem")
    second = t.own_cluster(create=False).follow(first).start()
    # A commit is one when both have it: otherwise PostgreSQL may lose what it has said yes to.
    for setting in ("synchronous_commit = 'on'", "synchronous_standby_names = '*'"):
        first.sql("ALTER SYSTEM SET " + setting)
    first.sql("SELECT pg_reload_conf()")
    database = f"host={first.directory},{second.directory} port=5432,5432 user=tandem dbname=tandem " \
               "target_session_attrs=read-write"
    tandem = t.own_tandem(database=database, crowd=True, log="info")
    tandem.migrate()
    tandem.start()
    _newcomers(t)
    _trouble_under_load(t, tandem, lambda: first.stop("immediate"), second.promote, 8, ["database down"])
    assert second.sql("SELECT pg_is_in_recovery()") == [["f"]]


# --- what an administrator can put right ---

@scenario(seconds=120)
def an_older_and_a_newer_schema_are_told_of_and_waited_for(t):
    cluster = t.own_cluster().start()
    tandem = t.own_tandem(database=cluster.create_database("tandem"), log="info")
    tandem.expect_error("database|schema")
    tandem.launch()
    wait_until("the control socket", lambda: os.path.exists(tandem.control))
    _says(tandem, ["the database schema is version 0", "tandem db migrate"])
    tandem.migrate()
    _ready(tandem)
    _calls_and_registers(t)
    tandem.sql("INSERT INTO tandem.migration (version, name, checksum) VALUES (9999, '9999_future.sql', 'x')")
    tandem.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'tandemd %'")
    _says(tandem, ["the database schema is version 9999, newer than this Tandem", "use a newer Tandem"])
    # Meanwhile everything goes on with what is known.
    callee = t.endpoint(("201", "x"))
    assert callee.register().status in (401, 403)
    tandem.sql("DELETE FROM tandem.migration WHERE version = 9999")
    _ready(tandem)
    _calls_and_registers(t)


@scenario(seconds=90)
def a_migration_that_is_missing_below_the_newest_is_noticed(t):
    """As when two upgrades crossed: the highest number alone would say that all is well."""
    tandem = t.own_tandem(database=t.own_cluster().start().create_database("tandem"), log="info")
    tandem.expect_error("database|schema")
    some = os.path.join(t.directory("migrations"), "some")
    shutil.copytree(f"{t.world.source}/db/migrations", some)
    os.unlink(os.path.join(some, "0014_status.sql"))
    proc.run([tandem.path("tandem"), "db", "migrate", "--database", tandem.database, "--dir", some])
    tandem.launch()
    wait_until("the control socket", lambda: os.path.exists(tandem.control))
    _says(tandem, ["the database schema lacks migration 0014", "tandem db migrate"])
    words = tandem.command_fails("account", "list")
    assert "lacks migration 0014" in words and "tandem db migrate" in words, words
    tandem.migrate()
    _ready(tandem)
    _calls_and_registers(t)


@scenario(seconds=150)
def missing_rights_are_told_of_in_words_and_granted_in_time(t):
    cluster = t.own_cluster().start()
    conninfo = cluster.create_database("tandem")
    owner = t.own_tandem(database=conninfo, log="info")
    owner.migrate()
    owner.sql("CREATE ROLE switch LOGIN")
    tandem = t.own_tandem(database=conninfo.replace("user=tandem", "user=switch"), log="info")
    tandem.database = conninfo  # the test itself is the owner
    tandem.expect_error("database|permission denied")
    tandem.launch()
    wait_until("the control socket", lambda: os.path.exists(tandem.control))
    _says(tandem, "permission denied for schema tandem")
    tandem.sql("GRANT tandem_daemon TO switch")
    _ready(tandem)
    _calls_and_registers(t)
    _ready(tandem)
    # Only some of the rights are missing: the rest works, and is told apart.
    tandem.sql("REVOKE INSERT ON record.event FROM tandem_daemon")
    tandem.sql("REVOKE EXECUTE ON FUNCTION live.write_rows FROM tandem_daemon")
    tandem.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'tandemd %'")
    _ready(tandem)
    _calls_and_registers(t)
    _says(tandem, ["database ready", "permission denied for table event", "permission denied for function write_rows"])
    assert tandem.json("status")["database"]["records"]["set_aside"] == 0, "rows were blamed for missing rights"
    tandem.sql("SELECT grant_roles()")
    _ready(tandem)
    assert "permission denied" not in _status(tandem), _status(tandem)
    assert tandem.sql("SELECT count(*) FROM record.call") == [["2"]]
    assert int(tandem.sql("SELECT count(*) FROM record.event")[0][0]) >= 2
    assert tandem.sql("SELECT count(*) FROM v_registration") == [["2"]]


@scenario(seconds=120)
def a_row_that_the_database_refuses_is_set_aside_and_the_others_go_on(t):
    _, tandem = _own(t)
    tandem.expect_error("set aside")
    tandem.sql("ALTER TABLE record.leg ADD CONSTRAINT no_callee CHECK (inbound)")
    _calls_and_registers(t)
    _says(tandem, ["database ready", "1 set aside", "records: 0 waiting"])
    aside = os.path.join(tandem.home, "state", "spool", "bad")
    text = next(name for name in os.listdir(aside) if name.endswith(".txt"))
    with open(os.path.join(aside, text), encoding="utf-8") as f:
        words = f.read()
    assert "no_callee" in words and "move the .spool file" in words, words
    assert tandem.sql("SELECT count(*) FROM record.call WHERE cause = 'normal'") == [["1"]]
    assert tandem.sql("SELECT count(*) FROM record.leg") == [["1"]]
    # The reason is gone: the administrator does what the text says.
    tandem.sql("ALTER TABLE record.leg DROP CONSTRAINT no_callee")
    tandem.stop()
    os.rename(os.path.join(aside, text.replace(".txt", ".spool")),
              os.path.join(os.path.dirname(aside), text.replace(".txt", ".spool")))
    tandem.start()
    _ready(tandem)
    assert tandem.sql("SELECT count(*) FROM record.leg") == [["2"]]


@scenario(seconds=90)
def a_registration_that_is_deleted_by_sql_is_gone_at_once(t):
    callee, caller = t.endpoint(), t.endpoint()
    assert callee.register(expires=600).status == 200
    t.tandem.wait_record(f"SELECT 1 AS yes FROM v_registration WHERE account = '{callee.user}'", "the row")
    t.tandem.sql(f"DELETE FROM live.binding WHERE account = '{callee.user}'")
    wait_until("the phone to be forgotten", lambda: not t.tandem.registrations(callee.user), 5)
    assert caller.invite(callee.user).status >= 400
    # The phone does not know, and registers again when its time has come.
    assert callee.register(expires=600, cseq=7).status == 200
    t.tandem.wait_record(f"SELECT 1 AS yes FROM v_registration WHERE account = '{callee.user}'", "the row again")
    caller.send_invite(callee.user)
    callee.request("INVITE")
    caller.cancel()


@scenario(seconds=90)
def a_row_deleted_while_the_switch_is_away_stays_deleted(t):
    _, tandem = _own(t)
    callee, other = t.endpoint(), t.endpoint()
    assert callee.register(expires=600).status == 200 and other.register(expires=600).status == 200
    tandem.wait_record("SELECT 1 AS yes FROM v_registration HAVING count(*) = 2", "two rows")
    tandem.kill()
    tandem.sql(f"DELETE FROM live.binding WHERE account = '{callee.user}'")
    tandem.start()
    wait_until("the phone to be forgotten", lambda: not tandem.registrations(callee.user), 10)
    assert len(tandem.registrations(other.user)) == 1
