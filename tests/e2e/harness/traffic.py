"""Many calls from one caller to one phone that rings, answers and listens, driven by hand so that nothing is repeated:
what became of each INVITE is known exactly, also when the switch is killed in the middle of it."""

import heapq
import itertools
import random
import re
import select
import socket
import threading
import time

from . import sip
from .proc import wait_until

TO_TAG = "callee"


class Traffic:
    """Runs in a thread between start() and stop() or abandon(). The sets hold Call-IDs of the caller's side."""

    def __init__(self, server, caller, callee, rate=50, hold=(0.2, 1.5), ring=0.03, expires=3600):
        self.caller = sip.Endpoint(server, *caller)
        self.callee = sip.Endpoint(server, *callee)
        for e in (self.caller, self.callee):
            e.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)  # nothing is repeated, so nothing may be lost
        self.rate, self.hold, self.ring, self.expires = rate, hold, ring, expires
        self.uri = f"sip:{callee[0]}@{server}"
        self.sent, self.accepted, self.answered, self.finished, self.cut = (set() for _ in range(5))
        self.refused = {}  # Call-ID: "503 Service Unavailable"
        self.took = {}  # Call-ID: seconds from the INVITE to the first answer beyond 100
        self._talking = {}  # Call-ID: the 200, until BYE is answered
        self._challenge, self._nonce_count, self._tags = None, itertools.count(1), {}
        self._timers, self._order = [], itertools.count()
        self._going = self._calling = False
        self._thread = None

    def close(self):
        self.abandon()
        self.caller.close()
        self.callee.close()

    # --- from the test's thread ---

    def start(self, register=True):
        self._challenge, self._nonce_count = None, itertools.count(1)
        self.caller.inbox.clear()
        self.callee.inbox.clear()
        if register:
            answer = self.callee.register(expires=self.expires)
            assert answer.status == 200, answer
        self._going = self._calling = True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def stop(self, timeout=15.0):
        """No new calls; those under way end first."""
        self._calling = False
        try:
            wait_until("the last call to end", lambda: self.open() == 0, timeout)
        finally:
            self.abandon()

    def abandon(self):
        """Ends at once: the switch is dead."""
        self._going = self._calling = False
        if self._thread:
            self._thread.join()
        self._thread = None
        self.cut = self.sent - self.finished - self.refused.keys()
        self._timers.clear()
        self._talking.clear()
        self._tags.clear()

    def wait(self, seconds):
        """Lets it run for so long; a thread that died is a failure."""
        self._thread.join(seconds)
        assert self._thread.is_alive(), "the traffic has ended by itself"

    def open(self):
        """Calls that wait for something."""
        return len(self.sent - self.finished - self.refused.keys() - self.cut)

    # --- its own thread ---

    def _at(self, delay, function, *args):
        heapq.heappush(self._timers, (time.monotonic() + delay, next(self._order), function, args))

    def _run(self):
        sockets = {self.caller.socket: self._caller_got, self.callee.socket: self._callee_got}
        self._at(0, self._next_call, time.monotonic())
        while self._going:
            wait = max(0, self._timers[0][0] - time.monotonic()) if self._timers else 0.05
            for ready in select.select(list(sockets), [], [], min(wait, 0.05))[0]:
                data, peer = ready.recvfrom(65535)
                sockets[ready](sip.Message(data, peer))
            while self._timers and self._timers[0][0] <= time.monotonic():
                _, _, function, args = heapq.heappop(self._timers)
                function(*args)

    def _next_call(self, due):
        if not self._calling:
            return
        if self._challenge or not self._tags:
            self._invite()
        self._at(due + 1 / self.rate - time.monotonic(), self._next_call, due + 1 / self.rate)

    def _invite(self, cseq=1, call_id=None):
        headers = ()
        if self._challenge:
            value = sip.answer_challenge(self._challenge, "INVITE", self.uri, self.caller.user, self.caller.secret,
                                         next(self._nonce_count))
            headers = ("Proxy-Authorization: " + value,)
        call_id = call_id or f"{random.getrandbits(64):016x}"
        tag = self._tags.setdefault(call_id, f"{random.getrandbits(40):010x}")
        text = self.caller.compose("INVITE", self.uri, cseq, call_id, from_tag=tag, headers=headers,
                                   body=self.caller.sdp())
        if self._challenge:
            self.sent.add(call_id)
            self.took[call_id] = -time.monotonic()
        self.caller.send(text)

    def _caller_got(self, m):
        call_id, tag = m.get("call-id"), self._tags.get(m.get("call-id"))
        if not m.status:
            self.caller.reply(m, 200, "OK")
            if m.method == "BYE":  # not by us: the switch or the phone ended it
                self._talking.pop(call_id, None)
                self.refused[call_id] = "BYE from the switch"
            return
        if tag is None:
            return
        number = int(m.get("cseq").split()[0])
        if m.cseq_method == "BYE":
            self._talking.pop(call_id, None)
            self._tags.pop(call_id, None)
            self.finished.add(call_id)
        elif m.cseq_method != "INVITE" or m.status == 100:
            pass
        elif m.status in (401, 407):
            self._ack_refusal(m, tag)
            self._challenge = (m.all("Proxy-Authenticate") or m.all("WWW-Authenticate"))[0]
            self._nonce_count = itertools.count(1)
            self.sent.discard(call_id)
            self._invite(number + 1, call_id)
        elif m.status >= 300:
            self._ack_refusal(m, tag)
            self.refused[call_id] = f"{m.status} {m.reason}"
            self._tags.pop(call_id, None)
        else:
            if call_id not in self.accepted:
                self.took[call_id] += time.monotonic()
            self.accepted.add(call_id)
            if m.status >= 200:
                if call_id not in self._talking:
                    self._talking[call_id] = m
                    self.answered.add(call_id)
                    self._at(random.uniform(*self.hold), self._bye, call_id)
                self.caller.send(self.caller.compose("ACK", sip.uri_of(m.get("contact")), number, call_id, m.get("to"),
                                                     tag))

    def _ack_refusal(self, m, tag):
        branch = re.search(r"branch=([^;,\s]+)", m.get("via")).group(1)
        self.caller.send(self.caller.compose("ACK", self.uri, int(m.get("cseq").split()[0]), m.get("call-id"),
                                             m.get("to"), tag, branch))

    def _bye(self, call_id):
        m = self._talking.get(call_id)
        if m:
            self.caller.send(self.caller.compose("BYE", sip.uri_of(m.get("contact")), 100, call_id, m.get("to"),
                                                 self._tags[call_id]))

    def _callee_got(self, m):
        if m.method == "INVITE":
            self.callee.reply(m, 180, "Ringing", to_tag=TO_TAG)
            self._at(self.ring, self.callee.reply, m, 200, "OK", self.callee.sdp(), TO_TAG)
        elif m.method and m.method != "ACK":
            self.callee.reply(m, 200, "OK", to_tag=TO_TAG)
