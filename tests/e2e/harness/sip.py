"""A SIP endpoint driven by hand, message by message, over UDP: for what no phone would do on its own.

It keeps no state beyond its socket: a test says what is sent and looks at what came. Digest covers MD5 and SHA-256
(RFC 7616, RFC 8760). Run as a program it asks whether a SIP server answers: `python3 -m harness.sip HOST PORT SECONDS`.
"""

import hashlib
import re
import secrets
import socket
import sys
import time

from .proc import Failed

COMPACT = {"v": "via", "f": "from", "t": "to", "m": "contact", "i": "call-id", "l": "content-length",
           "c": "content-type", "k": "supported", "s": "subject"}


class Message:
    """A parsed message. Header names are lower case; order and repetition are kept."""

    def __init__(self, data, peer=None):
        self.data, self.peer = data, peer
        head, _, self.body = data.decode("utf-8", "replace").partition("\r\n\r\n")
        lines = re.sub(r"\r\n[ \t]+", " ", head).split("\r\n")
        self.start = lines[0]
        self.headers = []
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if colon:
                name = name.strip().lower()
                self.headers.append((COMPACT.get(name, name), value.strip()))
        first = self.start.split(" ", 2)
        self.status = int(first[1]) if first[0].startswith("SIP/") else 0
        self.reason = first[2] if self.status and len(first) > 2 else ""
        self.method = "" if self.status else first[0]
        self.uri = "" if self.status else first[1]

    def all(self, name):
        return [v for n, v in self.headers if n == name.lower()]

    def get(self, name, otherwise=""):
        return next(iter(self.all(name)), otherwise)

    @property
    def cseq_method(self):
        return self.get("cseq").split()[-1] if self.get("cseq") else ""

    def __repr__(self):
        return f"<{self.start}>"


def tag_of(value):
    found = re.search(r";\s*tag=([^;,\s]+)", value)
    return found.group(1) if found else ""


def uri_of(value):
    found = re.search(r"<([^>]*)>", value)
    return found.group(1) if found else value.split(";")[0].strip()


def parameters(challenge):
    """Parameters of a Digest challenge as a dict."""
    return {m.group(1).lower(): m.group(2) if m.group(2) is not None else m.group(3)
            for m in re.finditer(r'(\w+)\s*=\s*(?:"([^"]*)"|([^,\s]+))', challenge.split(" ", 1)[1])}


def answer_challenge(challenge, method, uri, user, secret, nc=1):
    """The value of an (Proxy-)Authorization header for one challenge, qop=auth."""
    p = parameters(challenge)
    algorithm = p.get("algorithm", "MD5")
    digest = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}[algorithm.upper()]
    def h(text):
        return digest(text.encode()).hexdigest()
    cnonce, count = secrets.token_hex(8), f"{nc:08x}"
    ha1, ha2 = h(f"{user}:{p['realm']}:{secret}"), h(f"{method}:{uri}")
    value = f'Digest username="{user}", realm="{p["realm"]}", nonce="{p["nonce"]}", uri="{uri}", algorithm={algorithm}'
    if "qop" in p:
        response = h(f"{ha1}:{p['nonce']}:{count}:{cnonce}:auth:{ha2}")
        value += f', qop=auth, nc={count}, cnonce="{cnonce}"'
    else:
        response = h(f"{ha1}:{p['nonce']}:{ha2}")
    value += f', response="{response}"'
    if "opaque" in p:
        value += f', opaque="{p["opaque"]}"'
    return value


SDP = """v=0\r
o=- {session} 1 IN IP4 {host}\r
s=-\r
c=IN IP4 {host}\r
t=0 0\r
m=audio {port} RTP/AVP {formats}\r
{attributes}a=sendrecv\r
"""


class Endpoint:
    """A UDP socket that speaks SIP for one user."""

    def __init__(self, server, user="", secret="", host="127.0.0.1", contact=None, rport=True):
        """server: "host:port"; contact: what it claims to be reachable at (default: the truth); rport: whether its Via
        asks for the port it was seen with (RFC 3581)."""
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.host, self.port = self.socket.getsockname()
        name, _, port = server.rpartition(":")
        self.server, self.server_address = server, (name, int(port))
        self.user, self.secret = user, secret
        self.contact = contact or f"{host}:{self.port}"
        self.via = f"{self.host}:{self.port}"  # what its requests say of where they come from
        self.inbox = []
        self.media_port = 0
        self.rport = ";rport" if rport else ""

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- the wire ---

    def send(self, data, to=None):
        self.socket.sendto(data if isinstance(data, bytes) else data.encode(), to or self.server_address)

    def receive(self, timeout=5.0, match=lambda m: True, what="a SIP message"):
        """The next message that matches; others stay in `inbox` in order."""
        for i, message in enumerate(self.inbox):
            if match(message):
                return self.inbox.pop(i)
        end = time.monotonic() + timeout
        while True:
            left = end - time.monotonic()
            if left <= 0:
                raise Failed(f"{self.user or 'endpoint'} waited {timeout:g} s for {what}; it has: {self.inbox}")
            self.socket.settimeout(left)
            try:
                data, peer = self.socket.recvfrom(65535)
            except socket.timeout:
                continue
            if not data.strip():
                continue
            message = Message(data, peer)
            if match(message):
                return message
            self.inbox.append(message)

    def silence(self, seconds, match=lambda m: True):
        """Nothing that matches arrives for so long."""
        try:
            message = self.receive(seconds, match)
        except Failed:
            return
        raise Failed(f"{self.user or 'endpoint'} should hear nothing, but got {message}")

    def request(self, method, timeout=5.0):
        return self.receive(timeout, lambda m: m.method == method, f"a {method}")

    def waits(self, method):
        """Takes a request of this method that is already there; None: there is none."""
        try:
            return self.request(method, 0.2)
        except Failed:
            return None

    def response(self, cseq_method, status=None, timeout=5.0, call_id=None):
        """The next response; status: a number, or a function of it. Default: any final one."""
        if status is None:
            wanted = lambda s: s >= 200
        elif callable(status):
            wanted = status
        else:
            wanted = lambda s: s == status
        return self.receive(timeout, lambda m: m.status and m.cseq_method == cseq_method and wanted(m.status) and
                            (call_id is None or m.get("call-id") == call_id), f"a response to {cseq_method}")

    # --- what is sent ---

    def compose(self, method, uri, cseq=1, call_id=None, to=None, from_tag=None, branch=None, headers=(), body="",
                content_type="application/sdp", from_user=None):
        """A request as text. Every part can be given; the rest is fresh and correct."""
        from_user = self.user if from_user is None else from_user
        lines = [f"{method} {uri} SIP/2.0",
                 f"Via: SIP/2.0/UDP {self.via};branch={branch or 'z9hG4bK' + secrets.token_hex(8)}{self.rport}",
                 "Max-Forwards: 70",
                 f"From: <sip:{from_user}@{self.server}>;tag={from_tag or secrets.token_hex(6)}",
                 f"To: {to or f'<{uri}>'}",
                 f"Call-ID: {call_id or secrets.token_hex(12)}",
                 f"CSeq: {cseq} {method}"]
        if method in ("INVITE", "SUBSCRIBE", "OPTIONS"):
            lines.append(f"Contact: <sip:{self.user}@{self.contact}>")
        lines += headers
        if body:
            lines.append(f"Content-Type: {content_type}")
        lines.append(f"Content-Length: {len(body.encode())}")
        return "\r\n".join(lines) + "\r\n\r\n" + body

    def sdp(self, formats="0", attributes="", port=None):
        return SDP.format(session=secrets.randbelow(10 ** 9), host=self.host, port=port or self.media_port or 40000,
                          formats=formats, attributes=attributes)

    def reply(self, request, status, reason="", body="", to_tag=None, headers=()):
        """Answers a request that came in, to where it came from."""
        lines = [f"SIP/2.0 {status} {reason or 'X'}"]
        lines += [f"Via: {v}" for v in request.all("via")]
        lines += [f"Record-Route: {v}" for v in request.all("record-route")]
        to = request.get("to")
        if status > 100 and not tag_of(to):
            to += f";tag={to_tag or 'e2e' + request.get('call-id')[:8]}"
        lines += [f"From: {request.get('from')}", f"To: {to}", f"Call-ID: {request.get('call-id')}",
                  f"CSeq: {request.get('cseq')}"]
        if 100 < status < 300:
            lines.append(f"Contact: <sip:{self.user}@{self.contact}>")
        lines += headers
        if body:
            lines.append("Content-Type: application/sdp")
        lines.append(f"Content-Length: {len(body.encode())}")
        self.send("\r\n".join(lines) + "\r\n\r\n" + body, request.peer)

    def ack(self, response, uri=None, cseq=None):
        """Of the INVITE sent last unless uri and cseq say otherwise. For a 2xx: a request of its own; for a failure the same branch as the INVITE (RFC 3261 §17.1.1.3)."""
        uri, cseq, branch = uri or self.call[0], cseq or self.call[2], None
        if response.status >= 300:
            branch = re.search(r"branch=([^;,\s]+)", response.get("via")).group(1)
        elif response.get("contact"):
            uri = uri_of(response.get("contact"))
        self.send(self.compose("ACK", uri, cseq, response.get("call-id"), response.get("to"),
                               tag_of(response.get("from")), branch))

    # --- small dialogues ---

    def register(self, expires=60, algorithm=None, contacts=None, secret=None, call_id=None, cseq=1):
        """REGISTER with digest. algorithm: answer only a challenge with this one. Returns the final response."""
        uri = f"sip:{self.server}"
        aor = f"<sip:{self.user}@{self.server}>"
        if contacts is None:
            contacts = [f"<sip:{self.user}@{self.contact}>"]
        headers = [f"Contact: {c}" for c in contacts]
        if expires is not None:
            headers.append(f"Expires: {expires}")
        refused = self._authenticate("REGISTER", uri, aor, headers, "", algorithm, secret, call_id, cseq)
        return refused or self.response("REGISTER", call_id=self.call[1])

    def send_invite(self, number, formats="0", attributes="", algorithm=None, body=None):
        """INVITE with digest, sent and left alone. `call` is then (uri, call_id, cseq, from_tag, branch)."""
        uri = number if number.startswith("sip:") else f"sip:{number}@{self.server}"
        body = self.sdp(formats, attributes) if body is None else body
        return self._authenticate("INVITE", uri, None, [], body, algorithm, None, None, 1)

    def invite(self, number, timeout=15.0, **options):
        """INVITE with digest; returns the first response beside 100."""
        refused = self.send_invite(number, **options)
        return refused or self.response("INVITE", lambda s: s > 100, timeout, self.call[1])

    def _authenticate(self, method, uri, to, headers, body, algorithm, secret, call_id, cseq):
        """Sends it, and once more with credentials. Returns the first response when that was no challenge, else None."""
        call_id, from_tag = call_id or secrets.token_hex(12), secrets.token_hex(6)
        self.send(self.compose(method, uri, cseq, call_id, to, from_tag, headers=headers, body=body))
        answer = self.response(method, lambda s: s > 100, 5.0, call_id)
        self.call = (uri, call_id, cseq, from_tag, None)
        if answer.status not in (401, 407):
            return answer
        if method == "INVITE":
            self.ack(answer, uri, cseq)
        self.challenges = answer.all("WWW-Authenticate" if answer.status == 401 else "Proxy-Authenticate")
        chosen = next((c for c in self.challenges
                       if algorithm is None or parameters(c).get("algorithm", "MD5").upper() == algorithm), None)
        if chosen is None:
            raise Failed(f"no {algorithm} challenge among {self.challenges}")
        value = answer_challenge(chosen, method, uri, self.user, self.secret if secret is None else secret)
        header = ("Authorization: " if answer.status == 401 else "Proxy-Authorization: ") + value
        branch = "z9hG4bK" + secrets.token_hex(8)
        self.call = (uri, call_id, cseq + 1, from_tag, branch)
        self.last_sent = self.compose(method, uri, cseq + 1, call_id, to, from_tag, branch, [*headers, header], body)
        self.send(self.last_sent)
        return None

    def cancel(self):
        """CANCELs the INVITE that invite() sent last."""
        uri, call_id, cseq, from_tag, branch = self.call
        self.send(self.compose("CANCEL", uri, cseq, call_id, f"<{uri}>", from_tag, branch))

    def bye(self, answered, cseq=10):
        """Ends the call whose 2xx is `answered`; returns the response."""
        uri = uri_of(answered.get("contact"))
        self.send(self.compose("BYE", uri, cseq, answered.get("call-id"), answered.get("to"),
                               tag_of(answered.get("from"))))
        return self.response("BYE")

    def options(self, timeout=2.0):
        """Asks the server itself with OPTIONS; it answers only some a second."""
        call_id = secrets.token_hex(12)
        self.send(self.compose("OPTIONS", f"sip:{self.server}", call_id=call_id))
        return self.response("OPTIONS", lambda s: True, timeout, call_id)

    def alive(self, timeout=2.0):
        """Whether anybody speaks SIP there: the answer to a REGISTER without credentials, or None."""
        call_id = secrets.token_hex(12)
        try:
            self.send(self.compose("REGISTER", f"sip:{self.server}", call_id=call_id))
            return self.response("REGISTER", lambda s: True, timeout, call_id)
        except (Failed, OSError):
            return None


def main(host, port, seconds):
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        with Endpoint(f"{host}:{port}", user="probe", host="127.0.0.1" if host.startswith("127.") else "0.0.0.0") as e:
            answer = e.alive(timeout=0.5)
            if answer:
                print(f"SIP answers at {host}:{port} ({answer.status} {answer.reason})")
                return 0
    print(f"nothing answers SIP at {host}:{port} over UDP", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
