"""Messages that no sane phone sends: afterwards the same switch takes a good call."""

import glob
import os
import re
import secrets
import socket

from harness import sip
from harness.proc import Failed
from harness.runner import scenario

# Our own messages for the cases of RFC 4475 and RFC 5118 that matter most, so that they are tried wherever the sources are.
# {via}: a Via that leads back; every one is a whole datagram.
OWN = {
    "RFC 4475 3.1.1.1 a tortuous INVITE": "INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0\r\nTO :\r\n sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n\r\nfrom   : \"J Rosenberg \\\\\\\"\"       <sip:jdrosen@example.com>\r\n  ;\r\n  tag = 98asjd8\r\nMaX-fOrWaRdS: 0068\r\nCall-ID: {id}\r\nContent-Length   : 0\r\ncseq: 0009\r\n  INVITE\r\n{via}s :\r\nNewFangledHeader:   newfangled value\r\n continued newfangled value\r\nm:\"Quoted string \\\"\\\"\" <sip:jdrosen@example.com> ; newparam =\r\n      newvalue ;\r\n  secondparam ; q = 0.33\r\n\r\n",
    "RFC 4475 3.1.2.1 a bad Via": "OPTIONS sip:t@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.15;;,;,,\r\nTo: sip:j@example.com\r\nFrom: sip:c@example.net;tag=134161461246\r\nMax-Forwards: 7\r\nCall-ID: {id}\r\nCSeq: 8 OPTIONS\r\nContact: \"\" <> ;,\"Joe\" <sip:j@example.org>;;,,;;\r\nContent-Length: 0\r\n\r\n",
    "RFC 4475 3.1.2.2 Content-Length larger than the message": "OPTIONS sip:u@example.com SIP/2.0\r\n{via}To: sip:j@example.com\r\nFrom: sip:c@example.net;tag=93942939o2\r\nMax-Forwards: 80\r\nCall-ID: {id}\r\nCSeq: 9 OPTIONS\r\nContent-Length: 9999\r\n\r\nshort",
    "RFC 4475 3.1.2.3 a negative Content-Length": "OPTIONS sip:u@example.com SIP/2.0\r\n{via}To: sip:j@example.com\r\nFrom: sip:c@example.net;tag=3\r\nMax-Forwards: 80\r\nCall-ID: {id}\r\nCSeq: 9 OPTIONS\r\nContent-Length: -999\r\n\r\nbody",
    "RFC 4475 3.1.2.4 numbers too large": "REGISTER sip:example.com SIP/2.0\r\n{via}To: sip:j@example.com\r\nFrom: sip:j@example.com;tag=43251j3j324\r\nMax-Forwards: 8000\r\nI: {id}\r\nContact: <sip:u@h>;q=0.5;expires=100000000000000000000000000000000000\r\nCSeq: 36893488147419103232 REGISTER\r\nExpires: 1000000000000000000\r\nContent-Length: 0\r\n\r\n",
    "RFC 4475 3.1.2.6 an open quote": "INVITE sip:u@example.com SIP/2.0\r\nTo: \"Mr. J. User <sip:j@example.com>\r\nFrom: sip:c@example.net;tag=93334\r\nMax-Forwards: 10\r\nCall-ID: {id}\r\nContact: <sip:c@host>\r\nCSeq: 8 INVITE\r\n{via}Content-Length: 0\r\n\r\n",
    "RFC 4475 3.1.2.9 spaces in the request line": "INVITE  sip:u@example.com  SIP/2.0\r\nMax-Forwards: 8\r\nTo: sip:u@example.com\r\nFrom: sip:c@example.net;tag=8814\r\nCall-ID: {id}\r\nCSeq: 1893884 INVITE\r\n{via}Contact: <sip:c@host>\r\nContent-Length: 0\r\n\r\n",
    "RFC 4475 3.1.2.17 an unknown version": "OPTIONS sip:t@example.org SIP/7.0\r\n{via}From: A <sip:a@example.org>;tag=qweoiqpe\r\nTo: sip:t@example.org\r\nCall-ID: {id}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
    "RFC 4475 3.1.2.18 methods that differ": "OPTIONS sip:user@example.com SIP/2.0\r\nTo: sip:j@example.com\r\nFrom: sip:c@example.net;tag=34525\r\nMax-Forwards: 6\r\nCall-ID: {id}\r\nCSeq: 8 INVITE\r\n{via}l: 0\r\n\r\n",
    "RFC 4475 3.3.1 headers are missing": "INVITE sip:user@example.com SIP/2.0\r\nCSeq: 193942 INVITE\r\n{via}Content-Type: application/sdp\r\nl: 5\r\n\r\nv=0\r\n",
    "RFC 4475 3.3.2 an unknown scheme": "OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0\r\nTo: sip:j@example.com\r\nFrom: sip:c@example.net;tag=384\r\nMax-Forwards: 3\r\nCall-ID: {id}\r\nCSeq: 3923423 OPTIONS\r\n{via}Content-Length: 0\r\n\r\n",
    "RFC 4475 3.3.8 two values where one belongs": "INVITE sip:user@example.com SIP/2.0\r\nContact: <sip:a@h>\r\n{via}Max-Forwards: 70\r\nCSeq: 5 INVITE\r\nCall-ID: {id}\r\nCall-ID: {id}x\r\nTo: sip:user@example.com\r\nTo: sip:other@example.com\r\nFrom: sip:o@example.com;tag=3413415\r\nFrom: sip:t@example.com;tag=2\r\nCSeq: 8 INVITE\r\nContent-Length: 0\r\n\r\n",
    "RFC 4475 3.1.1.3 an escaped null": "REGISTER sip:example.com SIP/2.0\r\nTo: sip:null-%00-null@example.com\r\nFrom: sip:null-%00-null@example.com;tag=839923423\r\nMax-Forwards: 70\r\nCall-ID: {id}\r\nCSeq: 14398234 REGISTER\r\n{via}Contact: <sip:%00@host5.example.com>\r\nContact: <sip:%00%00@host5.example.com>\r\nL:0\r\n\r\n",
    "RFC 4475 3.1.1.7 very long values": "INVITE sip:user@example.com SIP/2.0\r\nTo: \"I have a user name of " + "extreme" * 60 + " proportion\"<sip:user@example.com:6000;unknownparam1=very" + "long" * 60 + "value>\r\nF: sip:" + "amazinglylong" * 40 + "@example.net;tag=12982" + "424" * 100 + "\r\n{via}Max-Forwards: 70\r\nCall-ID: {id}" + "long" * 100 + "\r\nCSeq: 3882340 INVITE\r\nUnknown-" + "Long" * 60 + "-Name: " + "unknown " * 60 + "\r\nContact: <sip:x@h>\r\nl: 0\r\n\r\n",
    "RFC 5118 4.1 IPv6 in the wrong form": "REGISTER sip:2001:db8::10 SIP/2.0\r\nTo: sip:user@example.com\r\nFrom: sip:user@example.com;tag=81x2\r\n{via}Call-ID: {id}\r\nMax-Forwards: 70\r\nContact: <sip:caller@[2001:db8::1]>\r\nCSeq: 98176 REGISTER\r\nContent-Length: 0\r\n\r\n",
    "RFC 5118 4.5 an IPv6 reference that is not closed": "OPTIONS sip:user@[2001:db8::10 SIP/2.0\r\nTo: sip:user@[2001:db8::10\r\nFrom: sip:user@example.com;tag=81x2\r\n{via}Call-ID: {id}\r\nMax-Forwards: 70\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
    "nothing but a start line": "INVITE sip:201@example.com SIP/2.0",
    "no empty line at the end": "OPTIONS sip:201@example.com SIP/2.0\r\n{via}To: <sip:a@b>\r\nFrom: <sip:a@b>;tag=1\r\nCall-ID: {id}\r\nCSeq: 1 OPTIONS",
    "a response that nobody waits for": "SIP/2.0 200 OK\r\n{via}To: <sip:a@b>;tag=2\r\nFrom: <sip:a@b>;tag=1\r\nCall-ID: {id}\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n",
    "an unreasonable status": "SIP/2.0 4294967301 better not break the receiver\r\n{via}Call-ID: {id}\r\nTo: <sip:a@b>;tag=2\r\nFrom: <sip:a@b>;tag=1\r\nCSeq: 353494 INVITE\r\nContent-Length: 0\r\n\r\n",
    "BYE for no dialog": "BYE sip:201@example.com SIP/2.0\r\n{via}Max-Forwards: 70\r\nTo: <sip:a@b>;tag=2\r\nFrom: <sip:a@b>;tag=1\r\nCall-ID: {id}\r\nCSeq: 2 BYE\r\nContent-Length: 0\r\n\r\n",
    "ACK and CANCEL for nothing": "CANCEL sip:201@example.com SIP/2.0\r\n{via}Max-Forwards: 70\r\nTo: <sip:a@b>\r\nFrom: <sip:a@b>;tag=1\r\nCall-ID: {id}\r\nCSeq: 2 CANCEL\r\nContent-Length: 0\r\n\r\n",
    "five hundred headers": "OPTIONS sip:a@b SIP/2.0\r\n{via}To: <sip:a@b>\r\nFrom: <sip:a@b>;tag=1\r\nCall-ID: {id}\r\nCSeq: 1 OPTIONS\r\n" + "X-Filler: y\r\n" * 500 + "Content-Length: 0\r\n\r\n",
    "five hundred Vias": "OPTIONS sip:a@b SIP/2.0\r\n" + "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx\r\n" * 500 + "To: <sip:a@b>\r\nFrom: <sip:a@b>;tag=1\r\nCall-ID: {id}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
    "sixty thousand bytes": "OPTIONS sip:a@b SIP/2.0\r\n{via}To: <sip:a@b>\r\nFrom: <sip:a@b>;tag=1\r\nCall-ID: {id}\r\nCSeq: 1 OPTIONS\r\nX-Long: " + "y" * 60000 + "\r\nContent-Length: 0\r\n\r\n",
    "zeros": "\0" * 1200,
    "keep-alives": "\r\n\r\n\r\n",
}


def _good_call(t):
    """A whole call right after; answers at once, so that a switch that hangs is noticed."""
    callee, caller = t.endpoint(), t.endpoint()
    assert callee.register().status == 200
    caller.send_invite(callee.user)
    invite = callee.request("INVITE")
    callee.reply(invite, 180, "Ringing")
    callee.reply(invite, 200, "OK", callee.sdp())
    answered = caller.response("INVITE", 200)
    caller.ack(answered)
    callee.request("ACK")
    caller.send(caller.compose("BYE", sip.uri_of(answered.get("contact")), 3, answered.get("call-id"),
                               answered.get("to"), sip.tag_of(answered.get("from"))))
    callee.reply(callee.request("BYE"), 200, "OK")
    assert caller.response("BYE").status == 200


def _send_and_ask(t, messages):
    """Sends each and asks after each whether the switch still answers."""
    pid = t.tandem.program.pid
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.bind(("127.0.0.1", 0))
        for name, data in messages:
            out.sendto(data, ("127.0.0.1", t.tandem.port))
            with sip.Endpoint(t.tandem.server, user="probe") as probe:
                if not probe.alive(timeout=3):
                    raise Failed(f"the switch does not answer after: {name}")
            if not t.tandem.program.running() or t.tandem.program.pid != pid:
                raise Failed(f"the switch died of: {name}")
    assert len(messages) > 0
    _good_call(t)


def _own():
    """OWN as datagrams. Nobody reads the answers, so the Via names the discard port."""
    return [(name, text.replace("{via}", f"Via: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK{secrets.token_hex(6)}\r\n")
             .replace("{id}", secrets.token_hex(8)).encode("latin-1")) for name, text in OWN.items()]


def strange_messages_of_our_own_do_no_harm(t):
    _send_and_ask(t, _own())


def strange_messages_from_a_known_account_do_no_harm(t):
    """The same bodies and headers, where authentication does not keep them out."""
    callee, caller = t.phone(), t.endpoint()
    ends = ("m=audio 1 RTP/AVP", "m=audio 70000 RTP/AVP 0", "m=image 9 udptl t38 \x01,\x02/\"", "m=audio -1 RTP/AVP 0",
            "m=application 9 TCP/MSRP *\"", "m=audio 9 UDP/TLS/RTP/SAVPF 0 \x7f", "m=audio 0 RTP/AVP 0", "m=",
            "m=audio 9 RTP/AVP " + " ".join(str(n % 128) for n in range(2000)), "a=rtpmap:0 " + "x" * 4000)
    for end in ends:
        body = f"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n{end}\r\n"
        answer = caller.invite(callee.user, body=body)
        assert answer.status >= 180, answer
        if answer.status >= 300:
            caller.ack(answer)
            continue
        caller.cancel()
        caller.ack(caller.response("INVITE", lambda s: s >= 300))
    for body in ("", "not SDP at all", "v=0\r\n", "v=0\n" * 500, "\0\0\0"):
        answer = caller.invite(callee.user, body=body or " ")
        if answer.status >= 300:
            caller.ack(answer)
            continue
        caller.cancel()
        caller.ack(caller.response("INVITE", lambda s: s >= 300))
    _good_call(t)


def _files(*folders):
    """The messages of these folders, as they are on the wire."""
    found = []
    for folder in folders:
        for path in sorted(glob.glob(os.path.join(folder, "*"))):
            if os.path.isfile(path) and not path.endswith((".md", ".sdp")):
                with open(path, "rb") as f:
                    found.append((os.path.basename(path), f.read()))
    return found


def messages_that_broke_other_software_do_no_harm(t):
    found = _files(os.path.join(t.world.source, "tests", "data", "found"))
    assert found, "tests/data/found is empty"
    # From an account too: without credentials they stop at the challenge.
    phone, callee = t.endpoint(), t.phone()
    for name, data in found:
        body = data.partition(b"\r\n\r\n")[2].decode("latin-1")
        answer = phone.invite(callee.user, body=body)
        if answer.status < 300:
            phone.cancel()
            answer = phone.response("INVITE", lambda s: s >= 300)
        phone.ack(answer)
    _send_and_ask(t, found)


@scenario(seconds=180)
def collected_torture_messages_do_no_harm(t):
    """The messages of RFC 4475 and RFC 5118 themselves, when their collection lies beside the checkout; it is not part of
    the sources. Elsewhere our own of the same cases, a second time in reverse order."""
    beside = os.path.join(t.world.source, "..", "shared", "data")
    messages = _files(os.path.join(beside, "rfc4475"), os.path.join(beside, "rfc5118"))
    _send_and_ask(t, messages or list(reversed(_own())))


@scenario(seconds=120)
def every_prefix_of_a_good_invite_does_no_harm(t):
    with sip.Endpoint(t.tandem.server, user="201") as e:
        whole = e.compose("INVITE", f"sip:202@{t.tandem.server}", body=e.sdp()).encode()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        for length in range(0, len(whole), 3):
            out.sendto(whole[:length], ("127.0.0.1", t.tandem.port))
    _send_and_ask(t, [("every prefix", whole[:40])])


@scenario(seconds=120)
def a_flood_of_unauthenticated_invites_costs_no_memory(t):
    tandem = t.own_tandem()
    tandem.start()
    def memory():
        with open(f"/proc/{tandem.program.pid}/status", encoding="ascii") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))
    with sip.Endpoint(tandem.server, user="201") as e:
        def flood(count):
            for i in range(count):
                e.send(e.compose("INVITE", f"sip:202@{tandem.server}", body=e.sdp()))
                if i % 200 == 199:
                    e.alive(timeout=5)  # keeps step with the switch, so that datagrams are not just lost
                    e.inbox.clear()
        flood(2000)
        before = memory()
        flood(6000)
        after = memory()
    assert after - before < 8192 or t.world.sanitized, f"8,000 strangers cost {after - before} KiB"
    _good_call(t)
