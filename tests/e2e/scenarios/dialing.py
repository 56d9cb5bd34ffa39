"""Speed dials, wake-up calls and call-backs as people meet them: by phone, on the command line, in psql, over a crash."""

import json
import socket
import time

from harness.proc import wait_until

MODULE = "[module dialing]\n"


def _code(phone, code):
    """Dials a code, is answered, and does not listen to what is said."""
    refused = phone.send_invite(code)
    assert refused is None, refused
    answer = phone.response("INVITE", 200, 15.0)
    phone.ack(answer)
    assert phone.bye(answer).status == 200


def _rows(tandem, query, wanted, what):
    wait_until(what, lambda: [list(row.values()) for row in tandem.records(query)] == wanted, 15, 0.1)


def speed_dials_are_set_by_phone_command_and_psql(t):
    tandem = t.own_tandem(modules=MODULE).start()
    with t.endpoint() as a, t.endpoint() as b:
        assert a.register().status == 200 and b.register().status == 200
        tandem.cli("speeddial", "--switch", "5", b.user)
        said = tandem.records(f"SELECT set_speed_dial('{a.user}', 7, '{b.user}') AS said")[0]["said"]
        assert said == f"speed dial 7 of account {a.user} is {b.user}", said
        _code(a, "*012*0301234567")
        _rows(tandem, "SELECT account, slot, number FROM v_speed_dial ORDER BY slot",
              [[None, 5, b.user], [a.user, 7, b.user], [a.user, 12, "0301234567"]], "all three in psql")
        wait_until("all three on the command line",
                   lambda: len(tandem.json("speeddial")["speed_dials"]) == 3, 15, 0.1)
        tandem.kill()
        tandem.start()
        assert a.register().status == 200 and b.register().status == 200
        for code in ("*05", "*07", "*66"):
            a.send_invite(code)
            ringing = b.request("INVITE", 15.0)
            b.reply(ringing, 486)
            a.ack(a.response("INVITE", 486, 15.0))
            b.request("ACK")
        assert "0301234567" in tandem.cli("speeddial", a.user).stdout
        tandem.cli("speeddial", a.user, "12", "off")
        _code(a, "*012")
        row = tandem.wait_record(f"SELECT dialled FROM v_last_call WHERE account = '{a.user}'", "what was dialled last")
        assert row["dialled"] == b.user, row
        assert "no account" in tandem.command_fails("speeddial", "nobody", "1", "2")
        assert "1 to 63 characters without blanks" in tandem.command_fails("speeddial", a.user, "12", "")
        assert "0 to 99" in tandem.command_fails("speeddial", a.user, "100", "2")


def a_wakeup_call_comes_again_until_somebody_answers(t):
    tandem = t.own_tandem(modules=MODULE).start()
    with t.endpoint() as phone, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("127.0.0.1", 0))
        phone.media_port = ear.getsockname()[1]
        assert phone.register().status == 200
        said = tandem.cli("wakeup", phone.user, "07:30", "--daily").stdout
        assert "07:30:00, and every day" in said, said
        _rows(tandem, "SELECT account, at, daily::text FROM v_wakeup", [[phone.user, "07:30", "true"]], "the daily one in psql")
        _code(phone, "*55")
        assert tandem.cli("wakeup").stdout == "Nobody will be woken up.\n"
        assert "not a time" in tandem.command_fails("wakeup", phone.user, "25:00")
        tandem.sql("SELECT set_setting('wakeup_pause', '1')")
        tandem.sql("SELECT wait_applied()")
        # one that is due in this minute: set five minutes ago
        value = json.dumps({"at": time.strftime("%H:%M"), "since": int(time.time()) - 300})
        tandem.sql(f"SELECT set_live('wakeup', '{phone.user}', '{value}', 'once')")
        phone.reply(phone.request("INVITE", 20.0), 486)
        phone.request("ACK")
        again = phone.request("INVITE", 20.0)
        assert "wake-up" in again.get("from"), again
        phone.reply(again, 200, body=phone.sdp())
        acked = phone.request("ACK")
        ear.settimeout(15)
        for _ in range(50):
            assert len(ear.recv(2000)) > 12
        _rows(tandem, "SELECT account FROM v_wakeup", [], "the row to be gone")
        answer_to = acked.get("from")
        phone.send(phone.compose("BYE", f"sip:{phone.server}", 20, again.get("call-id"), answer_to,
                                 headers=[], from_tag="e2e" + again.get("call-id")[:8]))
        phone.response("BYE", 200)
        row = tandem.wait_record("SELECT * FROM v_call WHERE result = 'answered' AND made_by = 'wake-up'", "its record")
        assert row["caller"] == f"{phone.user} (Test {phone.user}), called by the switch (wake-up)", row
        assert (row["answered_by"], row["who_talked"]) == (phone.user, f"the switch → {phone.user}"), row
        sentence = tandem.json("why", row["id"])["sentence"]
        assert sentence.startswith(f"The switch called {phone.user} at ") and "(wake-up)" in sentence, sentence
        said = tandem.cli("call", row["id"]).stdout
        assert f"the switch called {phone.user} (Test {phone.user}) (wake-up), and {phone.user} answered" in said, said
        assert f"{phone.user} (by wake-up)" in tandem.cli("calls", "--last", "1").stdout


def who_is_free_calls_back(t):
    tandem = t.own_tandem(modules=MODULE).start()
    with t.endpoint() as a, t.endpoint() as b:
        assert a.register().status == 200
        said = tandem.records(f"SELECT call_back('{a.user}', '{b.user}') AS said")[0]["said"]
        assert said == f"account {a.user} is called when {b.user} is free", said
        wait_until("it on the command line", lambda: tandem.json("callback")["callbacks"], 15, 0.1)
        assert b.user in tandem.cli("callback", a.user).stdout
        assert "no account \"nobody\"" in tandem.command_fails("callback", a.user, "nobody")
        assert "cannot wait for itself" in tandem.command_fails("callback", a.user, a.user)
        a.silence(1.5, lambda m: m.method == "INVITE")  # the other one is not there
        assert b.register().status == 200
        called = a.request("INVITE", 20.0)
        assert b.user in called.get("from"), called
        a.reply(called, 200, body=a.sdp())
        a.request("ACK")
        dialled = b.request("INVITE", 15.0)
        assert a.user in dialled.get("from"), dialled
        b.reply(dialled, 603)
        a.reply(a.request("BYE", 20.0), 200)
        _rows(tandem, "SELECT account FROM v_call_back", [], "it to be done")
