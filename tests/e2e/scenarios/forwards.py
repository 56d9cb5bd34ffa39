"""Forwards, do not disturb and blocked callers as an administrator meets them: psql, the command line, the records."""

from harness.proc import wait_until


def where_calls_go_is_set_by_psql_and_the_command_line_and_stands_in_the_records(t):
    tandem = t.own_tandem(modules="[module forward]\n[module screen]\n").start()
    caller, callee, third = t.endpoint(), t.endpoint(), t.endpoint()
    for phone in (caller, callee, third):
        assert phone.register().status == 200
    tandem.sql(f"SELECT set_forward('{callee.user}', 'busy', '{third.user}')")
    wait_until("the forward to reach the switch",
               lambda: [f["number"] for f in tandem.json("forward", callee.user)["forwards"]] == [third.user], 20, 0.1)

    caller.send_invite(callee.user)
    callee.reply(callee.request("INVITE", 20.0), 486, "Busy Here")
    invite = third.request("INVITE", 20.0)
    assert f"<sip:{callee.user}@" in invite.get("diversion") and ";reason=user-busy" in invite.get("diversion"), invite
    assert f"sip:{caller.user}@" in invite.get("from"), invite
    third.reply(invite, 486, "Busy Here")
    assert caller.response("INVITE", timeout=20.0, call_id=caller.call[1]).status == 486
    words = f"{callee.user} forwards to {third.user} when busy"
    wait_until("`tandem why last` to say it", lambda: words + "." in tandem.json("why", "last")["sentence"], 20, 0.2)
    tandem.wait_record(f"SELECT 1 AS yes FROM v_event WHERE kind = 'forwarded' AND detail = '{words}'", "the event")

    tandem.cli("forward", callee.user, "always", "98765")
    caller.send_invite(callee.user)
    assert caller.response("INVITE", timeout=20.0, call_id=caller.call[1]).status == 404
    words = "the number to which it was sent on does not exist for who sent it on"
    wait_until("`tandem why last` to say so", lambda: words in tandem.json("why", "last")["sentence"], 20, 0.2)
    assert "`tandem forward` lists" in tandem.json("why", "last")["remedy"]
    assert tandem.cli("forward", callee.user, "off").stdout == "Nothing is forwarded.\n"
    assert tandem.cli("dnd", callee.user, "on").stdout == f"{callee.user} is not disturbed.\n"
    caller.send_invite(callee.user)
    refused = caller.response("INVITE", timeout=20.0, call_id=caller.call[1])
    assert refused.status == 486 and "does not want to be disturbed" in refused.get("warning"), refused
    words = f"It was refused because {callee.user} does not want to be disturbed."
    wait_until("`tandem why last` to say that", lambda: words in tandem.json("why", "last")["sentence"], 20, 0.2)
    row = tandem.wait_record(f"SELECT do_not_disturb, busy FROM v_feature WHERE account = '{callee.user}' AND do_not_disturb",
                             "the row of do-not-disturb")
    assert row["busy"] in (None, ""), row
    tandem.cli("dnd", callee.user, "off")

    assert "1 to 63 characters without blanks" in tandem.command_fails("forward", callee.user, "busy", "")
    assert "1 to 63 characters without blanks" in tandem.command_fails("forward", callee.user, "busy", "20 3")
    assert "letters, digits and + - . _ ~ #" in tandem.command_fails("block", "add", "--account", callee.user, "[")
    assert not tandem.json("forward")["forwards"] and not tandem.json("block", "list")["blocks"]
    tandem.sql(f"INSERT INTO live.row AS r (kind, account, value) VALUES ('dnd', '{callee.user}', 'banana') "  # past set_live()
               "ON CONFLICT ON CONSTRAINT row_pkey DO UPDATE SET value = excluded.value")
    wait_until("the log to say so", lambda: "which is neither on nor off, and ignored" in tandem.log(), 20, 0.1)
    assert tandem.cli("dnd").stdout == "Everybody may be disturbed.\n"

    said = tandem.cli("block", "add", "--account", callee.user, caller.user, "--note", "calls at night").stdout
    assert said.startswith("Blocked"), said
    caller.send_invite(callee.user)
    assert caller.response("INVITE", timeout=20.0, call_id=caller.call[1]).status == 603
    assert "calls at night" in tandem.cli("block", "list").stdout
    tandem.wait_record(f"SELECT 1 AS yes FROM v_block WHERE pattern = '{caller.user}'", "the row of the list")
    tandem.sql(f"SELECT unblock_caller('{caller.user}', '{callee.user}')")
    wait_until("the list to be empty", lambda: not tandem.json("block", "list")["blocks"], 20, 0.1)


def telephones_are_forwarded_forward_and_are_heard(t):
    """Two forwards in a row; the last telephone and the caller hear each other, and the record says how it came about."""
    tandem = t.own_tandem(log="info", modules="[module forward]\n[module dialing]\n").start()
    a, b, c = (t.phone(tone=tone) for tone in (440, 880, 1320))
    d = t.phone(kind="linphone")
    tandem.sql(f"SELECT set_forward('{b.user}', 'no-answer', '{c.user}', 2), set_forward('{c.user}', 'always', '{d.user}')")
    wait_until("the forwards to reach the switch", lambda: len(tandem.json("forward")["forwards"]) == 2, 20, 0.1)
    a.dial(b.user)
    b.ringing()
    d.ringing()
    d.accept()
    a.established()
    d.established()
    a.wait_heard(d.tone, seconds=0.5)
    d.wait_heard(a.tone, seconds=0.5)
    a.hangup()
    d.closed()
    call = t.call_record(a.user)
    row = tandem.records(f"SELECT who_talked, dialled, answered_by FROM tandem.v_call WHERE id = '{call['id']}'")[0]
    assert (row["dialled"], row["answered_by"]) == (b.user, d.user), row
    assert row["who_talked"].startswith(f"{a.user} → {d.user}") and "forward" in row["who_talked"], row
    words = tandem.cli("call", call["id"]).stdout
    for said in (f"{b.user} forwards to {c.user} when nobody answers", f"{c.user} forwards all calls to {d.user}"):
        assert said in words, words
    last = tandem.wait_record(f"SELECT caller, answered FROM v_last_call WHERE account = '{d.user}'", "the last caller")
    assert last["caller"] == a.user and last["answered"] in (True, "t", "true"), last
