"""Phones behind routers that translate addresses, and the switch behind one: who hears whom, who can be called after a long
silence, what is said of phones that cannot, and who is not heard at all."""

import re
import time

from harness import audio, net
from harness.proc import wait_until
from harness.runner import scenario

PBX, WEST, EAST, STUN, STRANGER = "203.0.113.10", "203.0.113.21", "203.0.113.22", "203.0.113.30", "203.0.113.66"
CALLER, CALLEE, EVIL = 440, 880, 1500  # Hz


def _world(t, west=None, east=None):
    """(internet, place of the western phone, of the eastern one): a public switch and two routers with the same network
    behind them."""
    internet = t.internet()
    t.own_tandem(inside=internet.host("pbx", PBX)).start()
    places = [internet.behind(internet.router(name, address, **(options or {})), f"{name}-phone")
              for name, address, options in (("west", WEST, west), ("east", EAST, east))]
    return internet, *places


def _talk(a, b):
    """a calls b, b answers, and each hears the other's tone, and not itself."""
    a.dial(b.user)
    b.ringing()
    b.accept()
    a.established()
    b.established()
    a.wait_heard(b.tone, seconds=1)
    b.wait_heard(a.tone, seconds=1)
    for p in (a, b):
        assert p.heard_seconds(p.tone) == 0, f"{p.user} hears itself"


def _hang_up(a, b):
    a.hangup()
    a.closed()
    b.closed()


def _both_ways(t, west, east, kinds=("baresip", "baresip"), **options):
    """Two phones behind routers like these call each other, each once."""
    _, here, there = _world(t, west, east)
    a = t.phone(kind=kinds[0], inside=here, tone=CALLER, **options)
    b = t.phone(kind=kinds[1], inside=there, tone=CALLEE, **options)
    for phone, router in ((a, WEST), (b, EAST)):
        binding, = t.tandem.registrations(phone.user)
        assert binding["peer"].startswith(router + ":"), f"the observed address is the router's: {binding}"
    _talk(a, b)
    _hang_up(a, b)
    _talk(b, a)
    _hang_up(b, a)
    return a, b


def phones_behind_routers_that_keep_ports_hear_each_other(t):
    _both_ways(t, None, None)


def phones_behind_symmetric_routers_hear_each_other(t):
    _both_ways(t, {"symmetric": True}, {"symmetric": True})


def a_linphone_and_a_baresip_behind_symmetric_routers_hear_each_other(t):
    _both_ways(t, {"symmetric": True}, {"symmetric": True}, kinds=("linphone", "baresip"))


def a_linphone_and_a_baresip_behind_routers_that_keep_ports_hear_each_other(t):
    _both_ways(t, None, None, kinds=("linphone", "baresip"))


def phones_over_tcp_behind_symmetric_routers_hear_each_other(t):
    _both_ways(t, {"symmetric": True}, {"symmetric": True}, transport="tcp")


def phones_over_tls_behind_symmetric_routers_hear_each_other(t):
    _both_ways(t, {"symmetric": True}, {"symmetric": True}, kinds=("linphone", "baresip"), transport="tls")


def _after_silence(t, seconds, kind="baresip"):
    """A phone behind a router that forgets after five seconds is called after so long without a word."""
    _, here, there = _world(t, None, {"forgets_s": 5, "symmetric": True})
    b = t.phone(kind=kind, inside=there, tone=CALLEE, expires=60)
    a = t.phone(inside=here, tone=CALLER)
    # Until it is known how long the router remembers, a phone may be lost for one short registration.
    def learnt():
        binding, = t.tandem.registrations(b.user) or [{}]
        return binding.get("keepalive_ms", 0) >= 2000 and binding["expires_in"] > 0 and \
            re.search("forgets phones after less than", t.tandem.log())
    wait_until("the router to be known", learnt, 100, 0.5)
    wait_until("the phone to be reachable", lambda: "unreachable_since_us" not in t.tandem.registrations(b.user)[0], 60, 0.5)
    binding, = t.tandem.registrations(b.user)
    assert binding["keepalive_ms"] < 5000, binding
    time.sleep(seconds)  # this is what the test is about: nothing happens for so long
    _talk(a, b)
    _hang_up(a, b)
    row, = t.tandem.records(f"SELECT * FROM v_registration WHERE account = '{b.user}'")
    assert row["unreachable_since"] is None and row["peer"].startswith(EAST), row


@scenario(seconds=240)
def a_phone_behind_a_router_that_forgets_after_five_seconds_is_called_after_twenty(t):
    _after_silence(t, 20)


@scenario(seconds=400, long=True)
def a_phone_behind_a_router_that_forgets_after_five_seconds_is_called_after_two_minutes(t):
    _after_silence(t, 120)


@scenario(seconds=400, long=True)
def a_linphone_behind_a_router_that_forgets_after_five_seconds_is_called_after_two_minutes(t):
    _after_silence(t, 120, "linphone")


@scenario(seconds=300, long=True)
def phones_behind_usual_routers_are_called_after_two_minutes(t):
    _, here, there = _world(t, {"forgets_s": 30}, {"forgets_s": 30, "symmetric": True})
    a, b = t.phone(inside=here, tone=CALLER, expires=3600), t.phone(inside=there, tone=CALLEE, expires=3600)
    time.sleep(120)  # this is what the test is about
    for caller, callee in ((a, b), (b, a)):
        _talk(caller, callee)
        _hang_up(caller, callee)
    assert not re.search("cannot be reached any more|forgets phones", t.tandem.log())


@scenario(seconds=120)
def a_phone_that_falls_silent_is_marked_and_calls_to_it_fail_at_once(t):
    _, here, there = _world(t)
    account = t.account()
    b = t.phone(account=account, inside=there, tone=CALLEE)
    a = t.phone(inside=here, tone=CALLER)
    b.kill()
    wait_until("the phone to be marked", lambda: "unreachable_since_us" in t.tandem.registrations(b.user)[0], 60, 0.2)
    assert "unreachable since" in t.tandem.cli("registrations").stdout
    assert "1 of them unreachable" in t.tandem.cli("status").stdout
    row = t.tandem.wait_record(f"SELECT * FROM v_registration WHERE account = '{b.user}' AND unreachable_since IS NOT NULL",
                               "the mark in the database")
    assert row["contact"], row
    began = time.monotonic()
    a.dial(b.user)
    assert a.closed().startswith("480")
    assert time.monotonic() - began < 3, "the caller had to wait"
    call = t.call_record(a.user)
    assert call["cause"] == "contact-unreachable" and "stopped answering" in t.tandem.cli("why", str(call["id"])).stdout, call
    c = t.phone(account=account, inside=there, tone=CALLEE)  # it is switched on again
    states = ["unreachable_since_us" in binding for binding in t.tandem.registrations(b.user)]
    assert sorted(states) == [False, True], "a baresip that starts anew is another contact; the old one is still there"
    _talk(a, c)


def _server_behind(t, switch, stun=False, idle_s=0, kind="baresip"):
    """A switch in a private network whose router leads SIP and audio to it; a phone beside it, and one far away."""
    internet = t.internet()
    gate = internet.router("gate", PBX, lan="192.168.50", forgets_s=30)
    home = internet.behind(gate, "pbx", 10)
    server = net.StunServer(internet.host("stun", STUN)) if stun else None
    tandem = t.own_tandem(inside=home, switch=switch)
    first, last = re.search(r"ports = (\d+)-(\d+)", open(tandem.config, encoding="utf-8").read()).groups()
    internet.forward(gate, home, "5060")
    internet.forward(gate, home, f"{first}:{last}")
    tandem.start()
    if stun:
        tandem.wait_log("the public address is " + PBX.replace(".", r"\."))
    far = internet.behind(internet.router("west", WEST, forgets_s=30), "far")
    near = internet.behind(gate, "near", 30)
    a = t.phone(kind=kind, account=t.account(), inside=far, tone=CALLER, server=f"{PBX}:5060", expires=3600)
    b = t.phone(account=t.account(), inside=near, tone=CALLEE, server=f"{home.address}:5060", expires=3600)
    time.sleep(idle_s)
    _talk(a, b)
    _hang_up(a, b)
    _talk(b, a)
    _hang_up(b, a)
    # What left the switch for each phone names the address by which this phone reaches it, and no other.
    for phone, wanted, unwanted in ((a, PBX, home.address), (b, home.address, PBX)):
        messages = phone.log()
        assert f"c=IN IP4 {wanted}" in messages and re.search(rf"^Contact: <sip:[^>]*@{wanted}:5060", messages, re.M), \
            f"{phone.user} never saw {wanted}"
        assert re.search(rf"^Via: SIP/2.0/UDP {wanted}:5060", messages, re.M), f"{phone.user} saw no Via of {wanted}"
        assert unwanted not in messages, f"{phone.user} saw {unwanted}"
    return server, tandem


def a_switch_behind_a_router_says_its_public_address_outside_and_its_own_inside(t):
    _, tandem = _server_behind(t, f"public_host = {PBX}\n")
    assert re.search(rf"address +{PBX}", tandem.cli("status").stdout)


def a_switch_behind_a_router_and_a_linphone_behind_another_hear_each_other(t):
    _server_behind(t, f"public_host = {PBX}\n", kind="linphone")


@scenario(seconds=300, long=True)
def phones_of_a_switch_behind_a_router_are_called_after_two_minutes(t):
    _server_behind(t, f"public_host = {PBX}\n", idle_s=120)


def a_switch_behind_a_router_finds_its_public_address_by_stun(t):
    server, tandem = _server_behind(t, f"stun_server = {STUN}\nstun_interval = 1\n", stun=True)
    try:
        status = tandem.json("status")["network"]
        assert status["public_address"] == PBX and status["source"] == "STUN", status
        server.says = ("203.0.113.99", 5060)  # the provider gives it another one
        tandem.wait_log(f"the public address has changed from {PBX} to 203.0.113.99")
        wait_until("the status to say so", lambda: "203.0.113.99" in tandem.cli("status").stdout, 5)
    finally:
        server.end()


@scenario(seconds=120)
def routers_that_rewrite_sip_are_named_with_what_to_do(t):
    internet = t.internet()
    t.own_tandem(inside=internet.host("pbx", PBX)).start()
    private = "192.168.1.77:5060"

    def sends(e, method, uri, via, contact, **more):
        """One request as the router leaves it; the phone itself goes on as phones do."""
        e.via, e.contact = via, contact
        headers = [f"Contact: <sip:{e.user}@{contact}>"] if method == "REGISTER" else []
        e.send(e.compose(method, uri, headers=headers, to=f"<sip:{e.user}@{e.server}>", **more))
        e.via = e.contact = private

    def half_via(e):
        sends(e, "REGISTER", f"sip:{e.server}", f"{e.host}:{e.port}", private)

    def half_contact(e):
        sends(e, "REGISTER", f"sip:{e.server}", private, f"{e.host}:{e.port}")

    def wrong_length(e):
        e.via = e.contact = private
        message = e.compose("INVITE", f"sip:999@{e.server}", body=e.sdp())
        e.send(re.sub(r"Content-Length: \d+", f"Content-Length: {len(e.sdp()) - 5}", message))

    for address, name, rewritten in ((WEST, "via-rewritten", half_via), (EAST, "contact-rewritten", half_contact),
                                     (STRANGER, "length-wrong", wrong_length)):
        e = t.endpoint(inside=internet.host(name, address))
        rewritten(e)
        assert e.register().status == 200
        binding, = t.tandem.registrations(e.user)
        assert binding.get("sip_alg") == name, binding
        t.tandem.wait_log(f"the router at {address} .*Switch off SIP ALG in the router at {address}")
        assert f"SIP ALG ({name})" in t.tandem.cli("registrations").stdout
        assert f"the router at {address} rewrites SIP ({name}): switch off SIP ALG there" in t.tandem.cli("status").stdout
        t.tandem.wait_record(f"SELECT 1 AS yes FROM v_registration WHERE account = '{e.user}' AND sip_alg = '{name}'", "it")
        assert "Switch off SIP ALG" in t.tandem.cli("why", "register", e.user).stdout
    # A router that only translates addresses, and phones that know or learn their public address.
    place = internet.host("honest", "203.0.113.40")
    for via, contact in ((private, private), (None, None), (None, "alice.example.org"), (private, "alice.example.org")):
        honest = t.endpoint(inside=place)
        honest.via, honest.contact = via or honest.via, contact or honest.contact
        assert honest.register().status == 200
        honest.contact = f"{honest.host}:{honest.port}"  # learnt from received and rport of the answer
        assert honest.register().status == 200
        assert all("sip_alg" not in b for b in t.tandem.registrations(honest.user)), (via, contact)


def audio_of_a_stranger_is_neither_heard_nor_answered(t):
    internet, here, there = _world(t, {"symmetric": True}, {"symmetric": True})
    stranger = internet.host("stranger", STRANGER)
    first, last = re.search(r"ports = (\d+)-(\d+)", open(t.tandem.config, encoding="utf-8").read()).groups()
    evil = net.Sprayer(stranger, PBX, range(int(first), int(last) + 1), audio.ulaw_tone(EVIL))
    try:
        a = t.phone(inside=here, tone=CALLER)
        b = t.phone(inside=there, tone=CALLEE)
        _talk(a, b)
        time.sleep(3)  # as long as it sprays, nothing of it may come through
        since_a, since_b = a.place(), b.place()
        assert since_a > 3 and since_b > 3
        for phone in (a, b):
            assert phone.heard_seconds(EVIL) == 0, f"{phone.user} hears the stranger"
        a.wait_heard(CALLEE, seconds=3)
        b.wait_heard(CALLER, seconds=3)
        a.hold()  # the phone is silent now: what a thief of the call waits for
        time.sleep(4)
        a.resume()
        time.sleep(1)
        assert b.heard_seconds(EVIL) == 0
        _hang_up(b, a)
    finally:
        evil.end()
    assert evil.sent > 1000
    assert evil.got == 0, f"{evil.got} packets went to the stranger"


def keep_alives_follow_their_settings_and_what_they_find_is_an_event(t):
    tandem = t.own_tandem().start()
    said = tandem.command_fails("setting", "set", "phone_keepalive", "3601")
    assert "a number from 0 to 3600" in said, said
    log = f"{t.directory('events')}/out"
    follower = t.program([tandem.path("tandem"), "-s", tandem.control, "events", "registration"], log)
    phone = t.endpoint()
    wait_until("the follower to follow", lambda: phone.register().status == 200 and "registered" in follower.text(), 10, 0.2)
    phone.silence(3, lambda m: m.method == "OPTIONS")  # it is in our own network
    tandem.cli("setting", "set", "phone_keepalive_all", "1")
    question = phone.request("OPTIONS", 5)
    assert question.uri == f"sip:{phone.user}@{phone.contact}", question.uri
    wait_until("the phone to be marked", lambda: f"unreachable {phone.user}" in follower.text(), 15)
    caller = t.endpoint()
    caller.register()
    refused = caller.invite(phone.user)
    assert refused.status == 480, refused
    caller.ack(refused)
    assert t.call_record(caller.user)["cause"] == "contact-unreachable"
    said = tandem.cli("why", "register", phone.user).stdout
    assert "has not answered keep-alives" in said and "calls to it fail at once" in said, said
    tandem.cli("setting", "set", "unreachable_after", "0")
    phone.inbox.clear()
    phone.reply(phone.request("OPTIONS", 40), 404)  # any answer will do
    wait_until("the phone to be reachable", lambda: f"\nreachable {phone.user}" in re.sub(r"(?m)^\S+ ", "", follower.text()), 10)
    tandem.cli("setting", "set", "phone_keepalive", "0")
    while phone.waits("OPTIONS"):
        pass  # what had come before
    phone.silence(4, lambda m: m.method == "OPTIONS")
