"""The dialplan at work: SQL, the store, variables in the records, and the commands about it."""

import os
import re
import time

from harness import postgres
from harness.proc import Failed, wait_until


def _tandem(t, lua, **options):
    """A started Tandem with this dialplan (files: a dict, or the text of init.lua), and an endpoint that may call."""
    directory = t.directory("dialplan")
    for name, text in (lua if isinstance(lua, dict) else {"init.lua": lua}).items():
        _write(directory, name, text)
    tandem = t.own_tandem(dialplan=directory, **options)
    tandem.dialplan_directory = directory
    return tandem


def _write(directory, name, text):
    with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
        file.write(text)


def _said(t, phone, number, status=486):
    """Dials, and returns what the script logged in that call, in order."""
    since = len(t.tandem.log())
    answer = phone.invite(number)
    assert answer.status == status, f"{number} was answered with {answer.start}"
    if status >= 300:
        phone.ack(answer)
    t.tandem.wait_log(r"call \S+: done$", since=since)
    lines = re.findall(r"call \S+: (.*)$", t.tandem.log()[since:], re.M)
    return [line for line in lines if line != "done"]


# Each extension logs what it finds and ends as "busy".
SQL = r"""
local function try(name, pattern, fn)
  extension("internal", pattern, function(call)
    local ok, why = pcall(fn, call)
    if not ok then call:log("%s", why) end
    call:log("done")
    call:hangup("busy")
  end)
end

try("row", "10", function(call)
  local c = db.row("SELECT name, visits, vip, score, note FROM shop.customer WHERE phone = $1", "0301")
  call:log("%s %d %s %s %s", c.name, c.visits, c.vip, c.score, c.note)
  call:log("%s %s", math.type(c.visits), type(c.note))
  call:log("%s", db.row("SELECT name FROM shop.customer WHERE phone = $1", "x' OR '1'='1"))
end)
try("query", "11", function(call)
  local rows = db.query("SELECT name FROM shop.customer WHERE visits > $1 AND vip = $2 ORDER BY name", 1, true)
  local names = {}
  for i, row in ipairs(rows) do names[i] = row.name end
  call:log("%s", table.concat(names, ","))
  call:log("%s", db.row("SELECT $1::text IS NULL AS yes, $2::float8 AS f", nil, 0.5).yes)
end)
try("built", "12", function(call)
  db.query("SELECT name FROM shop.customer WHERE phone = '" .. call.from .. "'")
end)
try("wrong", "13", function(call) db.query("SELECT nothing FROM shop.nowhere") end)
try("write", "14", function(call)
  call:log("%s", select(2, pcall(db.query, "INSERT INTO shop.visit VALUES ($1)", call.from)))
  call:log("%s", #db.query("INSERT INTO shop.visit VALUES ($1) RETURNING who", call.from, { write = true }))
  call:log("%s", select(2, pcall(db.query, "INSERT INTO shop.visit VALUES ($1)", call.from)))
end)
try("secret", "15", function(call) db.query("SELECT ha1_md5 FROM config.account") end)
try("slow", "16", function(call) db.row("SELECT 1 AS a FROM pg_sleep($1)", 20, { timeout = 0.4 }) end)
try("many", "17", function(call)
  call:log("%s", db.row("SELECT a.n FROM generate_series(1, 6000) a(n), generate_series(1, 6000) b").n)
  call:log("%d", #db.query("SELECT n FROM generate_series(1, 1000) n", { rows = 1000 }))
  db.query("SELECT a.n FROM generate_series(1, 6000) a(n), generate_series(1, 6000) b")
end)
try("big", "18", function(call) db.query("SELECT repeat($1, 100000) AS a FROM generate_series(1, 50)", "x") end)
try("options", "19", function(call) db.row("SELECT 1 AS a", { tiemout = 1 }) end)
try("coroutine", "20", function(call)
  local co = coroutine.wrap(function() coroutine.yield(db.row("SELECT 41 + $1::int AS a", 1).a) end)
  call:log("%d", co())
end)
"""


def _shop(tandem):
    tandem.sql("""CREATE SCHEMA shop;
        CREATE TABLE shop.customer (phone text PRIMARY KEY, name text, visits integer, vip boolean, score numeric(6,2), note text);
        INSERT INTO shop.customer VALUES ('0301', 'Müller', 3, true, 2.50, NULL), ('0302', 'Meier', 1, true, 0, 'x'),
            ('0303', 'Abel', 9, true, 1, '');
        CREATE TABLE shop.visit (who text);
        GRANT USAGE ON SCHEMA shop TO tandem_script;
        GRANT SELECT ON shop.customer TO tandem_script;
        GRANT SELECT, INSERT ON shop.visit TO tandem_script""")


def the_dialplan_asks_the_database(t):
    tandem = _tandem(t, SQL)
    _shop(tandem)
    tandem.start()
    phone = t.endpoint()
    assert _said(t, phone, "10") == ["Müller 3 true 2.5 nil", "integer nil", "nil"]
    assert _said(t, phone, "11") == ["Abel,Müller", "true"]
    assert _said(t, phone, "20") == ["42"]
    (why,) = _said(t, phone, "12")
    assert "has to stand in the dialplan as one text" in why and "init.lua:" in why, why
    (why,) = _said(t, phone, "13")
    assert "shop.nowhere" in why and "does not exist" in why, why
    (why,) = _said(t, phone, "19")
    assert "tiemout" in why, why


def the_dialplans_sql_can_neither_write_nor_read_secrets_by_itself(t):
    tandem = _tandem(t, SQL)
    _shop(tandem)
    tandem.start()
    phone = t.endpoint()
    first, written, again = _said(t, phone, "14")
    assert "read-only transaction" in first and "read-only transaction" in again, (first, again)
    assert written == "1" and tandem.sql("SELECT who FROM shop.visit") == [[phone.user]], written
    (why,) = _said(t, phone, "15")
    assert "permission denied" in why, why


def a_slow_or_endless_query_ends_and_others_go_on(t):
    tandem = _tandem(t, SQL)
    _shop(tandem)
    tandem.start()
    phone = t.endpoint()
    (why,) = _said(t, phone, "16")
    assert "in time" in why or "timeout" in why, why
    one, many, why = _said(t, phone, "17")
    assert (one, many) == ("1", "1000") and "more rows" in why, (one, many, why)
    (why,) = _said(t, phone, "18")
    assert "more bytes" in why, why
    assert _said(t, phone, "10")[0].startswith("Müller"), "the connections are of no use any more"
    running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%generate_series(1, 6000)%' AND state = 'active'" \
              " AND pid <> pg_backend_pid() AND datname = current_database()"
    wait_until("the endless queries to be stopped", lambda: tandem.sql(running) == [["0"]])


def a_database_that_is_away_is_an_error_that_a_script_can_catch(t):
    cluster = t.own_cluster().start()
    tandem = _tandem(t, SQL, database=cluster.create_database("away"))
    tandem.migrate()
    _shop(tandem)
    tandem.start()
    phone = t.endpoint()
    assert _said(t, phone, "10")[0].startswith("Müller")
    cluster.stop()
    tandem.wait_log("database: .*Trying again|the database is not available")
    (why,) = _said(t, phone, "10")
    assert "db.row: " in why, why
    cluster.start()
    wait_until("the script to reach the database again", lambda: _said(t, phone, "10")[0].startswith("Müller"), 40, 1)


def a_switch_that_is_no_superuser_does_all_this_too(t):
    owner = t.world.database()
    postgres.sql(owner, "DROP ROLE IF EXISTS e2e_switch")
    postgres.sql(owner, "CREATE ROLE e2e_switch LOGIN IN ROLE tandem_daemon")
    tandem = _tandem(t, SQL + re.sub('"1([012])"', r'"3\1"', STORE), database=owner.replace("user=tandem ", "user=e2e_switch "))
    admin = tandem.database.replace("user=e2e_switch ", "user=tandem ")
    switch, tandem.database = tandem.database, admin
    _shop(tandem)
    tandem.start()
    phone = t.endpoint()
    assert _said(t, phone, "10")[0].startswith("Müller")
    assert "read-only transaction" in _said(t, phone, "14")[0]
    assert "permission denied" in _said(t, phone, "15")[0]
    assert _said(t, phone, "30")[1] == "1"
    wait_until("the store to be written", lambda: tandem.sql("SELECT value FROM tandem.v_store WHERE key = 'calls'") == [["1"]])
    id = tandem.sql(f"SELECT tandem.originate('{phone.user}', '10')")[0][0]
    assert _state(tandem, id, "ended")["cause"] == "unreachable"
    try:
        postgres.sql(switch, f"SELECT tandem.originate('{phone.user}', '10')")
        said = "nothing"
    except Failed as refused:
        said = str(refused)
    assert "permission denied" in said, f"the switch asks itself for calls: {said}"


# --- the store and variables ---

STORE = r"""
extension("internal", "10", function(call)
  call:on_hangup(function() store.set("last caller", call.from) end)
  call:log("%s %s %s", store.get("night"), store.get("limit"), store.get("nothing"))
  call:log("%d", store.add("calls"))
  store.set("note", "from " .. call.from, 3600)
  call:log("done")
  call:hangup("busy")
end)
extension("internal", "9", function(call) -- only looks
  call:log("%s %s %d", store.get("night"), store.get("limit"), store.get("calls"))
  call:log("done")
  call:hangup("busy")
end)
extension("internal", "11", function(call)
  call.vars.ticket, call.vars.vip, call.vars.tries = "T-17", true, 3
  call:goto_("internal", "12")
end)
extension("internal", "12", function(call)
  call.vars.tries = call.vars.tries + 1
  call:hangup("busy")
end)
"""


def what_a_dialplan_keeps_is_seen_and_changed_by_sql_and_survives_restarts(t):
    tandem = _tandem(t, STORE).start()
    phone = t.endpoint()
    assert _said(t, phone, "10") == ["nil nil nil", "1"]
    def kept(key):
        rows = tandem.sql(f"SELECT value FROM tandem.v_store WHERE key = '{key}'")
        return rows[0][0] if rows else None
    wait_until("the values to reach the database", lambda: (kept("calls"), kept("last caller")) == ("1", phone.user))
    assert kept("note") == f"from {phone.user}"
    # what a person sets counts at once
    assert tandem.sql("SELECT tandem.store_set('night', true)") == [["night is true"]]
    tandem.sql("SELECT tandem.store_set('limit', 12.5), tandem.store_set('calls', 100), tandem.store_set('note', NULL)")
    wait_until("the switch to know", lambda: _said(t, phone, "9") == ["true 12.5 100"])
    assert _said(t, phone, "10") == ["true 12.5 nil", "101"]
    wait_until("the count", lambda: kept("calls") == "101")
    count = int(kept("calls"))
    tandem.stop()
    tandem.sql("SELECT tandem.store_set('night', 'late')") # while it is away
    tandem.sql("DELETE FROM live.store WHERE key = 'limit'")
    tandem.start()
    wait_until("what was changed meanwhile", lambda: _said(t, phone, "10")[0] == "late nil nil")
    assert wait_until("the count to go on", lambda: int(kept("calls")) > count)


def what_a_dialplan_keeps_survives_a_crash_without_the_database(t):
    cluster = t.own_cluster().start()
    tandem = _tandem(t, STORE, database=cluster.create_database("kept"))
    tandem.migrate().start()
    phone = t.endpoint()
    assert _said(t, phone, "10")[1] == "1"
    cluster.stop()
    assert _said(t, phone, "10")[1] == "2"
    time.sleep(1)  # it is written to disk within a moment; nothing tells when
    tandem.kill()
    cluster.start()
    tandem.start()
    def next_count():
        return int(_said(t, phone, "10")[1])
    assert next_count() == 3
    wait_until("the database to have the newest", lambda: tandem.sql("SELECT value FROM tandem.v_store WHERE key = 'calls'") == [["3"]])


def variables_of_a_call_stand_in_its_record(t):
    tandem = _tandem(t, STORE).start()
    phone = t.endpoint()
    answer = phone.invite("11")
    phone.ack(answer)
    record = t.call_record(phone.user)
    wait_until("the variables", lambda: t.call_record(phone.user)["vars"] == {"ticket": "T-17", "vip": True, "tries": 4})
    assert tandem.sql("SELECT id FROM record.call WHERE vars @> '{\"ticket\": \"T-17\"}'") == [[record["id"]]]


# --- commands and failures ---

def a_dialplan_is_checked_and_read_again_by_command(t):
    tandem = _tandem(t, {"init.lua": "include('numbers.lua')", "numbers.lua":
                         "extension('internal', '10', function(call) call:hangup('busy') end)"}).start()
    phone = t.endpoint()
    assert phone.invite("10").status == 486
    _write(tandem.dialplan_directory, "numbers.lua", "extension('internal', '10', function(call)\n  call:hangup('rejected'\nend)")
    for command in ("check", "reload"):
        words = tandem.command_fails("dialplan", command)
        assert "numbers.lua:3" in words, words
    tandem.expect_error("the dialplan stays as it was")
    _write(tandem.dialplan_directory, "numbers.lua", "context('internal'):include('more')\n"
           "extension('more', '10', function(call) call:hangup('rejected') end)\nextension('internal', '_2X', print)")
    said = tandem.cli("dialplan", "check").stdout
    assert "can be loaded: 2 extensions in 2 contexts, from 2 files" in said, said
    assert phone.invite("10").status == 486, "a check has changed something"
    said = tandem.cli("dialplan", "reload").stdout
    assert "New calls use" in said, said
    assert phone.invite("10").status == 603
    said = tandem.cli("dialplan", "show").stdout
    assert "Context internal, which includes more" in said and "_2X" in said and "numbers.lua:2" in said, said
    said = tandem.cli("dialplan", "show", "more").stdout
    assert "10" in said and "_2X" not in said, said
    assert "nowhere" in tandem.command_fails("dialplan", "show", "nowhere")


def a_switch_starts_with_the_dialplan_that_worked_last(t):
    tandem = _tandem(t, "extension('internal', '10', function(call) call:hangup('busy') end)").start()
    assert "dialplan   loaded, 1 extensions" in tandem.cli("status").stdout
    tandem.stop()
    _write(tandem.dialplan_directory, "init.lua", "somebody is in the middle of editing this")
    tandem.expect_error("the dialplan cannot be loaded: init.lua:1")
    tandem.start()
    phone = t.endpoint()
    assert phone.invite("10").status == 486
    said = tandem.cli("status").stdout
    assert "dialplan   broken" in said and "init.lua:1" in said and "worked last" in said, said
    _write(tandem.dialplan_directory, "init.lua", "extension('internal', '10', function(call) call:hangup('rejected') end)")
    tandem.cli("dialplan", "reload")
    assert phone.invite("10").status == 603
    assert "dialplan   loaded" in tandem.cli("status").stdout


def a_warning_names_accounts_whose_context_is_empty(t):
    tandem = _tandem(t, "extension('office', '10', print)").start()
    name, _ = t.account()
    said = tandem.cli("dialplan", "check").stdout
    assert f"account {name} calls from context \"internal\"" in said, said


def a_failing_script_hands_its_caller_to_a_person(t):
    tandem = _tandem(t, "extension('internal', '10', function(call)\n  local x = nil + 1\nend)").start()
    tandem.expect_error("init.lua:2")
    a, b = t.phone(tone=440), t.phone(tone=880)
    a.dial("10")
    assert a.closed().startswith("500")
    try:
        tandem.sql("SELECT tandem.set_setting('script_fallback', 'nobody at all')")
        words = "nothing"
    except Failed as refused:
        words = str(refused)
    assert "needs account:NAME or CONTEXT/EXTENSION" in words, f"a fallback that cannot be was answered with {words}"
    tandem.sql(f"SELECT tandem.set_setting('script_fallback', 'account:{b.user}')")
    wait_until("the setting to be in force", lambda: tandem.json("status")["database"]["generation"] ==
               int(tandem.sql("SELECT number FROM config.generation")[0][0]))
    a.dial("10")
    b.ringing()
    b.accept()
    a.established()
    a.wait_heard(b.tone)
    a.hangup()
    b.closed()
    record = t.call_record(a.user)
    assert (record["cause"], record["answered_by"]) == ("normal", b.user), record
    events = [e["detail"] for e in tandem.records(f"SELECT detail FROM record.event WHERE call_id = '{record['id']}' AND kind = 'script'")]
    assert any("init.lua:2" in e for e in events) and any("script_fallback" in e for e in events), events


# --- simulations ---

OFFICE = """
include("hours.lua")
extension("internal", "600", function(call)
  call.vars.seen = store.add("calls")
  if not is_open { "Mon-Fri 09:00-17:00" } then call:hangup("rejected") end
  local r = call:dial { to = { call.vars.first or "%s", "%s" }, timeout = 20, in_order = true }
  if r.status ~= "answered" then call:goto_("internal", "601") end
end)
extension("internal", "601", function(call) call:hangup("busy") end)
"""


def _simulate(tandem, *args, check=True):
    return tandem.cli("simulate", *args, check=check)


def a_simulation_shows_what_a_call_would_do_and_does_nothing(t):
    tandem = _tandem(t, "").start()
    a, b = t.phone(tone=440), t.phone(tone=880)
    away, _ = t.account()  # no phone of it is registered
    _write(tandem.dialplan_directory, "init.lua", OFFICE % (away, b.user))
    tandem.cli("dialplan", "reload")
    calls = tandem.sql("SELECT count(*) FROM record.call")
    day = ("--at", "2026-11-25 10:00")
    said = _simulate(tandem, "--from", a.user, "--to", "600", *day, "--assume", f"{away}=unreachable", "--assume",
                     f"{b.user}=answered:90").stdout
    for words in (f"{a.user} calls 600 in context internal", "extension 600 of init.lua:3", f"  {b.user} answers",
                  f"Answered by {b.user}, 1 min 30 s of conversation"):
        assert words in said, f"{words!r} is not in:\n{said}"
    said = _simulate(tandem, "--from", a.user, "--to", "600", "--at", "2026-11-28 10:00").stdout
    assert "hangup: rejected" in said and "Not answered" in said, said
    result = tandem.json("simulate", "--from", a.user, "--to", "600", *day, "--assume", f"{b.user}=no-answer", "--assume",
                         f"{away}=busy")
    assert (result["cause"], result["status"], result["extension"]) == ("busy", 486, "601"), result
    assert result["steps"][0]["text"].startswith(a.user), result
    assert "404" in _simulate(tandem, "--from", a.user, "--to", "999").stdout
    assert tandem.sql("SELECT count(*) FROM record.call") == calls, "a simulation is in the records"
    assert tandem.sql("SELECT count(*) FROM live.store") == [["0"]], "a simulation has kept something"


def a_simulation_ends_where_the_call_ends(t):
    tandem = _tandem(t, "").start()
    a, b = t.phone(tone=440), t.phone(tone=880)
    away, _ = t.account()
    plan = OFFICE.replace("Mon-Fri 09:00-17:00", "Mon-Sun 00:00-24:00") % (away, b.user)
    _write(tandem.dialplan_directory, "init.lua", plan)
    tandem.cli("dialplan", "reload")
    simulated = tandem.json("simulate", "--from", a.user, "--to", "600")
    assert any(s["text"].startswith(f"  {away}: No phone is registered") for s in simulated["steps"]), simulated["steps"]
    a.dial("600")
    b.ringing()
    b.accept()
    a.established()
    a.hangup()
    b.closed()
    assert t.call_record(a.user)["answered_by"] == b.user == simulated["answered_by"]


def a_simulation_knows_what_modules_would_do_and_the_check_which_verbs_there_are(t):
    tandem = _tandem(t, "include('accounts.lua') extension('internal', '_X.', "
                        "function(call) dial_account(call, call.extension) end)",
                     modules="[module forward]\n[module group]\n").start()
    a, b, c = (t.account()[0] for _ in range(3))
    tandem.cli("forward", b, "always", c)
    tandem.cli("group", "add", "sales", "--number", "600")
    for member in (b, c):
        tandem.cli("group", "member", "add", "sales", member)
    tandem.sql("SELECT wait_applied()")
    awake = ("--assume", f"{c}=answered")
    said = tandem.cli("simulate", a, b, *awake).stdout
    assert f"{b} forwards all calls to {c}" in said and f"Answered by {c}" in said, said
    said = tandem.cli("simulate", a, "600", *awake).stdout
    assert f"ring group sales (all): rings {b}, {c}" in said and f"Answered by {c}" in said, said
    _write(tandem.dialplan_directory, "init.lua", "extension('internal', '7', function(call)\n  call:prak{}\nend)")
    said = tandem.cli("dialplan", "check", check=False)
    assert said.returncode == 1 and "init.lua:2: there is no call:prak" in said.stdout, said.stdout
    said = tandem.cli("dialplan", "check", tandem.dialplan_directory, check=False)
    assert said.returncode == 1 and "init.lua:2: there is no call:prak" in said.stdout, said.stdout


def simulations_and_tests_of_a_dialplan_need_no_switch(t):
    tandem = t.own_tandem()  # for its programs; it is never started
    library = os.path.join(t.world.source, "dialplan")
    directory = t.directory("plan")
    _write(directory, "init.lua", OFFICE % ("202", "203"))
    os.mkdir(os.path.join(directory, "tests"))
    _write(directory, "tests/office.lua", """
test("by day 202 is asked first", function()
  local r = call { from = "201", to = "600", at = "2026-11-25 10:00", assume = { ["202"] = "busy" } }
  expect(r, { answered_by = "203", dialled = { "202", "203" }, vars = { seen = 1 } })
end)
test("at night nobody is", function()
  expect(call { from = "201", to = "600", at = "2026-11-25 18:00" }, { cause = "rejected" })
end)
""")
    where = ("--dir", directory, "--library", library)
    said = _simulate(tandem, "--from", "201", "--to", "600", "--at", "2026-11-25 10:00", *where).stdout
    assert "202 answers" in said, said
    assert "no switch listens" in tandem.command_fails("simulate", "--from", "201", "--to", "600")
    words = tandem.command_fails("simulate", "--from", "201", "--to", "600", "--assume", "202=sleeping", *where)
    assert "assumed of 202" in words and "no-answer" in words, words
    said = tandem.cli("dialplan", "test", directory, "--library", library).stdout
    assert said.endswith("2 passed, 0 failed\n"), said
    _write(directory, "init.lua", (OFFICE % ("202", "203")).replace("rejected", "busy"))
    done = tandem.cli("dialplan", "test", directory, "--library", library, check=False)
    assert done.returncode == 1 and done.stdout.endswith("1 passed, 1 failed\n"), done
    assert 'tests/office.lua:7: cause is "busy", expected "rejected"' in done.stdout, done.stdout
    _write(directory, "init.lua", "nonsense(")
    assert "init.lua:1" in tandem.command_fails("dialplan", "check", directory, "--library", library)
    assert "init.lua:1" in tandem.command_fails("dialplan", "test", directory, "--library", library)
    done = _simulate(tandem, "--from", "201", "--to", "600", *where, check=False)
    assert done.returncode == 1 and "init.lua:1" in done.stderr, done


# --- calls that the switch is asked to make ---

def _row(tandem, id):
    return tandem.records(f"SELECT * FROM live.originate WHERE id = '{id}'")[0]


def _state(tandem, id, *states):
    """Its row, once there is one in one of these states."""
    names = ", ".join(f"'{s}'" for s in states)
    return wait_until(f"request {id} to be {' or '.join(states)}",
                      lambda: tandem.records(f"SELECT * FROM live.originate WHERE id = '{id}' AND state IN ({names})"), 20, 0.1)[0]


def originate_connects_two_phones_and_is_recorded(t):
    a, b = t.pair()
    done = t.program([t.tandem.path("tandem"), "-s", t.tandem.control, "originate", a.user, b.user],
                     f"{t.directory('originate')}/out")
    a.ringing()
    wait_until("the command to say that it rings", lambda: f"{a.user} is ringing" in done.text())
    a.accept()
    b.ringing()
    b.accept()
    a.wait_heard(b.tone)
    b.wait_heard(a.tone)
    b.hangup()
    a.closed()
    record = t.call_record(a.user)
    assert (record["dialled"], record["answered_by"], record["answered"]) == (b.user, b.user, True), record
    assert (record["cause"], record["ended_by"], record["from_number"]) == ("normal", "callee", a.user), record
    t.tandem.wait_record(f"SELECT 1 AS yes FROM record.leg WHERE call_id = '{record['id']}' AND answered HAVING count(*) = 2",
                         "both legs")
    legs = t.tandem.records(f"SELECT account, inbound FROM record.leg WHERE call_id = '{record['id']}' ORDER BY started_at")
    assert [(leg["account"], leg["inbound"]) for leg in legs] == [(a.user, False), (b.user, False)], legs
    assert record["id"] in done.text(), done.text()


def originate_says_why_it_failed(t):
    a = t.phone()
    away, _ = t.account()
    words = t.tandem.cli("originate", away, a.user, check=False)
    assert words.returncode == 1 and "No phone is registered" in words.stdout, words
    assert "no account" in t.tandem.command_fails("originate", "nobody", a.user)
    done = t.program([t.tandem.path("tandem"), "-s", t.tandem.control, "originate", a.user, away, "--wait"],
                     f"{t.directory('originate')}/out")
    a.ringing()
    a.hangup()  # rejects
    wait_until("the command to end", lambda: not done.running())
    assert "busy" in done.text() or "rejected" in done.text(), done.text()


def sql_originates_once_and_tells_what_became_of_it(t):
    a, b = t.pair()
    tandem = t.tandem
    ask = f"SELECT tandem.originate('{a.user}', '{b.user}', key => 'order {a.user}')"
    id = tandem.sql(ask)[0][0]
    a.ringing()
    _state(tandem, id, "ringing")
    assert tandem.sql(ask) == [[id]], "the same key was made a second time"
    a.accept()
    b.ringing()
    b.accept()
    a.wait_heard(b.tone)
    call = _state(tandem, id, "connected")["call_id"]
    a.hangup()
    b.closed()
    row = _state(tandem, id, "ended")
    assert row["cause"] == "normal" and row["words"], row
    assert tandem.sql(ask) == [[id]]
    assert t.call_record(a.user)["id"] == call
    assert tandem.sql(f"SELECT count(*) FROM record.call WHERE from_account = '{a.user}'") == [["1"]]
    shown = tandem.sql(f"SELECT state, why, origin FROM tandem.v_originate WHERE id = '{id}'")[0]
    assert shown[0] == "ended" and "normally" in shown[1] and shown[2].startswith("SQL, "), shown
    # and the command line knows the key too
    assert tandem.json("originate", a.user, b.user, "--key", f"order {a.user}")["id"] == id


def sql_refuses_what_cannot_be_made_in_words(t):
    a = t.phone()
    tandem = t.tandem
    for call, words in ((f"'nobody', '{a.user}'", 'no account "nobody"'), (f"'{a.user}', ''", "1 to 60 characters"),
                        (f"'{a.user}', '1', after => 'nobody'", "waited for"), (f"'{a.user}', '1', timeout => 0", "600 seconds"),
                        (f"'{a.user}', '1', valid => '8 days'", "a week")):
        try:
            tandem.sql(f"SELECT tandem.originate({call})")
            said = "nothing"
        except Failed as refused:
            said = str(refused)
        assert words in said, f"{call} was answered with {said}"
    tandem.sql(f"UPDATE config.account SET enabled = false WHERE name = '{a.user}'")
    try:
        tandem.sql(f"SELECT tandem.originate('{a.user}', '1')")
        said = "nothing"
    except Failed as refused:
        said = str(refused)
    assert "disabled" in said, said


def a_request_outlives_a_restart_and_is_made_once(t):
    tandem = t.own_tandem().start()
    a, b = t.phone(tone=440), t.phone(tone=880)
    later = tandem.sql(f"SELECT tandem.originate('{a.user}', '{b.user}', at => now() + interval '4 seconds', valid => '2 minutes')")[0][0]
    _state(tandem, later, "waiting")
    wait_until("the switch to have claimed it", lambda: _row(tandem, later)["run"])
    withdrawn = tandem.sql(f"SELECT tandem.originate('{a.user}', '{b.user}', at => now() + interval '5 seconds')")[0][0]
    assert tandem.sql(f"SELECT tandem.originate_cancel('{withdrawn}')") == [["taken back"]]
    now = tandem.sql(f"SELECT tandem.originate('{b.user}', '*43')")[0][0]
    b.ringing()
    _state(tandem, now, "ringing")
    tandem.kill()  # in the middle of one, before another
    asked_meanwhile = tandem.sql(f"SELECT tandem.originate('{b.user}', '{a.user}', valid => '0 seconds')")[0][0]
    tandem.start()
    row = _state(tandem, now, "ended")
    assert row["cause"] == "switch-stopped", row
    assert _state(tandem, asked_meanwhile, "ended")["cause"] == "expired"
    a.ringing(60)  # it may have to register again
    a.hangup()
    row = _state(tandem, later, "ended")
    assert row["cause"] in ("busy", "rejected"), row
    assert tandem.sql(f"SELECT count(*) FROM record.call WHERE from_account = '{a.user}'") == [["1"]]
    assert _row(tandem, withdrawn)["cause"] == "withdrawn"


def a_call_back_waits_until_the_other_is_free(t):
    tandem = t.own_tandem().start()
    a, b, c = t.phone(tone=440), t.phone(tone=880), t.phone(tone=660)
    b.dial(c.user)
    c.ringing()
    c.accept()
    b.established()
    id = tandem.json("originate", a.user, b.user, "--after", b.user)["id"]
    assert _state(tandem, id, "waiting")["after"] == b.user
    time.sleep(2)  # nothing may happen
    assert _row(tandem, id)["state"] == "waiting"
    b.hangup()
    c.closed()
    a.ringing()
    a.accept()
    b.ringing()
    b.accept()
    a.wait_heard(b.tone)
    a.hangup()
    b.closed()
    assert _state(tandem, id, "ended")["cause"] == "normal"
