"""Phones of our own, for what Debian's SIPp cannot: TLS. Each line has one socket, over UDP, TCP or TLS, and does no more than it
must: what differs between transports is then what they cost."""

import collections
import hashlib
import itertools
import re
import secrets
import selectors
import socket
import ssl
import time

SDP = ("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n"
       "a=rtpmap:0 PCMU/8000\r\n")
_numbers = itertools.count(1)
_secure = ssl.create_default_context()
_secure.check_hostname, _secure.verify_mode = False, ssl.CERT_NONE


def _md5(text):
    return hashlib.md5(text.encode()).hexdigest()


class Line:
    """One phone's socket and account. Messages are texts; `receive` returns those that have come."""

    def __init__(self, server, transport, account):
        host, _, port = server.rpartition(":")
        self.server, self.transport, (self.user, self.secret) = server, transport, account
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        self.socket = socket.socket(socket.AF_INET, kind)
        self.socket.connect((host, int(port)))
        if transport != "udp":
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if transport == "tls":
            self.socket = _secure.wrap_socket(self.socket)
        self.here = "%s:%d" % self.socket.getsockname()
        self.socket.setblocking(False)
        self._rest, self._nonce, self._count = "", None, 0

    def close(self):
        self.socket.close()

    def fileno(self):
        return self.socket.fileno()

    def send(self, text):
        self.socket.sendall(text.encode())  # never more than a socket's buffer takes

    def receive(self):
        messages = []
        while True:
            try:
                data = self.socket.recv(65536)
            except (BlockingIOError, ssl.SSLWantReadError):
                return messages
            if not data:
                raise ConnectionError("the switch has closed a connection")
            if self.transport == "udp":
                messages.append(data.decode())
                continue
            self._rest += data.decode()
            while "\r\n\r\n" in self._rest:
                head = self._rest.index("\r\n\r\n") + 4
                end = head + int(re.search(r"\nContent-Length: *(\d+)", self._rest[:head]).group(1))
                if len(self._rest) < end:
                    break
                messages.append(self._rest[:end])
                self._rest = self._rest[end:]

    def wait(self, timeout=10.0):
        """The next response; the last BYE of a load may still come before it."""
        with selectors.DefaultSelector() as selector:
            selector.register(self, selectors.EVENT_READ)
            end = time.monotonic() + timeout
            while time.monotonic() < end:
                for message in self.receive():
                    if message.startswith("SIP/2.0 "):
                        return message
                    reply(self, message, "200 OK")
                selector.select(max(0, end - time.monotonic()))
        raise TimeoutError("the switch does not answer")

    @property
    def contact(self):
        return f"<sip:{self.user}@{self.here}" + ("" if self.transport == "udp" else f";transport={self.transport}") + ">"

    def learn(self, challenge):
        """Takes the nonce of a 401."""
        self._nonce, self._count = re.search(r'nonce="([^"]*)"', challenge).group(1), 0
        self._realm = re.search(r'realm="([^"]*)"', challenge).group(1)

    def authorization(self, method, uri):
        if not self._nonce:
            return ""
        self._count += 1
        cnonce, count = secrets.token_hex(4), f"{self._count:08x}"
        first, second = _md5(f"{self.user}:{self._realm}:{self.secret}"), _md5(f"{method}:{uri}")
        answer = _md5(f"{first}:{self._nonce}:{count}:{cnonce}:auth:{second}")
        return (f'Authorization: Digest username="{self.user}", realm="{self._realm}", nonce="{self._nonce}", uri="{uri}", '
                f'algorithm=MD5, qop=auth, nc={count}, cnonce="{cnonce}", response="{answer}"\r\n')

    def request(self, method, uri, call_id, cseq, to, extra="", body=""):
        self.send(f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/{self.transport.upper()} {self.here};branch=z9hG4bK{next(_numbers)};rport\r\n"
                  f"Max-Forwards: 70\r\nFrom: <sip:{self.user}@{self.server}>;tag={call_id}\r\nTo: {to}\r\nCall-ID: {call_id}\r\n"
                  f"CSeq: {cseq} {method}\r\n{extra}{self.authorization(method, uri) if method != 'ACK' else ''}"
                  + ("Content-Type: application/sdp\r\n" if body else "") + f"Content-Length: {len(body)}\r\n\r\n{body}")

    def register(self, expires=3600):
        """One registration of this account's only phone, answered; with its challenge when there is no nonce yet."""
        uri, call_id = f"sip:{self.server}", secrets.token_hex(8)
        for cseq in (1, 2):
            self.request("REGISTER", uri, call_id, cseq, f"<sip:{self.user}@{self.server}>",
                         f'Contact: {self.contact};expires={expires};+sip.instance="<urn:uuid:{self.user}>"\r\n')
            answer = self.wait()
            if not answer.startswith("SIP/2.0 401 "):
                break
            self.learn(answer)
        if not answer.startswith("SIP/2.0 200 "):
            raise RuntimeError(f"a registration was refused: {answer.splitlines()[0]}")


def header(message, name):
    return re.search(rf"^{name}: *(.*?)\r$", message, re.M | re.I).group(1)


def reply(line, request, status, body="", tag=""):
    copied = "".join(f"{name}: {value}\r\n" for name, value in re.findall(r"^(Via|From|Call-ID|CSeq|Record-Route): *(.*?)\r$", request, re.M))
    to = header(request, "To")
    line.send(f"SIP/2.0 {status}\r\n{copied}To: {to}{'' if 'tag=' in to else ';tag=' + tag}\r\nContact: {line.contact}\r\n"
              + ("Content-Type: application/sdp\r\n" if body else "") + f"Content-Length: {len(body)}\r\n\r\n{body}")


def calls(caller, callee, count, rate, hold=0.2):
    """So many calls from one line to the other, each held for a moment: how many went all the way."""
    good, begun, began, hang_ups = 0, 0, time.monotonic(), collections.deque()
    running, target, end = set(), {}, time.monotonic() + count / rate + 30
    uri = f"sip:{callee.user}@{caller.server}"

    def caller_hears(m):
        nonlocal good
        call_id, cseq = header(m, "Call-ID"), header(m, "CSeq")
        status, method = int(m[8:11]), cseq.split()[1]
        if status < 200 or call_id not in running:
            return
        if method == "BYE":
            running.discard(call_id)
            good += status == 200
            return
        ack_to = re.search(r"<([^>]*)>", header(m, "Contact")).group(1) if status == 200 else uri
        caller.request("ACK", ack_to, call_id, cseq.split()[0], header(m, "To"))
        if status == 200:
            target[call_id] = ack_to, header(m, "To")
            hang_ups.append((time.monotonic() + hold, call_id))
        else:
            running.discard(call_id)

    def callee_hears(m):
        if m.startswith("INVITE "):
            reply(callee, m, "180 Ringing", tag="b")
            reply(callee, m, "200 OK", SDP.format(port=9), "b")
        elif m.startswith("BYE "):
            reply(callee, m, "200 OK")

    with selectors.DefaultSelector() as selector:
        selector.register(caller, selectors.EVENT_READ, caller_hears)
        selector.register(callee, selectors.EVENT_READ, callee_hears)
        while (begun < count or running) and time.monotonic() < end:
            now = time.monotonic()
            while begun < count and began + begun / rate <= now:
                call_id = f"c{next(_numbers)}"
                running.add(call_id)
                caller.request("INVITE", uri, call_id, 1, f"<{uri}>", f"Contact: {caller.contact}\r\n", SDP.format(port=9))
                begun += 1
            while hang_ups and hang_ups[0][0] <= now:
                call_id = hang_ups.popleft()[1]
                bye_to, to = target.pop(call_id)
                caller.request("BYE", bye_to, call_id, 2, to)
            wait = min(began + begun / rate if begun < count else now + 0.1, hang_ups[0][0] if hang_ups else now + 0.1) - now
            selector.select(max(0, wait))
            for line, hears in ((caller, caller_hears), (callee, callee_hears)):
                for m in line.receive():
                    hears(m)
    return good
