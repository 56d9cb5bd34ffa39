"""Who is heard at all: bans, access lists, rates. Attackers have loopback addresses of their own (127.9.0.0/16)."""

import contextlib
import os
import secrets
import select
import socket

from harness import proc, sip

WORDS = 10  # wrong answers that ban, as the default says


def _open(t, **options):
    """A Tandem that takes loopback for the internet."""
    tandem = t.own_tandem(**options).start()
    tandem.cli("setting", "set", "ban_never", "none")
    return tandem


def _stranger(t, host, user="700", secret="a wrong one"):
    return t.endpoint((user, secret), host=host)


def _heard(endpoint):
    return endpoint.alive(timeout=1.0) is not None


def _guess(t, host, user, count=WORDS):
    """So many wrong passwords for this user."""
    with sip.Endpoint(t.tandem.server, user, "not it", host=host) as e:
        for _ in range(count):
            answer = e.register()
            assert answer.status == 401, answer


def _bans(tandem):
    return {ban["network"]: ban for ban in tandem.json("ban", "list")["bans"]}


# --- bans ---

def whoever_guesses_passwords_is_banned_and_a_person_reads_why(t):
    tandem = _open(t)
    name, secret = t.account()
    events = t.program([tandem.path("tandem"), "-s", tandem.control, "events", "ban"], f"{t.directory('e')}/events")
    def are_listened_to():
        tandem.cli("ban", "add", "127.9.9.9")
        tandem.cli("ban", "del", "127.9.9.9")
        return "127.9.9.9" in events.text()
    proc.wait_until("events to be listened to", are_listened_to, 20, 0.2)
    _guess(t, "127.9.0.1", name, WORDS - 1)
    assert not _bans(tandem)
    _guess(t, "127.9.0.1", "nobody", 1)  # an unknown name counts as much
    ban = _bans(tandem)["127.9.0.1"]
    assert ban["reason"] == "passwords" and ban["tried"] == "nobody" and "10 wrong passwords" in ban["detail"], ban
    assert 50 < (ban["until_us"] - ban["since_us"]) / 1e6 <= 60, ban
    locked = _stranger(t, "127.9.0.1", name, secret)
    assert not _heard(locked)
    assert _heard(_stranger(t, "127.9.0.2"))
    listed = tandem.cli("ban", "list").stdout
    assert "127.9.0.1" in listed and "10 wrong passwords or unknown names" in listed, listed
    status = tandem.cli("status").stdout
    assert "1 address is not listened to; `tandem ban list` says which and why" in status, status
    assert "dropped (banned)" in status, status
    row = tandem.wait_record("SELECT network::text, reason, tried, node FROM v_ban WHERE tried = 'nobody'", "the row of the ban")
    assert row == {"network": "127.9.0.1/32", "reason": "passwords", "tried": "nobody", "node": 1}, row
    proc.wait_until("the event", lambda: "banned" in events.text() and "127.9.0.1 for 60 s" in events.text(), 5)
    tandem.cli("ban", "del", "127.9.0.1")
    assert locked.register().status == 200
    assert not _bans(tandem) and "not listened to" not in tandem.cli("status").stdout
    proc.wait_until("the row to go", lambda: not tandem.records("SELECT 1 FROM live.ban"), 5)


def a_locked_out_user_is_explained(t):
    tandem = _open(t)
    name, _ = t.account()
    _guess(t, "127.9.0.1", name)
    why = tandem.cli("why", "register", name).stdout
    why = " ".join(why.split())
    assert "127.9.0.1 is banned for another 1 min" in why and "wrong password" in why, why
    assert "tandem ban del 127.9.0.1" in why, why
    assert tandem.json("why", "register", name)["cause"] == "banned"
    # The same, when it was a call that was tried with the wrong password last.
    assert _stranger(t, "127.9.0.2", name).invite("201").status == 401
    _guess(t, "127.9.0.2", name, WORDS - 1)
    proc.wait_until("the attempt to be explained", lambda: tandem.json("why", "last", name)["cause"] == "banned", 10)
    why = tandem.json("why", "last", name)
    assert "127.9.0.2 is banned" in why["sentence"] and f"tried to call 201 as {name}" in why["sentence"], why


def requests_that_are_only_not_authenticated_ban_nobody(t):
    tandem = _open(t)
    with sip.Endpoint(tandem.server, "201", host="127.9.0.3") as e:
        for n in range(5 * WORDS):
            method = ("REGISTER", "INVITE", "SUBSCRIBE", "MESSAGE")[n % 4]
            call_id = secrets.token_hex(8)
            e.send(e.compose(method, f"sip:00{n}4420@{tandem.server}", call_id=call_id))  # to other countries, too
            e.response(method, lambda s: s > 100, 5, call_id)
    assert not _bans(tandem)


def who_has_authenticated_is_never_banned_by_the_switch(t):
    """An office: one phone knows its password, another one does not; a scanner pretends to be there."""
    tandem = _open(t)
    good = t.endpoint(host="127.9.0.4")
    assert good.register().status == 200
    _guess(t, "127.9.0.4", "nobody", 3 * WORDS)
    with sip.Endpoint(tandem.server, "100", host="127.9.0.4") as e:
        for _ in range(3):
            e.send(e.compose("OPTIONS", f"sip:100@{tandem.server}", headers=["User-Agent: friendly-scanner"]))
    assert good.register().status == 200
    assert not _bans(tandem)


def nor_who_was_registered_when_the_switch_started(t):
    tandem = _open(t)
    good = t.endpoint(host="127.9.0.4")
    assert good.register(expires=600).status == 200
    tandem.stop()
    tandem.start()
    with sip.Endpoint(tandem.server, "100", host="127.9.0.4") as e:
        e.send(e.compose("OPTIONS", f"sip:100@{tandem.server}", headers=["User-Agent: friendly-scanner"]))
        assert _heard(e)
    assert not _bans(tandem)


def bans_outlive_a_restart_and_a_crash(t):
    tandem = _open(t)
    _guess(t, "127.9.0.5", "nobody")
    tandem.cli("ban", "add", "127.9.1.0/24", "--for", "2h", "--reason", 'they call at night, "Bob" says')
    before = _bans(tandem)
    assert set(before) == {"127.9.0.5", "127.9.1.0/24"}
    tandem.stop()
    tandem.start()
    assert _bans(tandem) == before
    tandem.kill()
    tandem.start()
    assert _bans(tandem) == before
    assert not _heard(_stranger(t, "127.9.1.77")) and _heard(_stranger(t, "127.9.2.77"))


def people_ban_and_lift_with_psql(t):
    tandem = _open(t)
    stranger = _stranger(t, "127.9.0.6")
    assert _heard(stranger)
    said = tandem.sql("SELECT add_ban('127.9.0.0/28', '1 hour', 'enough of them')")[0][0]
    assert said.startswith("127.9.0.0/28 is banned until 20"), said
    proc.wait_until("the ban", lambda: not _heard(stranger), 5)
    assert "enough of them" in tandem.cli("ban", "list").stdout
    assert "within 127.9.0.0/28" in _refused(tandem, "SELECT remove_ban('127.9.0.6')")
    tandem.sql("SELECT remove_ban('127.9.0.0/28')")
    proc.wait_until("the end of the ban", lambda: _heard(stranger), 5)
    assert "nearly everybody" in _refused(tandem, "SELECT add_ban('0.0.0.0/0')")
    assert "no ban of 192.0.2.1" in _refused(tandem, "SELECT remove_ban('192.0.2.1')")
    assert "takes a time" in tandem.command_fails("ban", "add", "192.0.2.1", "--for", "soon")
    assert "like 192.0.2.7" in tandem.command_fails("ban", "add", "example.org")
    assert "no ban of 192.0.2.1" in tandem.command_fails("ban", "del", "192.0.2.1")


def _refused(tandem, statement):
    done = proc.run(["psql", "-X", "-A", "-t", "-c", statement, tandem.database], check=False)
    assert done.returncode != 0 or "ERROR" in done.stderr, done.stdout
    return done.stderr


def a_ban_holds_for_connections_too(t):
    tandem = _open(t)
    there = socket.create_connection(("127.0.0.1", tandem.port), source_address=("127.9.0.7", 0))
    tandem.cli("ban", "add", "127.9.0.7")
    with socket.create_connection(("127.0.0.1", tandem.port), source_address=("127.9.0.7", 0)) as late:
        late.settimeout(5)
        assert late.recv(100) == b""  # closed without a word
    there.settimeout(5)
    there.sendall(b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n")
    try:
        assert there.recv(100) == b""
    except ConnectionResetError:
        pass
    there.close()


def networks_that_are_never_banned_are_not(t):
    tandem = _open(t)
    tandem.cli("setting", "set", "ban_never", "127.9.0.0/28, 192.0.2.0/24")
    _guess(t, "127.9.0.8", "nobody", 2 * WORDS)
    assert not _bans(tandem)
    _guess(t, "127.9.0.18", "nobody")
    assert set(_bans(tandem)) == {"127.9.0.18"}
    tandem.cli("setting", "set", "ban_never", "127.9.0.0/24")  # lets in who has been banned
    proc.wait_until("the end of the ban", lambda: not _bans(tandem), 5)
    assert "needs networks like" in tandem.command_fails("setting", "set", "ban_never", "127.9.0.0/24 everybody")
    assert "needs FAMILY TABLE NAME" in tandem.command_fails("setting", "set", "nft_set", "x; rm -rf /")


NFT = """#!/bin/sh
[ "$*" = "add element inet filter tandem4 { 127.9.0.99 timeout 60s }" ] && echo "Error: No such file or directory" >&2 && exit 1
echo "$@" >>{log}
"""


def bans_go_into_an_nftables_set_when_that_is_wanted(t):
    """With a program in the place of nft that writes down what it is told."""
    directory = t.directory("nft")
    log = f"{directory}/log"
    with open(f"{directory}/nft", "w", encoding="ascii") as f:
        f.write(NFT.replace("{log}", log))
    os.chmod(f"{directory}/nft", 0o755)
    path = os.environ["PATH"]
    os.environ["PATH"] = f"{directory}:{path}"
    try:
        tandem = _open(t)
    finally:
        os.environ["PATH"] = path
    _guess(t, "127.9.0.1", "nobody")
    tandem.cli("setting", "set", "nft_set", "inet filter tandem")
    tandem.cli("ban", "add", "127.9.4.0/24")
    tandem.cli("ban", "add", "2001:db8:7::/64", "--for", "1h")
    _guess(t, "127.9.0.2", "nobody")
    with sip.Endpoint(tandem.server, "100", host="127.9.0.3") as e:  # forged, perhaps: not for the kernel
        e.send(e.compose("OPTIONS", f"sip:{tandem.server}", headers=["User-Agent: sipvicious"]))
    tandem.cli("ban", "del", "127.9.4.0/24")
    _guess(t, "127.9.0.99", "nobody")
    tandem.wait_log(r"nft did not take \{ 127.9.0.99 timeout 60s \} into the set inet filter tandem4: Error: No such file", 5)
    with open(log, encoding="ascii") as f:
        assert f.read().splitlines() == ["add element inet filter tandem4 { 127.9.4.0/24 }",
                                         "add element inet filter tandem6 { 2001:db8:7::/64 timeout 3600s }",
                                         "add element inet filter tandem4 { 127.9.0.2 timeout 60s }",
                                         "delete element inet filter tandem4 { 127.9.4.0/24 }"]


# --- scanners ---

def _end_ban(tandem, address):
    """Its time is over now."""
    tandem.wait_record(f"SELECT 1 FROM v_ban WHERE network = '{address}'", "the row of the ban")
    tandem.sql(f"UPDATE live.ban SET until = clock_timestamp() WHERE network = '{address}/32'")
    proc.wait_until("its end", lambda: address not in _bans(tandem), 5)


def scanners_learn_nothing_and_are_banned(t):
    """Over UDP for a minute at most, because the source may be forged; over TCP longer each time."""
    tandem = _open(t)
    for n, agent in enumerate(("friendly-scanner", "sipcli/v1.8", "pplsip", "sundayddr", "SIPVicious 0.3")):
        with sip.Endpoint(tandem.server, "100", host=f"127.9.1.{n + 1}") as e:
            e.send(e.compose("OPTIONS", f"sip:{tandem.server}", headers=[f"user-agent : {agent}"]))
            assert not _heard(e), agent  # not the one, nor what comes after it
        ban = _bans(tandem)[f"127.9.1.{n + 1}"]
        assert ban["reason"] == "scanner" and not ban["proven"], ban
        assert (ban["until_us"] - ban["since_us"]) / 1e6 <= 60, ban
    with sip.Endpoint(tandem.server, "100", host="127.9.1.1") as e:  # another name, the same address
        e.send(e.compose("REGISTER", f"sip:{tandem.server}"))
        e.silence(0.5)
    for n in range(2):
        with socket.create_connection(("127.0.0.1", tandem.port), source_address=("127.9.1.9", 0)) as s:
            s.sendall(f"OPTIONS sip:{tandem.server} SIP/2.0\r\nVia: SIP/2.0/TCP 127.9.1.9;branch=z9hG4bK{n}\r\nFrom: "
                      f"\"sipvicious\"<sip:100@1.1.1.1>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: {n}\r\nCSeq: 1 OPTIONS\r\n"
                      "Content-Length: 0\r\n\r\n".encode())
            ban = proc.wait_until("the ban", lambda: _bans(tandem).get("127.9.1.9"), 5)
            assert ban["proven"], ban
        _end_ban(tandem, "127.9.1.9")


def nobody_gets_a_user_banned_by_forging_his_address(t):
    """The address of a phone that has not registered yet: its connection is heard all the time, its datagrams in the pause
    after the minute; and once it has registered, forging does nothing any more."""
    tandem = _open(t)
    name, secret = t.account()
    with sip.Endpoint(tandem.server, "100", host="127.9.1.20") as forger:
        forger.send(forger.compose("OPTIONS", f"sip:{tandem.server}", headers=["User-Agent: sipvicious"]))
        proc.wait_until("the ban", lambda: "127.9.1.20" in _bans(tandem), 5)
        with socket.create_connection(("127.0.0.1", tandem.port), source_address=("127.9.1.20", 0)) as s:
            s.settimeout(5)
            s.sendall(forger.compose("REGISTER", f"sip:{tandem.server}").replace("/UDP", "/TCP").encode())
            assert s.recv(4000).startswith(b"SIP/2.0 401")
        _end_ban(tandem, "127.9.1.20")
        forger.send(forger.compose("OPTIONS", f"sip:{tandem.server}", headers=["User-Agent: sipvicious"]))
        phone = t.endpoint((name, secret), host="127.9.1.20")
        assert phone.register().status == 200
        forger.send(forger.compose("OPTIONS", f"sip:{tandem.server}", headers=["User-Agent: sipvicious"]))
        assert phone.register(cseq=7).status == 200
    assert not _bans(tandem)


def a_flood_of_garbage_is_banned(t):
    tandem = _open(t)
    with sip.Endpoint(tandem.server, "100", host="127.9.1.30") as e:
        for _ in range(260):
            e.send(secrets.token_bytes(160))
        proc.wait_until("the ban", lambda: _bans(tandem).get("127.9.1.30", {}).get("reason") == "garbage", 5)
    assert _heard(_stranger(t, "127.9.1.31"))


# --- access lists ---

def connections_count_against_the_rate_of_their_source(t):
    tandem = _open(t, switch="source_rate = 10\n")
    with contextlib.ExitStack() as stack:
        mine = [stack.enter_context(socket.create_connection(("127.0.0.1", tandem.port), timeout=5, source_address=("127.9.0.7", 0)))
                for _ in range(40)]
        assert _heard(_stranger(t, "127.9.0.8"))
        closed = [s for s in mine if select.select([s], [], [], 0)[0]]
        assert 20 <= len(closed) < 40, len(closed)  # two messages each, of twenty at once


def a_listener_hears_only_whom_its_list_allows(t):
    tandem = _open(t)
    inside, outside = _stranger(t, "127.9.2.1"), _stranger(t, "127.9.3.1")
    said = tandem.cli("acl", "add", "office", "--rules", "deny 127.9.2.9, allow 127.9.2.0/24", "--listeners", "udp", "--note",
                      "the shop").stdout
    assert "Acl office added: applied" in said, said
    assert _heard(inside) and not _heard(outside) and not _heard(_stranger(t, "127.9.2.9"))
    with socket.create_connection(("127.0.0.1", tandem.port), source_address=("127.9.3.1", 0)) as s:
        s.settimeout(5)
        s.sendall(outside.compose("REGISTER", f"sip:{tandem.server}").replace("/UDP", "/TCP").encode())
        assert s.recv(4000).startswith(b"SIP/2.0 401")  # another listener
    assert "not allowed" in tandem.cli("status").stdout
    traced = tandem.cli("trace", "--address", "127.9.3.1").stdout
    assert "REGISTER, dropped: " in traced, traced
    tandem.sql("UPDATE config.acl SET listeners = 'tcp' WHERE name = 'office'")  # live, both ways
    proc.wait_until("the change", lambda: _heard(outside), 5)
    with socket.create_connection(("127.0.0.1", tandem.port), source_address=("127.9.3.1", 0)) as s:
        s.settimeout(5)
        assert s.recv(100) == b""
    assert "the shop" in tandem.cli("acl", "list").stdout and "127.9.2.0/24" in tandem.cli("acl", "show", "office").stdout
    tandem.cli("acl", "del", "office")
    assert _heard(outside)


def an_account_is_used_only_from_where_its_list_allows(t):
    tandem = _open(t)
    tandem.sql("SELECT set_acl('shop', 'allow 127.9.2.0/24')")
    name, secret = t.account()
    tandem.cli("account", "set", name, "--acl", "shop")
    inside, outside = t.endpoint((name, secret), host="127.9.2.2"), t.endpoint((name, secret), host="127.9.3.2")
    assert inside.register().status == 200
    assert outside.register().status == 401
    assert outside.invite("600").status == 401
    why = " ".join(tandem.cli("why", "register", name).stdout.split())
    assert "the access list of the account does not allow its address" in why, why
    assert "is used by account" in tandem.command_fails("acl", "del", "shop")
    tandem.cli("account", "set", name, "--acl", "default")
    assert outside.register(cseq=9).status == 200
    tandem.cli("acl", "del", "shop")


def an_access_list_that_cannot_work_is_refused_in_words(t):
    tandem = _open(t)
    for rules, words in (("permit 192.0.2.0/24", '"permit" is neither allow nor deny'), ("allow here", '"here" is no network'),
                         ("allow", "each rule is allow or deny and a network"), ("allow 192.0.2.1/24", "no network")):
        assert words in tandem.command_fails("acl", "add", "x", "--rules", rules), rules
    assert "cannot have the listeners" in tandem.command_fails("acl", "add", "x", "--listeners", "sctp")
    assert "there is no such list" in tandem.command_fails("account", "set", t.account()[0], "--acl", "nowhere")
    tandem.cli("acl", "add", "x", "--rules", "deny 192.0.2.0/24, allow 2001:db8::/32")
    for address, allowed in (("192.0.2.7", False), ("2001:db8::1", True), ("198.51.100.1", False)):
        assert tandem.sql(f"SELECT acl_allows('x', '{address}')")[0][0] == ("t" if allowed else "f"), address


def access_lists_go_back_with_the_rest_of_the_configuration(t):
    tandem = _open(t)
    name, _ = t.account()
    before = tandem.sql("SELECT number FROM config.generation")[0][0]
    tandem.sql("SELECT set_acl('shop', 'allow 127.9.2.0/24', 'udp')")
    tandem.cli("account", "set", name, "--acl", "shop")
    with_list = tandem.sql("SELECT number FROM config.generation")[0][0]
    assert not _heard(_stranger(t, "127.9.3.3"))
    tandem.cli("config", "rollback", before)
    assert _heard(_stranger(t, "127.9.3.3")) and not tandem.records("SELECT 1 FROM v_acl")
    tandem.cli("config", "rollback", with_list)
    assert not _heard(_stranger(t, "127.9.3.3"))
    assert tandem.sql(f"SELECT acl FROM v_account WHERE name = '{name}'")[0][0] == "shop"
    assert "account_acl_is_there" in _refused(tandem, "DELETE FROM config.acl")
    exported = tandem.cli("account", "export").stdout
    assert "shop" in exported, exported


# --- rates ---

def an_account_that_sends_too_much_costs_others_nothing(t):
    """A phone that registers again and again as fast as it can, and one that wants to make a call."""
    tandem = _open(t)
    tandem.cli("setting", "set", "account_rate", "20")
    wild, caller, callee = t.endpoint(), t.endpoint(), t.endpoint()
    assert callee.register().status == 200 and wild.register().status == 200
    chosen = sip.parameters(wild.challenges[0])
    statuses = []
    for n in range(2, 160):
        uri = f"sip:{tandem.server}"
        value = sip.answer_challenge(wild.challenges[0], "REGISTER", uri, wild.user, wild.secret, n)
        call_id = secrets.token_hex(8)
        wild.send(wild.compose("REGISTER", uri, n, call_id, f"<sip:{wild.user}@{tandem.server}>",
                               headers=[f"Authorization: {value}", f"Contact: <sip:{wild.user}@{wild.contact}>"]))
        answer = wild.response("REGISTER", lambda s: True, 5, call_id)
        statuses.append(answer.status)
        if answer.status == 503:
            assert answer.get("retry-after"), answer.data
    assert statuses.count(200) >= 99 and statuses.count(503) >= 20 and set(statuses) == {200, 503}, statuses
    assert chosen["nonce"] in wild.challenges[0]
    caller.send_invite(callee.user)
    invite = callee.request("INVITE")
    callee.reply(invite, 486, "Busy")
    assert caller.response("INVITE", lambda s: s > 199).status == 486
    assert "sends more than 20 requests a second" in tandem.log()
