"""Subscriptions and NOTIFYs as an administrator meets them: the command line, psql, and a switch that dies."""

import json
import re
import socket

from harness import sip, sipp
from harness.proc import wait_until
from harness.runner import scenario


def _subscribe(phone, resource, event, expires=600):
    """SUBSCRIBE with digest; returns its final response."""
    uri = f"sip:{resource}@{phone.server}"
    refused = phone._authenticate("SUBSCRIBE", uri, None, [f"Event: {event}", f"Expires: {expires}"], "", None, None, None, 1)
    return refused or phone.response("SUBSCRIBE", call_id=phone.call[1])


def _in_dialog(phone, answer, event, expires, cseq):
    """The same in the dialog that this answer has made."""
    call_id = answer.get("call-id")
    phone.send(phone.compose("SUBSCRIBE", sip.uri_of(answer.get("contact")), cseq, call_id, answer.get("to"),
                             sip.tag_of(answer.get("from")), headers=[f"Event: {event}", f"Expires: {expires}"]))
    return phone.response("SUBSCRIBE", call_id=call_id)


def _told(phone, state, body=""):
    """The next NOTIFY, answered: its state begins like this, its body is this."""
    notify = phone.request("NOTIFY", 15.0)
    assert notify.get("subscription-state").startswith(state), f"{notify}"
    assert body in notify.body, f"{body!r} is not in {notify.body!r}"
    phone.reply(notify, 200)
    return notify


def phones_are_told_to_read_their_configuration_again(t):
    with t.endpoint() as phone:
        assert phone.register().status == 200
        said = t.tandem.cli("notify", phone.user, "check-sync;reboot=true").stdout
        assert said == "Sent to 1 phone.\n", said
        notify = _told(phone, "terminated")
        assert notify.get("event") == "check-sync;reboot=true", notify
        refused = t.tandem.cli("notify", "nobody", "check-sync", check=False)
        assert refused.returncode == 1 and "There is no account nobody" in refused.stderr, refused.stderr
        name, _ = t.account()
        refused = t.tandem.cli("notify", name, "check-sync", check=False)
        assert refused.returncode == 1 and "No phone" in refused.stderr, refused.stderr


def subscriptions_outlive_a_crash_and_end_where_their_row_is_deleted(t):
    tandem = t.own_tandem(modules=f"[module lamp]\npath = {t.world.build}/tests/modules/.libs/lamp.so\n").start()
    with t.endpoint() as phone:
        answer = _subscribe(phone, "hall", "lamp")
        assert answer.status == 200, answer
        first = _told(phone, "active;expires=600", "hall is dark (whole, 0)")
        row = tandem.wait_record("SELECT account, package, resource FROM v_subscription", "the row of the subscription")
        assert (row["account"], row["package"], row["resource"]) == (phone.user, "lamp", "hall"), row
        tandem.kill()
        tandem.start()
        again = _told(phone, "active", "hall is dark (whole, ")
        assert again.get("call-id") == first.get("call-id")
        number = lambda message: int(re.match(r"\d+", message.get("cseq")).group())
        assert number(again) > number(first), (first, again)
        assert _in_dialog(phone, answer, "lamp", 300, 10).status == 200
        _told(phone, "active;expires=300")
        tandem.sql("DELETE FROM live.subscription")
        _told(phone, "terminated;reason=deactivated")
        wait_until("the subscription to be forgotten", lambda: _in_dialog(phone, answer, "lamp", 300, 20).status == 481)


def a_phone_subscribes_refreshes_and_asks_once_and_a_refused_notify_comes_again(t):
    t.own_tandem(modules=f"[module lamp]\npath = {t.world.build}/tests/modules/.libs/lamp.so\n").start()
    for name in ("subscribe", "subscribe_once"):
        sipp.run(t, name, t.ports(1)[0], account=t.account(), keys={"number": "hall"}).expect_success()
    assert t.tandem.cli("subscriptions").stdout == "No phone watches anything.\n"


def a_notify_whose_first_copy_is_lost_comes_again_and_the_operator_sees_that_it_was_taken(t):
    tandem = t.own_tandem(modules=f"[module lamp]\npath = {t.world.build}/tests/modules/.libs/lamp.so\n").start()
    with t.endpoint() as phone:
        answer = _subscribe(phone, "hall", "lamp")
        assert answer.status == 200, answer
        lost = phone.request("NOTIFY", 15.0)
        again = phone.request("NOTIFY", 15.0)
        assert again.get("cseq") == lost.get("cseq"), (lost, again)
        line = tandem.cli("subscriptions", phone.user).stdout.splitlines()[1]
        assert line.startswith(phone.user) and "lamp" in line and "hall" in line and "none yet" in line, line
        phone.reply(again, 200)
        wait_until("the answer to be known", lambda: " 200 " in tandem.cli("subscriptions").stdout)
        assert _in_dialog(phone, answer, "lamp", 0, 10).status == 200
        _told(phone, "terminated;reason=timeout")


def _lamp(tandem, name, shines):
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(tandem.control)
        control.sendall(json.dumps({"v": 1, "id": 1, "cmd": "lamp", "params": {"lamp": name, "shines": shines}}).encode() + b"\n")
        answers = control.makefile()
        answers.readline()  # its greeting
        assert json.loads(answers.readline())["ok"] is True


@scenario(seconds=120)
def a_phone_that_a_notify_never_reaches_gets_the_whole_state_as_soon_as_one_does(t):
    internet = t.internet()
    tandem = t.own_tandem(inside=internet.host("pbx", "203.0.113.10"),
                          modules=f"[module lamp]\npath = {t.world.build}/tests/modules/.libs/lamp.so\n").start()
    place = internet.host("phone", "203.0.113.40")
    program = sipp.start(t, "subscribe_lost", 5060, account=t.account(), keys={"number": "hall"}, seconds=90, inside=place)
    def subscription():
        return (tandem.json("subscriptions")["subscriptions"] or [{}])[0]
    wait_until("the phone to know that it is dark", lambda: subscription().get("answer") == 200)
    place.lose_text("NOTIFY sip")
    _lamp(tandem, "hall", "red")
    _lamp(tandem, "hall", "green")  # while it tries to tell
    wait_until("it to be given up", lambda: subscription()["lost"] == 1, 60, 0.2)
    copies = place.lose_text("")
    assert copies >= 5, f"{copies} copies were lost"
    sipp.finish(program, 95).expect_success()
    assert tandem.cli("subscriptions").stdout == "No phone watches anything.\n"


def who_transfers_by_refer_is_told_each_step_and_the_target_who_it_was(t):
    tandem = t.own_tandem(modules="[module transfer]\n").start()
    with t.endpoint() as caller, t.endpoint() as target:
        assert target.register().status == 200
        transferor, port = t.account(), t.ports(1)[0]
        sipp.run(t, "register", port, account=transferor).expect_success()
        program = sipp.start(t, "refer_answer", port, keys={"target": target.user})
        answered = caller.invite(transferor[0])
        while answered.status < 200:
            answered = caller.response("INVITE", call_id=caller.call[1])
        assert answered.status == 200, answered
        caller.ack(answered)
        invite = target.request("INVITE", 15.0)
        assert f"<sip:{transferor[0]}@" in invite.get("referred-by") and "example.org" not in str(invite.data), invite.data
        target.reply(invite, 180, "Ringing")

        def rings():
            row = json.loads(tandem.cli("subscriptions", transferor[0], "--json").stdout)["subscriptions"][0]
            assert (row["package"], row["in_call"]) == ("refer", True), row
            return row["notified"] == 2 and row["answer"] == 200
        wait_until("the transferor to hear that it rings", rings)
        target.reply(invite, 200, "OK", target.sdp())
        target.request("ACK", 15.0)
        sipp.finish(program).expect_success()
        assert caller.bye(answered).status == 200
        target.reply(target.request("BYE", 15.0), 200)
    call = t.call_record(caller.user)
    assert (call["cause"], call["ended_by"]) == ("normal", "caller"), call
    wait_until("nobody to be told any more", lambda: tandem.cli("subscriptions").stdout == "No phone watches anything.\n")
