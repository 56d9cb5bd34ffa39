"""TLS as an administrator and phones meet it: certificates that change, phones that must show one, connections that break."""

import os
import re
import shutil
import socket
import ssl

from harness import certificates, proc, sip
from harness.proc import wait_until
from harness.runner import scenario

REGISTER = ("REGISTER sip:{server} SIP/2.0\r\nVia: SIP/2.0/TLS {here};branch=z9hG4bK{number};rport\r\nMax-Forwards: 70\r\n"
            "To: <sip:probe@{server}>\r\nFrom: <sip:probe@{server}>;tag=1\r\nCall-ID: probe{number}\r\nCSeq: 1 REGISTER\r\n"
            "Content-Length: 0\r\n\r\n")


def _place(server):
    host, _, port = server.rpartition(":")
    return host.strip("[]"), int(port)


def _context(trusted=None):
    context = ssl.create_default_context(cafile=trusted.file if trusted else None)
    if not trusted:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _connect(server, context, name=None):
    return context.wrap_socket(socket.create_connection(_place(server), timeout=10), server_hostname=name or _place(server)[0])


def _subject(server, name=None):
    """Whose certificate the switch shows, by OpenSSL's own client."""
    done = proc.run(["openssl", "s_client", "-connect", server, "-servername", name or "localhost", "-showcerts"], input="", check=False)
    return done.stdout.partition("subject=")[2].splitlines()[0] if "subject=" in done.stdout else done.stderr


def _put(made, over):
    """Puts these files in the place of others, as a whole, as certbot does."""
    for new, old in ((made.file, over.file), (made.key, over.key)):
        shutil.copy(new, old + ".new")
        os.chmod(old + ".new", 0o600)
        os.replace(old + ".new", old)


def a_renewed_certificate_is_taken_while_a_call_goes_on(t):
    tandem = t.own_tandem().start()
    a, b = t.phone(tone=440, transport="tls"), t.phone(tone=880, transport="tls")
    a.dial(b.user)
    b.ringing()
    b.accept()
    a.established()
    a.wait_heard(880, seconds=1)
    _put(certificates.make(t.directory("renewed"), subject="renewed"), tandem.certificate)
    tandem.wait_log("1 certificate read anew", timeout=30)
    assert "renewed" in _subject(tandem.secure)
    b.wait_heard(440, seconds=1)
    a.hangup()
    b.closed()  # by the connection that it had before
    assert t.call_record(a.user)["cause"] == "normal"
    c = t.phone(transport="tls")
    assert tandem.registrations(c.user)[0]["security"].startswith("TLSv1."), tandem.registrations(c.user)


def a_broken_certificate_is_told_of_and_the_old_one_stays(t):
    tandem = t.own_tandem().start()
    tandem.expect_error("no certificate can be read")
    before = _subject(tandem.secure)
    with open(tandem.certificate.file, "w", encoding="ascii") as f:
        f.write("this is no certificate\n")
    words = tandem.command_fails("tls", "reload")
    checked = proc.run([tandem.path("tandemd"), "-c", tandem.config, "--check-config"], check=False)
    assert checked.returncode != 0 and "no certificate can be read" in checked.stdout + checked.stderr, checked
    assert tandem.certificate.file in words and "What was in force before stays" in words, words
    assert "no certificate can be read" in tandem.cli("status").stdout
    assert "no certificate can be read" in tandem.cli("tls").stdout
    assert _subject(tandem.secure) == before
    t.phone(transport="tls")
    _put(certificates.make(t.directory("repaired"), subject="repaired"), tandem.certificate)
    assert "repaired" not in _subject(tandem.secure)
    tandem.cli("tls", "reload")
    assert "repaired" in _subject(tandem.secure)
    assert "no certificate" not in tandem.cli("status").stdout


def the_status_tells_of_a_certificate_that_ends_soon(t):
    made = certificates.make(t.directory("soon"), days=11)
    tandem = t.own_tandem(tls=made.lines).start()
    words = tandem.cli("status").stdout
    # Eleven in the second in which it was made.
    assert re.search(rf"the certificate in {re.escape(made.file)} expires in 1[01] days", words), words
    assert "expires soon" in tandem.cli("tls").stdout
    tandem.wait_log("expires in 1[01] days")
    state = tandem.json("tls")["certificates"][0]
    assert state["names"] == "127.0.0.1, ::1, localhost" and state["issuer"] == "itself" and state["days_left"] in (10, 11), state


def each_host_gets_its_certificate_with_the_whole_chain(t):
    where = t.directory("names")
    root = certificates.make(where, "root", [], authority=True)
    between = certificates.make(where, "between", [], issuer=root, authority=True)
    lines = ""
    for name, kind in (("a.example", "ec"), ("b.example", "rsa")):
        made = certificates.make(where, name, [name], kind, issuer=between)
        with open(made.file, "a", encoding="ascii") as chain, open(between.file, encoding="ascii") as more:
            chain.write(more.read())
        lines += made.lines
    tandem = t.own_tandem(tls=lines).start()
    for name in ("a.example", "b.example"):
        with _connect(tandem.secure, _context(root), name) as connection:  # verified, down to the root
            assert ("DNS", name) in connection.getpeercert()["subjectAltName"], connection.getpeercert()


def a_phone_may_have_to_show_a_certificate(t):
    where = t.directory("clients")
    issuer = certificates.make(where, "issuer", [], authority=True)
    own = certificates.make(where, "phone", ["phone"], issuer=issuer, subject="desk-7")
    tandem = t.own_tandem(switch=f"client_certificate = require\nclient_ca = {issuer.file}\n").start()
    try:
        with _connect(tandem.secure, _context()) as connection:
            connection.sendall(b"\r\n\r\n")
            assert not connection.recv(10), "a phone without a certificate was let in"
    except (ssl.SSLError, ConnectionError):
        pass
    words = tandem.cli("tls").stdout
    assert "it shows no certificate" in words, words
    phone = t.phone(transport="tls", certificate=own)
    found = tandem.registrations(phone.user)[0]
    assert "certificate CN=desk-7,O=Tandem test" in found["security"] and "not trusted" not in found["security"], found


def a_phone_that_loses_its_connection_is_known_to_be_gone(t):
    tandem = t.tandem
    for transport in ("tcp", "tls"):
        phone = t.phone(transport=transport)
        assert "unreachable_since_us" not in tandem.registrations(phone.user)[0]
        phone.kill()
        wait_until("the phone to be marked", lambda p=phone: "unreachable_since_us" in tandem.registrations(p.user)[0], 5, 0.1)
        caller = t.endpoint()
        refused = caller.invite(phone.user, timeout=3)
        assert refused.status == 480 and "connection has closed" in refused.get("warning"), refused.data
        call = t.call_record(caller.user)
        assert call["cause"] == "contact-unreachable", call


def what_contrib_up_makes_is_good_out_of_the_box(t):
    where = t.directory("up")
    lib = os.path.join(t.world.source, "contrib", "lib.sh")
    for _ in range(2):  # what is there already stays
        proc.run(["bash", "-c", '. "$1" && LOGS=$2 && tls_certificate "$2/tls"', "bash", lib, where])
    made = certificates.Certificate(os.path.join(where, "tls"), "tls")
    assert os.stat(made.key).st_mode & 0o777 == 0o600, oct(os.stat(made.key).st_mode)
    tandem = t.own_tandem(tls=made.lines).start()
    with _connect(tandem.secure, _context(made)) as connection:  # its address is in it
        assert ("IP Address", "127.0.0.1") in connection.getpeercert()["subjectAltName"]
    state = tandem.json("tls")["certificates"][0]
    assert state["key"] == "EC 256" and state["issuer"] == "itself" and "why" not in state, state
    for kind in ("baresip", "linphone"):
        t.phone(kind=kind, transport="tls")


def _invite(connection, server, account, number):
    """INVITE by sips:, with its challenge; baresip 1.0 and linphone 5.1 send none. Returns the first answer that is no 100."""
    (user, secret), uri, here = account, f"sips:{number}@{server}", "%s:%d" % connection.getsockname()
    stream, authorization = connection.makefile("rb"), ""
    for cseq in (1, 2):
        connection.sendall((f"INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/TLS {here};branch=z9hG4bKs{cseq};rport\r\nMax-Forwards: 70\r\n"
                            f"To: <{uri}>\r\nFrom: <sip:{user}@{server}>;tag=s\r\nCall-ID: {user}-{number}\r\nCSeq: {cseq} INVITE\r\n"
                            f"Contact: <sips:{user}@{here}>\r\n{authorization}Content-Length: 0\r\n\r\n").encode())
        while True:
            answer = sip.Message(b"".join(iter(stream.readline, b"\r\n")) + b"\r\n")
            if answer.status != 100:
                break
        if answer.status == 401:
            value = sip.answer_challenge(answer.get("www-authenticate"), "INVITE", uri, user, secret)
            authorization = f"Authorization: {value}\r\n"
    return answer


def sips_reaches_phones_over_tls_and_no_others(t):
    account, secure, plain = t.account(), t.phone(transport="tls"), t.phone()
    with _connect(t.tandem.secure, _context()) as connection:
        assert _invite(connection, t.tandem.secure, account, secure.user).status == 180
        secure.ringing()
    with _connect(t.tandem.secure, _context()) as connection:
        refused = _invite(connection, t.tandem.secure, account, plain.user)
    assert refused.status == 480 and refused.get("warning").startswith("380 tandem "), refused.data
    assert not plain.seen("CALL_INCOMING")
    call = wait_until("the record", lambda: t.tandem.records(
        f"SELECT * FROM record.call WHERE dialled = '{plain.user}' AND cause IS NOT NULL"), 10, 0.2)[0]
    assert call["cause"] == "not-secure", call
    assert "Set the transport of the called phone to TLS" in t.tandem.cli("why", call["id"]).stdout


def plain_sip_on_the_port_of_tls_is_explained(t):
    tandem = t.own_tandem().start()
    with socket.create_connection(_place(tandem.secure), timeout=10) as connection:
        connection.sendall(REGISTER.format(server=tandem.secure, here="127.0.0.1:9", number=1).encode())
        try:
            assert not connection.recv(100)
        except ConnectionError:
            pass
    tandem.wait_log("no TLS with 127.0.0.1: it speaks plain SIP; its transport must be TLS for this port")
    assert "plain SIP" in tandem.cli("tls").stdout


def the_recorder_shows_what_tls_hides(t):
    phone, other = t.phone(transport="tls"), t.endpoint()
    other.register()
    phone.dial(other.user)
    other.reply(other.request("INVITE"), 486, "Busy Here")
    phone.closed()
    call = t.call_record(phone.user)
    lines = t.tandem.json("trace", call["id"], "--raw")["lines"]
    transports = {line["transport"] for line in lines if "message" in line}
    assert transports == {"TLS", "UDP"}, transports
    assert any(line.get("transport") == "TLS" and line["message"].startswith("INVITE ") for line in lines), lines


def _churn(t, warm, count, limit):
    """So many connections, each of which says something; after `warm` of them, memory must not grow by more than `limit` bytes
    each."""
    tandem = t.own_tandem(log="info", switch="source_rate = 0\n").start()
    context = _context()
    number = 0

    def some(connections):
        nonlocal number
        for _ in range(connections):
            number += 1
            with _connect(tandem.secure, context) as connection:
                here = "%s:%d" % connection.getsockname()
                connection.sendall(REGISTER.format(server=tandem.secure, here=here, number=number).encode())
                assert connection.recv(20000).startswith((b"SIP/2.0 401 ", b"SIP/2.0 503 "))  # 503: the machine is busy
                if number % 3 == 0:
                    connection.unwrap()  # in order; the others just go
        wait_until("the connections to be closed",
                   lambda: tandem.json("status")["edge"]["connections"]["now"] == 0, 10, 0.1)
        return tandem.json("status")["memory_bytes"]

    before, after = some(warm), some(count)
    grown = (after - before) / count
    assert t.world.sanitized or grown < limit, f"{grown:.0f} bytes a connection stayed: {before} to {after}"
    assert tandem.json("tls")["handshakes"] == warm + count


def memory_does_not_grow_with_connections(t):
    _churn(t, 300, 1000, 1500)  # a session that is forgotten takes ten thousand


@scenario(seconds=600, long=True)
def memory_does_not_grow_with_ten_thousand_connections(t):
    _churn(t, 7000, 10000, 20)  # the heap has found its size by then
