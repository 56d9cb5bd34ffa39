"""Transfers on telephones of two makers: who hears whom after each step, and what the record says."""

from harness import audio, sipp
from harness.proc import wait_until
from harness.sip import tag_of, uri_of

A, B, C = 440, 880, 1320  # Hz


def _switch(t, **kinds):
    """Three telephones, registered: a is transferred, b transfers, c is the target."""
    t.own_tandem(log="info", modules="[module transfer]\n").start()
    return [t.phone(tone=tone, kind=kinds.get(name, "baresip")) for name, tone in (("a", A), ("b", B), ("c", C))]


def _talk(a, b):
    a.dial(b.user)
    b.ringing()
    b.accept()
    a.established()
    b.established()
    a.wait_heard(b.tone, seconds=0.5)
    b.wait_heard(a.tone, seconds=0.5)


def _heard(p, tone):
    """Seconds, in all its recordings: a telephone begins another one when its media change."""
    return sum(audio.seconds_of_tone(path, tone) for path in p.recordings())


def _hear_each_other(x, y):
    """From now on, whatever they have heard before."""
    before = _heard(x, y.tone), _heard(y, x.tone)
    wait_until(f"{x.user} hears {y.user}", lambda: _heard(x, y.tone) >= before[0] + 0.5, 15, 0.25)
    wait_until(f"{y.user} hears {x.user}", lambda: _heard(y, x.tone) >= before[1] + 0.5, 15, 0.25)


def _record(t, caller, who_talked):
    call = t.call_record(caller)
    assert (call["cause"], call["answered"]) == ("normal", True), call
    row = t.tandem.records(f"SELECT who_talked FROM tandem.v_call WHERE id = '{call['id']}'")[0]
    assert row["who_talked"] == who_talked, row


def baresip_hands_a_party_over_without_consultation(t):
    a, b, c = _switch(t)
    _talk(a, b)
    b.command("transfer", f"sip:{c.user}@{b.server}")
    c.ringing()
    c.accept()
    c.established()
    b.closed()
    _hear_each_other(a, c)
    a.hangup()
    c.closed()
    _record(t, a.user, f"{a.user} → {b.user}, then {c.user} (by transfer of {b.user})")


def linphone_connects_two_after_talking_to_both(t):
    a, b, c = _switch(t, b="linphone")
    a.dial(b.user)
    b.ringing()
    b.accept()
    a.established()
    b.established()
    a.wait_heard(b.tone, seconds=0.5)
    b.command("pause")
    b.wait("is now paused")
    b.dial(c.user)
    c.ringing()
    c.accept()
    c.established()
    b.established()
    c.wait_heard(b.tone, seconds=0.5)
    b.command("transfer 1 --to-call 2")
    b.closed()
    _hear_each_other(a, c)
    c.hangup()
    a.closed()
    row = t.tandem.records("SELECT who_talked FROM tandem.v_call WHERE caller LIKE "
                           f"'{a.user} %' ORDER BY started_at DESC LIMIT 1")[0]
    assert row["who_talked"].endswith(f"{a.user} → {c.user} (by attended transfer of {b.user})"), row


def linphone_gets_back_whom_it_handed_over_to_somebody_busy(t):
    a, b, c = _switch(t, b="linphone")
    _talk(a, b)
    b.command(f"transfer 1 {c.user}")
    c.ringing()
    c.hangup()  # 486
    c.closed()
    _hear_each_other(a, b)

    b.command(f"transfer 1 {c.user}")  # and the same when it has hung up meanwhile: it is called
    c.ringing()
    b.hangup()
    b.closed()
    c.hangup()
    c.closed()
    shown = b.wait(r"Receiving new incoming call from (.*), assigned").group(1)
    assert shown.startswith('"Back (busy): ') and f"sip:{a.user}@" in shown, shown
    b.accept()
    b.established()
    _hear_each_other(a, b)
    a.hangup()
    b.closed()
    _record(t, a.user, f"{a.user} → {b.user}, then {b.user} (recall), then {b.user} (recall)")


def _answer(ua, tag):
    invite = ua.request("INVITE", 15)
    ua.reply(invite, 200, "OK", ua.sdp(), to_tag=tag)
    ua.request("ACK", 15)
    return invite


def a_hundred_transfers_leave_the_switch_as_it_was(t):
    t.own_tandem(media_ports=1200, log="info", modules="[module transfer]\n").start()
    a, b, c = t.endpoint(), t.endpoint(), t.endpoint()
    for ua in (b, c):
        assert ua.register().status == 200
    for i in range(100):
        assert a.send_invite(b.user) is None
        invite = _answer(b, f"b{i}")
        answer = a.response("INVITE", 200, 15)
        a.ack(answer)
        b.send(b.compose("REFER", uri_of(invite.get("contact")), 5, invite.get("call-id"), invite.get("from"), f"b{i}",
                         headers=[f"Contact: <sip:{b.user}@{b.contact}>", f"Refer-To: <sip:{c.user}@{b.server}>",
                                  "Refer-Sub: false"]))
        assert b.response("REFER").status == 202
        _answer(c, f"c{i}")
        b.reply(b.request("BYE", 15), 200, "OK")
        a.bye(answer)
        c.reply(c.request("BYE", 15), 200, "OK")
    wait_until("the last port to be given back", lambda: t.tandem.json("status")["media"]["ports_used"] == 0, 20, 0.2)
    assert t.tandem.json("calls")["calls"] == []
    wait_until("all records", lambda: t.tandem.sql("SELECT count(*) FROM tandem.v_call WHERE ended_at IS NOT NULL AND "
                                                   "who_talked LIKE '%(by transfer of %'") == [["100"]], 20, 0.25)


def another_phone_of_an_account_takes_its_call_over_and_nobody_else_does(t):
    t.own_tandem(log="info").start()
    owner = t.account()
    with t.endpoint() as a, t.endpoint(owner) as b:
        assert b.register().status == 200
        assert a.send_invite(b.user) is None
        invite = _answer(b, "first")
        answer = a.response("INVITE", 200, 15)
        a.ack(answer)
        name = f"{invite.get('call-id')};to-tag={tag_of(invite.get('from'))};from-tag=first"
        for wanted, status in ((name + "x", 481), (name.replace("to-tag=", "to-tag=x"), 481), (name, 403)):
            sipp.run(t, "replace_refused", t.ports(1)[0], account=t.account(), keys={"number": b.user, "replaces": wanted},
                     parts={"status": str(status)}).expect_success()
        program = sipp.start(t, "replace", t.ports(1)[0], account=owner, keys={"number": b.user, "replaces": name})
        b.reply(b.request("BYE", 15), 200, "OK")
        wait_until("the other phone to have the call", lambda: [leg["state"] for call in t.tandem.json("calls")["calls"]
                                                                for leg in call["legs"]] == ["up", "up"], 15, 0.2)
        assert a.bye(answer).status == 200
        sipp.finish(program).expect_success()
    _record(t, a.user, f"{a.user} → {b.user}, then {b.user} (another phone)")
