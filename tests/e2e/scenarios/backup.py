"""Backup and restore, as an administrator types them; the archive is opened by an ordinary tar."""

import csv
import io
import json
import os
import pty
import stat
import subprocess
import tarfile

from harness import postgres, proc
from harness.proc import wait_until
from harness.runner import scenario


def _tandem(t, *args, status=0, words=(), **options):
    done = t.tandem.cli(*args, check=False, timeout=40, **options)
    said = done.stdout + done.stderr
    assert done.returncode == status, f"tandem {' '.join(args)} ended with {done.returncode}: {said}"
    for word in words:
        assert word in said, f"tandem {' '.join(args)}: {word!r} is not in: {said}"
    return done.stdout


def _own_dialplan(t):
    """A dialplan of this test's own, with a sound file and a name that is not ASCII."""
    path = os.path.join(t.directory("plan"), "dialplan")
    proc.run(["cp", "-r", t.world.dialplan(), path])
    os.makedirs(os.path.join(path, "sounds", "de"))
    with open(os.path.join(path, "sounds", "de", "Grüße.wav"), "wb") as f:
        f.write(bytes(range(256)) * 5)
    return path


def _filled(t):
    """A switch with people, a device, a setting and a call. Returns accounts with their secrets, and the dialplan."""
    plan = _own_dialplan(t)
    tandem = t.own_tandem(dialplan=plan).start()
    people = [t.account(), t.account()]
    _tandem(t, "account", "set", people[0][0], "--name", 'Zoë "the boss"\'s, desk', "--max-call", "60")
    device = json.loads(_tandem(t, "--json", "device", "add", people[0][0], "--label", "At home"))
    _tandem(t, "setting", "set", "keepalive", "30")
    a, b = t.endpoint(people[0]), t.endpoint(people[1])
    assert b.register(expires=600).status == 200
    a.send_invite(b.user)
    b.request("INVITE")
    a.cancel()
    wait_until("the call's record", lambda: tandem.sql("SELECT count(*) FROM v_call WHERE ended_at IS NOT NULL") == [["1"]])
    tandem.sql("""INSERT INTO record.event (id, call_id, node, at, kind, detail)
        SELECT gen_random_uuid(), id, 1, now(), 'note', 'it''s, "quoted"' FROM record.call, generate_series(1, 2)""")
    wait_until("the binding's row", lambda: tandem.sql("SELECT count(*) FROM live.binding") == [["1"]])
    return people + [(device["name"], device["secret"])], plan


def _config(database):
    return [postgres.sql(database, f"SELECT to_jsonb(t) - 'updated_at' - 'updated_by' FROM config.{table} t ORDER BY 1")
            for table in ("account", "device", "setting")]


@scenario(seconds=120)
def a_backup_of_a_running_switch_makes_the_same_switch_again(t):
    people, plan = _filled(t)
    old = t.tandem
    path = os.path.join(t.directory("backup"), "tandem.tar")
    said = _tandem(t, "backup", path, words=["2 of config.account", "1 of config.device", "keep it as safe as the database"])
    assert "record.call" not in said and os.stat(path).st_mode & 0o777 == 0o600, said
    # An ordinary tar opens it, and a person can read it.
    listed = proc.run(["tar", "tvf", path]).stdout
    for name in ("backup.json", "config/account.csv", "config/device.csv", "config/setting.csv", "live/binding.csv",
                 "dialplan/init.lua"):
        assert name in listed, listed
    with tarfile.open(path) as archive:
        manifest = json.load(archive.extractfile("backup.json"))
        assert manifest["generation"] == int(old.sql("SELECT number FROM config.generation")[0][0]), manifest
        assert "Zoë" in archive.extractfile("config/account.csv").read().decode()
        assert len(archive.extractfile("dialplan/sounds/de/Grüße.wav").read()) == 256 * 5
    was = _config(old.database)
    old.stop()
    # Another machine: an empty database, no dialplan, no switch yet.
    empty = t.world.cluster.create_database("restored")
    new_plan = os.path.join(t.directory("plan"), "dialplan")
    os.makedirs(os.path.dirname(new_plan), exist_ok=True)
    command = [old.path("tandem"), "-s", "/nowhere", "-d", empty]
    done = proc.run([*command, "restore", path, "--dialplan", new_plan, "--dir", f"{t.world.source}/db"], timeout=40)
    assert "applied 0001_tables.sql" in done.stdout and "no switch is connected" in done.stdout, done.stdout
    assert _config(empty) == was, "the configuration is not the same"
    assert postgres.sql(empty, "SELECT count(*) FROM live.binding") == [["1"]]
    assert postgres.sql(empty, "SELECT count(*) FROM record.call") == [["0"]], "records came without being asked for"
    assert proc.run(["diff", "-r", plan, new_plan]).stdout == ""
    new = t.own_tandem(database=empty, dialplan=new_plan).start()
    wait_until("the accounts", lambda: len(new.json("accounts")["accounts"]) == 2)
    for person in people:
        assert t.endpoint(person).register().status == 200, "a secret is not the same"


@scenario(seconds=120)
def a_restore_over_what_is_there_asks_first_and_can_be_undone(t):
    people, plan = _filled(t)
    tandem = t.tandem
    path = os.path.join(t.directory("backup"), "tandem.tar")
    _tandem(t, "backup", path)
    was = _config(tandem.database)
    _tandem(t, "account", "del", people[0][0])
    _tandem(t, "account", "add", "999", "--name", "New here")
    _tandem(t, "setting", "set", "max_call", "7200")
    with open(os.path.join(plan, "new.lua"), "w", encoding="ascii") as f:
        f.write("-- later\n")
    now, generation = _config(tandem.database), tandem.sql("SELECT number FROM config.generation")[0][0]
    # Nobody is there to answer: nothing happens.
    _tandem(t, "restore", path, status=1, words=["nothing was changed", "2 of config.account", "--yes"])
    assert _config(tandem.database) == now and os.path.exists(os.path.join(plan, "new.lua"))
    # At a terminal: no, then yes.
    for answer, status in (("no", 1), ("yes", 0)):
        master, slave = pty.openpty()
        child = subprocess.Popen([tandem.path("tandem"), "-s", tandem.control, "restore", path], stdin=slave, stdout=slave,
                                 stderr=slave, env={**os.environ, "TANDEM_DATABASE": tandem.database}, start_new_session=True)
        os.close(slave)
        shown = ""
        while "Type yes to go on: " not in shown:
            shown += os.read(master, 4096).decode()
        assert "2 of config.account" in shown and "tandem config rollback" in shown, shown
        os.write(master, answer.encode() + b"\n")
        assert child.wait(30) == status, (answer, shown)
        os.close(master)
        assert _config(tandem.database) == (now if status else was), answer
    assert sorted(a["name"] for a in tandem.json("accounts")["accounts"]) == sorted(p[0] for p in people[:2])
    assert t.endpoint(people[0]).register().status == 200
    assert tandem.registrations(people[1][0]), "a running switch forgot its phones"
    assert not os.path.exists(os.path.join(plan, "new.lua")) and tandem.wait_log("dialplan of .* loaded")
    aside = [d for d in os.listdir(os.path.dirname(plan)) if d.startswith("dialplan.before-")]
    assert len(aside) == 1 and os.path.exists(os.path.join(os.path.dirname(plan), aside[0], "new.lua")), aside
    assert f"restore of {path}" in json.dumps(json.loads(_tandem(t, "--json", "config", "history"))["history"])
    _tandem(t, "config", "rollback", generation)
    assert _config(tandem.database) == now


@scenario(seconds=120)
def the_backup_of_another_installation_can_be_undone_too(t):
    """Its realm is another one, so that no stored secret of here fits to it, and the names are the same."""
    other = t.own_tandem()
    theirs = json.loads(_tandem(t, "--json", "account", "add", "201", "--name", "Theirs"))["secret"]
    path = os.path.join(t.directory("backup"), "other.tar")
    _tandem(t, "backup", path, "--no-dialplan")
    here = t.own_tandem().start()
    assert t.tandem is here and here.sql("SELECT realm()") != other.sql("SELECT realm()")
    ours = json.loads(_tandem(t, "--json", "account", "add", "201", "--name", "Ours"))["secret"]
    _tandem(t, "device", "add", "201", "201-desk")
    was, generation = _config(here.database), here.sql("SELECT number FROM config.generation")[0][0]
    _tandem(t, "restore", path, "--yes", "--no-dialplan")
    assert t.endpoint(("201", theirs)).register().status == 200
    _tandem(t, "config", "rollback", generation)
    assert _config(here.database) == was
    assert t.endpoint(("201", ours)).register().status == 200


@scenario(seconds=120)
def a_backup_is_of_one_moment_whatever_is_changed_meanwhile(t):
    tandem = t.own_tandem().start()
    tandem.sql("SELECT count(add_account('p' || n)) FROM generate_series(1, 300) n")
    script = os.path.join(t.directory("writer"), "change.sql")
    with open(script, "w", encoding="ascii") as f:  # a setting and all accounts always say the same
        f.writelines(f"BEGIN; SELECT set_setting('my.number', '{n}'); UPDATE config.account SET display_name = '{n}'; COMMIT;\n"
                     for n in range(2000))
    writer = t.program(["psql", "-X", "-q", "-f", script, tandem.database], f"{t.directory('writer')}/out")
    wait_until("the first change", lambda: tandem.sql("SELECT count(*) FROM config.setting WHERE key = 'my.number'") == [["1"]])
    seen = set()
    for n in range(6):
        path = os.path.join(t.directory("backup"), f"{n}.tar")
        _tandem(t, "backup", path)
        with tarfile.open(path) as archive:
            settings = archive.extractfile("config/setting.csv").read().decode()
            rows = list(csv.DictReader(io.StringIO(archive.extractfile("config/account.csv").read().decode())))
        number = next(row["value"] for row in csv.DictReader(io.StringIO(settings)) if row["key"] == "my.number")
        assert {row["display_name"] for row in rows} == {number} and len(rows) == 300, (number, rows[:2])
        seen.add(number)
    assert writer.running() and len(seen) > 1, "nothing was changed meanwhile"


@scenario(seconds=120)
def records_are_in_it_when_asked_for(t):
    _filled(t)
    tandem = t.tandem
    path = os.path.join(t.directory("backup"), "all.tar")
    said = json.loads(_tandem(t, "--json", "backup", path, "--records", "--no-dialplan"))
    assert said["rows"]["record.call"] == 1 and said["files"] == 0 and said["rows"]["record.event"] >= 2, said
    was = tandem.sql("SELECT to_jsonb(c) FROM record.call c")
    events = tandem.sql("SELECT count(*) FROM record.event")
    tandem.sql("DELETE FROM record.call; DELETE FROM record.event WHERE id = (SELECT max(id::text)::uuid FROM record.event)")
    _tandem(t, "restore", path, "--yes", "--no-dialplan", words=["Restored from the backup of"])
    assert tandem.sql("SELECT count(*) FROM record.call") == [["0"]], "records came without being asked for"
    _tandem(t, "restore", path, "--yes", "--no-dialplan", "--records")
    assert tandem.sql("SELECT to_jsonb(c) FROM record.call c") == was
    assert tandem.sql("SELECT count(*) FROM record.event") == events
    _tandem(t, "restore", path, "--yes", "--no-dialplan", "--records")  # twice does no harm
    assert tandem.sql("SELECT count(*) FROM record.event") == events


@scenario(seconds=120)
def an_archive_that_was_packed_anew_by_hand_is_taken(t):
    people, _ = _filled(t)
    home = t.directory("backup")
    path, other, work = os.path.join(home, "a.tar"), os.path.join(home, "b.tar"), os.path.join(home, "work")
    _tandem(t, "backup", path)
    os.makedirs(work)
    proc.run(["tar", "xf", path, "-C", work])
    with open(f"{work}/config/account.csv", encoding="utf-8") as f:
        text = f.read()
    with open(f"{work}/config/account.csv", "w", encoding="utf-8") as f:
        f.write(text.replace("Zoë", "Chloé"))
    names = sorted(os.listdir(work))
    proc.run(["tar", "cf", other, "-C", work, "--owner=0", *names])  # in another order, with directories
    _tandem(t, "restore", other, "--yes")
    assert "Chloé" in _tandem(t, "account", "show", people[0][0])


@scenario(seconds=120)
def what_cannot_be_restored_is_explained_and_changes_nothing(t):
    people, plan = _filled(t)
    tandem = t.tandem
    home = t.directory("backup")
    good = os.path.join(home, "good.tar")
    _tandem(t, "backup", good)
    now = _config(tandem.database)
    before = sorted(os.listdir(os.path.dirname(plan)))

    def remade(name, change):
        """The good archive with its files as change(name, bytes) wants them: None leaves one out."""
        path = os.path.join(home, name)
        with tarfile.open(good) as source, tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as target:
            for member in source.getmembers():
                told = change(member.name, source.extractfile(member).read())
                if told is not None:
                    member.name, data = told
                    member.size = len(data)
                    target.addfile(member, io.BytesIO(data))
        return path

    def manifest(**changes):
        return lambda name, data: (name, json.dumps({**json.loads(data), **changes}).encode() if name == "backup.json" else data)
    with open(good, "rb") as f:
        whole = f.read()
    cut, noise = os.path.join(home, "cut.tar"), os.path.join(home, "noise.tar")
    for path, data in ((cut, whole[:len(whole) // 2]), (noise, os.urandom(5000)), (os.path.join(home, "empty.tar"), b"")):
        with open(path, "wb") as f:
            f.write(data)
    cases = (
        (cut, ["broken", "nothing was changed"]),
        (noise, ["is no backup of Tandem"]),
        (os.path.join(home, "empty.tar"), ["is no backup of Tandem"]),
        ("/nowhere.tar", ["/nowhere.tar cannot be read"]),
        (remade("newer.tar", manifest(schema=9999)), ["newer than this one"]),
        (remade("format.tar", manifest(format=2)), ["newer than this one"]),
        (remade("out.tar", lambda n, d: ("dialplan/../../escaped" if n == "dialplan/init.lua" else n, d)), ["broken", "nothing was changed"]),
        (remade("bad.tar", lambda n, d: (n, d.replace(b",internal,", b",no such context,") if n == "config/account.csv" else d)),
         ["cannot be in context", "nothing was changed"]),
        (remade("short.tar", lambda n, d: (n, d[:len(d) // 2]) if n == "config/account.csv" else (n, d)), ["config.account", "nothing was changed"]),
    )
    for path, words in cases:
        _tandem(t, "restore", path, "--yes", status=1, words=words)
        assert _config(tandem.database) == now, f"{path} changed something"
    assert sorted(os.listdir(os.path.dirname(plan))) == before, "something was left lying about"
    # Who sees no secrets makes no backup.
    postgres.sql(tandem.database, "DROP ROLE IF EXISTS emil")
    postgres.sql(tandem.database, "CREATE ROLE emil LOGIN IN ROLE tandem_admin")
    done = proc.run([tandem.path("tandem"), "-s", tandem.control, "-d", tandem.database.replace("user=tandem ", "user=emil "),
                     "backup", os.path.join(home, "x.tar")], check=False)
    assert done.returncode == 1 and "only the owner of the database, tandem" in done.stderr, done
    assert not [n for n in os.listdir(home) if n.startswith("x.tar")]
    for wrong in (["backup"], ["backup", "a", "b"], ["backup", "x", "--what"], ["restore"], ["restore", "x", "--what"]):
        _tandem(t, *wrong, status=2, words=["Usage: tandem"])
    done = proc.run([tandem.path("tandem"), "-s", "/nowhere", "-d", tandem.database, "backup", "x.tar"], check=False)
    assert done.returncode == 2 and "--no-dialplan" in done.stderr, done
    # A file takes the place of no pipe or device, and not that of a link to it.
    pipe, real, link = (os.path.join(home, name) for name in ("pipe", "real.tar", "link.tar"))
    os.mkfifo(pipe)
    _tandem(t, "backup", pipe, status=1, words=["is no ordinary file", "- writes to standard output"])
    assert stat.S_ISFIFO(os.stat(pipe).st_mode)
    with open(real, "wb") as f:
        f.write(b"of yesterday")
    os.symlink(real, link)
    _tandem(t, "backup", link)
    assert os.path.islink(link) and tarfile.is_tarfile(real)
    _tandem(t, "backup", "/nowhere/x.tar", status=1, words=["/nowhere/x.tar.part cannot be made"])
