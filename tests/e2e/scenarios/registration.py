"""REGISTER: digest of both kinds, bindings, expiry, and phones behind addresses that lie."""

import time

from harness import sip
from harness.proc import Failed, wait_until


def a_wrong_password_is_refused(t):
    phone = t.endpoint()
    answer = phone.register(secret="wrong")
    assert answer.status in (401, 403), answer
    assert not t.tandem.registrations(phone.user)


def an_unknown_account_is_refused_like_a_wrong_password(t):
    known, stranger = t.endpoint(), t.endpoint(("nobody-here", "x"))
    assert stranger.register().status == known.register(secret="wrong").status, "the answer tells which accounts exist"


def a_phone_that_answers_only_md5_registers(t):
    phone = t.endpoint(server=t.tandem.modern)
    assert phone.register(algorithm="MD5").status == 200


def a_phone_that_answers_only_sha_256_registers(t):
    phone = t.endpoint(server=t.tandem.modern)
    assert phone.register(algorithm="SHA-256").status == 200


def a_phone_that_answers_only_sha_256_calls(t):
    callee, phone = t.phone(), t.endpoint(server=t.tandem.modern)
    assert phone.invite(callee.user, algorithm="SHA-256").status == 180
    phone.cancel()
    callee.ringing()
    callee.closed()


def each_listener_offers_the_algorithms_that_it_is_told_to(t):
    """Some phones choke on two: baresip 1.0 is one of them, and it registers in every other scenario."""
    account = t.account()
    for server, expected in ((t.tandem.server, ["MD5"]), (t.tandem.modern, ["MD5", "SHA-256"])):
        phone = t.endpoint(account, server=server)
        assert phone.register().status == 200
        offered = sorted(sip.parameters(c).get("algorithm", "MD5") for c in phone.challenges)
        assert offered == expected, offered


def a_network_of_old_phones_is_offered_md5_only(t):
    tandem = t.own_tandem(switch="digest_network = 127.0.0.0/8 md5\n")
    tandem.start()
    phone = t.endpoint(server=tandem.modern)
    assert phone.register().status == 200
    assert len(phone.challenges) == 1 and "MD5" in phone.challenges[0], phone.challenges


def the_challenge_offers_auth_only_and_keeps_no_secret(t):
    phone = t.endpoint(server=t.tandem.modern)
    phone.register()
    for challenge in phone.challenges:
        p = sip.parameters(challenge)
        assert p.get("qop") == "auth", challenge
        assert p.get("nonce") and p.get("realm"), challenge


def a_used_answer_is_not_accepted_again(t):
    phone = t.endpoint()
    assert phone.register().status == 200
    # The same Authorization in a new request: the count says it was used (RFC 7616 section 3.4.5).
    again = phone.last_sent.replace("branch=z9hG4bK", "branch=z9hG4bKagain").replace("CSeq: 2 ", "CSeq: 3 ")
    phone.send(again)
    answer = phone.response("REGISTER")
    assert answer.status == 401, answer


def two_bindings_stand_side_by_side_and_one_goes(t):
    account = t.account()
    desk, mobile = t.endpoint(account), t.endpoint(account)
    assert desk.register().status == 200
    answer = mobile.register()
    assert answer.status == 200 and len(answer.all("contact")) == 2, answer.all("contact")
    assert len(t.tandem.registrations(account[0])) == 2
    answer = desk.register(expires=0)
    assert answer.status == 200
    assert len(t.tandem.registrations(account[0])) == 1


def a_star_removes_all_bindings(t):
    account = t.account()
    desk, mobile = t.endpoint(account), t.endpoint(account)
    desk.register()
    mobile.register()
    answer = desk.register(expires=0, contacts=["*"])
    assert answer.status == 200 and not answer.all("contact"), (answer, answer.all("contact"))
    assert not t.tandem.registrations(account[0])


def asking_without_a_contact_lists_the_bindings(t):
    phone = t.endpoint()
    phone.register()
    answer = phone.register(expires=None, contacts=[])
    assert answer.status == 200 and len(answer.all("contact")) == 1, answer.all("contact")
    assert f"{phone.port}" in answer.get("contact")


def a_binding_that_is_not_refreshed_expires(t):
    tandem = t.own_tandem(modules="expires_min = 1\n")
    tandem.start()
    phone = t.endpoint()
    answer = phone.register(expires=2)
    assert answer.status == 200, answer
    assert t.tandem.registrations(phone.user)
    wait_until("the binding to expire", lambda: not t.tandem.registrations(phone.user), 10, 0.2)
    caller = t.endpoint()
    assert caller.invite(phone.user).status == 480


def a_too_short_registration_is_told_the_shortest(t):
    phone = t.endpoint()
    answer = phone.register(expires=1)
    if answer.status == 423:
        shortest = int(answer.get("min-expires"))
        assert phone.register(expires=shortest).status == 200
    else:  # RFC 3261 section 10.3 lets a registrar also lengthen nothing and accept
        assert answer.status == 200, answer


def a_phone_whose_contact_lies_is_called_where_it_really_is(t):
    callee, caller = t.endpoint(contact="192.0.2.77:5999"), t.endpoint()
    assert callee.register().status == 200
    caller.send(b"\r\n\r\n")  # a keep-alive must disturb nobody
    caller.send_invite(callee.user)
    invite = callee.request("INVITE")
    callee.reply(invite, 180, "Ringing")
    callee.reply(invite, 200, "OK", callee.sdp())
    answered = caller.response("INVITE", 200)
    caller.ack(answered)
    callee.request("ACK")
    caller.send(caller.compose("BYE", sip.uri_of(answered.get("contact")), 3, answered.get("call-id"),
                               answered.get("to"), sip.tag_of(answered.get("from"))))
    bye = callee.request("BYE")
    callee.reply(bye, 200, "OK")
    assert caller.response("BYE").status == 200


def the_response_says_where_the_phone_was_seen(t):
    phone = t.endpoint()
    answer = phone.options(timeout=3)
    via = answer.get("via")
    assert f"rport={phone.port}" in via and "received=127.0.0.1" in via, via


def a_phone_that_does_not_ask_for_its_port_registers_and_is_called(t):
    callee, caller = t.endpoint(rport=False), t.endpoint(rport=False)
    answer = callee.register()
    assert answer.status == 200 and "rport" not in answer.get("via"), answer.get("via")
    caller.send_invite(callee.user)
    callee.reply(callee.request("INVITE"), 486, "Busy Here")
    assert caller.response("INVITE").status == 486


def a_new_account_registers_within_a_second_and_a_disabled_one_is_out_at_once(t):
    name, secret = t.account()
    added = time.monotonic()
    phone = t.endpoint((name, secret))
    answer = phone.register()
    assert answer.status == 200 and time.monotonic() - added < 1.0, answer
    t.tandem.cli("account", "disable", name)
    answer = phone.register(call_id="again", cseq=10)
    assert answer.status in (401, 403), answer
    caller = t.endpoint()
    assert caller.invite(name).status in (403, 404, 480)
    t.tandem.cli("account", "enable", name)
    assert phone.register(call_id="more", cseq=10).status == 200


def a_phone_registers_again_by_itself(t):
    t.own_tandem(modules="expires_min = 1\n").start()
    phone = t.phone(expires=4)
    phone.wait("REGISTER_OK", timeout=20)
    assert t.tandem.registrations(phone.user)
    phone.stop()
    try:
        wait_until("the phone to un-register", lambda: not t.tandem.registrations(phone.user), 5, 0.2)
    except Failed:
        raise Failed("a phone that was switched off properly is still registered") from None
