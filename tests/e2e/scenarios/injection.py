"""Text of phones that wants to be something else: a line of the log, a statement of SQL, an escape sequence for the
administrator's terminal, a row of a spreadsheet. It arrives as text."""

import csv
import io
import re

from harness import proc, sip
from harness.runner import scenario

ESC = "\x1b[2J\x1b]0;owned\x07"
C1 = "\u009b31m"  # the same in one character
EVIL = f"""x{ESC}{C1}'"; DROP TABLE record.call; --\\"""
LINE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z tandem(d|-media) (error|warn|info|debug): ")


def _clean(what, text, columns=False):
    """Nothing in it moves a cursor or begins a line of its own."""
    bad = re.findall(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)
    assert not bad, f"{what} has {bad!r}: {text!r}"


@scenario(seconds=90)
def text_of_phones_is_text_everywhere(t):
    tandem = t.own_tandem().start()
    callee, caller = t.endpoint(), t.endpoint()
    # in a registration: User-Agent, Contact, display name
    refused = callee._authenticate("REGISTER", f"sip:{tandem.server}", f"\"{C1}' DROP\" <sip:{callee.user}@{tandem.server}>",
                                   [f"Contact: \"{C1}'\" <sip:{callee.user}@{callee.contact};x=%1b%5b2J'%22>",
                                    f"User-Agent: {EVIL}", "Expires: 600"], "", None, None, None, 1)
    answer = refused or callee.response("REGISTER", call_id=callee.call[1])
    assert answer.status == 200, answer
    # in names that authenticate
    for name in (f"{ESC}", "201' OR '1'='1", 'a"b', f"{C1}x", "x%0d%0ainfo: all is well"):
        with sip.Endpoint(tandem.server, name.replace('"', '\\"'), "wrong") as e:
            e.user = "211"
            first = None
            call_id = f"{len(name)}-{abs(hash(name))}"
            e.send(e.compose("REGISTER", f"sip:{tandem.server}", 1, call_id))
            first = e.response("REGISTER", lambda s: s > 100, 5, call_id)
            value = sip.answer_challenge(first.all("www-authenticate")[0], "REGISTER", f"sip:{tandem.server}",
                                         name.replace('"', '\\"'), "wrong")
            e.send(e.compose("REGISTER", f"sip:{tandem.server}", 2, call_id, headers=[f"Authorization: {value}"]))
            assert e.response("REGISTER", lambda s: s > 100, 5, call_id).status == 401
    # in a call: what is dialled, Call-ID, the words of a refusal
    caller.send_invite(f"sip:{callee.user}@{tandem.server}")
    invite = callee.request("INVITE")
    callee.reply(invite, 486, f"Busy {EVIL}", headers=[f'Reason: SIP;cause=486;text="{ESC}"', f'Warning: 399 x "{ESC}"'])
    assert caller.response("INVITE", lambda s: s > 199).status == 486
    for number in ("'%3b%20DROP%20TABLE%20config.account%3b--", "%22%27%5c", "%3dcmd%7c%27calc%27!A1", "a,b%3bc", "%e2%80%ae12"):
        answer = caller.invite(f"sip:{number}@{tandem.server}")
        assert answer.status == 404, answer
        caller.ack(answer)
    for number in ("%1b%5b2J", "1%0d%0aX-Evil:%20yes", "%00", "%7f"):
        answer = caller.invite(f"sip:{number}@{tandem.server}")
        assert answer.status == 400, answer
        caller.ack(answer)
    rows = proc.wait_until("six records", lambda: len(found := tandem.records(
        "SELECT id, dialled FROM record.call WHERE ended_at IS NOT NULL ORDER BY started_at")) >= 6 and found, 15)
    assert len(rows) == 6, rows
    assert rows[1]["dialled"] == "'; DROP TABLE config.account;--", rows
    assert tandem.sql("SELECT count(*) FROM config.account")[0][0] == "2"
    tandem.cli("ban", "add", "192.0.2.1", "--reason", EVIL)

    log = tandem.log()
    for line in log.splitlines():
        assert LINE.match(line), f"a line of the log: {line!r}"
    _clean("the log", log)
    for command in (("registrations",), ("calls", "--last", "20"), ("call", rows[0]["id"]), ("call", rows[0]["id"], "--raw"),
                    ("trace", "--register", callee.user), ("trace", "--address", f"127.0.0.1:{callee.port}", "--raw"),
                    ("why", "register", "211"), ("why", rows[0]["id"]), ("why", rows[1]["id"]), ("ban", "list"), ("status",),
                    ("account", "show", callee.user)):
        _clean(" ".join(command), tandem.cli(*command).stdout)
    text = tandem.cli("calls", "export").stdout
    _clean("the export", text)
    table = list(csv.reader(io.StringIO(text)))
    assert len(table) == 7 and len({len(row) for row in table}) == 1, table
    _clean("v_registration", repr(tandem.records("SELECT * FROM v_registration")))
