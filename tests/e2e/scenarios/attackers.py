"""What arrives within minutes of going online: the scanners of sipvicious, floods, and connections that say nothing. They
learn nothing, and a user's calls do not suffer."""

import glob
import os
import shutil
import socket
import threading
import time

from harness import proc, sip
from harness.runner import scenario
from harness.traffic import Traffic

# --- sipvicious ---


def _toolbox(t):
    """A copy of sipvicious that does not sign its messages, as an attacker with a text editor has it."""
    places = glob.glob("/usr/share/sipvicious/sipvicious")
    assert places, "sipvicious is not installed: apt-get install sipvicious"
    copy = os.path.join(t.directory("tools"), "sipvicious")
    shutil.copytree(places[0], copy)
    for path in glob.glob(f"{copy}/**/*.py", recursive=True):
        with open(path, encoding="utf-8") as f:
            text = f.read()
        with open(path, "w", encoding="utf-8") as f:
            f.write(text.replace("friendly-scanner", "Desk phone 1.0").replace("'sipvicious'", "'phone'").replace(
                '"sipvicious"', '"phone"'))
    return copy


def _run(t, tool, source, *args, signed=True, seconds=40):
    """Runs svmap, svwar or svcrack from this address; what it found is a table on its standard output."""
    home = t.directory("home")
    place = "/usr/share/sipvicious/sipvicious" if signed else _toolbox(t)
    code = f"import sys; sys.path.insert(0, {os.path.dirname(place)!r}); from sipvicious.{tool} import main; main()"
    done = proc.run(["timeout", str(seconds), "python3", "-c", code, "-b", source, "-x", source, *args], check=False,
                    timeout=seconds + 10, env={"HOME": home})
    return done.stdout + done.stderr


def _open(t, **options):
    tandem = t.own_tandem(**options).start()
    tandem.cli("setting", "set", "ban_never", "none")
    for name in ("201", "202", "203"):
        t.account(name, f"secret of {name}, which is long")
    return tandem


def _bans(tandem):
    return {ban["network"]: ban for ban in tandem.json("ban", "list")["bans"]}


@scenario(seconds=120)
def svmap_finds_no_phone_system(t):
    tandem = _open(t)
    for n, method in enumerate(("OPTIONS", "INVITE", "REGISTER")):
        said = _run(t, "svmap", f"127.9.5.{n + 1}", "-p", str(tandem.port), "-m", method, "127.0.0.1")
        assert "found nothing" in said and "Tandem" not in said, said
    assert {ban["reason"] for ban in _bans(tandem).values()} == {"scanner"} and len(_bans(tandem)) == 3
    said = _run(t, "svmap", "127.9.5.9", "-p", "5999", "127.0.0.1")  # a port that nobody has: it looks the same
    assert "found nothing" in said, said


@scenario(seconds=180)
def svwar_learns_no_extension(t):
    """Signed, it is banned; unsigned, all numbers look the same to it, the three that are there too."""
    tandem = _open(t)
    for method in ("REGISTER", "INVITE", "OPTIONS"):
        args = ("-p", str(tandem.port), "-m", method, "-e", "195-210", "--force", "127.0.0.1")
        said = _run(t, "svwar", "127.0.0.1", *args)
        assert "201" not in said and "202" not in said, said
        assert _bans(tandem)["127.0.0.1"]["reason"] == "scanner", _bans(tandem)
        tandem.cli("ban", "del", "127.0.0.1")
        said = _run(t, "svwar", "127.0.0.1", *args, signed=False)
        assert "found nothing" in said or all(f"| {number} " in said for number in range(195, 211)), said  # none, or all


@scenario(seconds=120)
def svcrack_is_banned_before_it_gets_anywhere(t):
    """The right password stands in its list, behind twenty wrong ones; it does not come so far."""
    tandem = _open(t)
    words = os.path.join(t.directory("words"), "list")
    with open(words, "w", encoding="ascii") as f:
        f.write("\n".join([f"guess{n}" for n in range(20)] + ["secret of 201, which is long", "guess"]) + "\n")
    for signed, reason in ((True, "scanner"), (False, "passwords")):
        said = _run(t, "svcrack", "127.0.0.1", "-p", str(tandem.port), "-u", "201", "-d", words, "127.0.0.1", signed=signed,
                    seconds=15)
        assert "which is long" not in said, said
        assert _bans(tandem)["127.0.0.1"]["reason"] == reason, _bans(tandem)
        tandem.cli("ban", "del", "127.0.0.1")
    tried = tandem.log().count("authentication as 201 failed")
    assert 10 <= tried <= 12, tried


# --- floods ---

METHODS = ("INVITE", "REGISTER", "OPTIONS", "SUBSCRIBE", "MESSAGE")


class Flood:
    """So many requests a second from strangers, of all kinds, from `sources` addresses, until stop()."""

    def __init__(self, tandem, rate, sources, prefix="127.9.8"):
        self.rate, self.sent, self._going = rate, 0, True
        self.sockets = []
        for n in range(sources):
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.bind((f"{prefix}.{n + 1}", 0))
            s.connect(("127.0.0.1", tandem.port))
            s.setblocking(False)
            self.sockets.append(s)
        self.server = tandem.server
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _message(self, n):
        method, s = METHODS[n % len(METHODS)], self.sockets[n % len(self.sockets)]
        host, port = s.getsockname()
        return s, (f"{method} sip:{200 + n % 30}@{self.server} SIP/2.0\r\nVia: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{n}\r\n"
                   f"From: <sip:x{n}@{host}>;tag={n}\r\nTo: <sip:{200 + n % 30}@{self.server}>\r\nCall-ID: {n}-flood\r\n"
                   f"CSeq: 1 {method}\r\nContact: <sip:x@{host}:{port}>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n").encode()

    def _run(self):
        began = time.monotonic()
        while self._going:
            due = int((time.monotonic() - began) * self.rate)
            while self.sent < due and self._going:
                s, data = self._message(self.sent)
                try:
                    s.send(data)
                except OSError:
                    pass
                self.sent += 1
            for s in self.sockets:  # nobody reads the answers, and full buffers cost nothing
                try:
                    while s.recv(65535):
                        pass
                except OSError:
                    pass
            time.sleep(0.002)

    def stop(self):
        self._going = False
        self._thread.join(10)
        for s in self.sockets:
            s.close()


def _memory(tandem):
    """Resident MB of tandemd."""
    with open(f"/proc/{tandem.program.pid}/status", encoding="ascii") as f:
        return int(next(line for line in f if line.startswith("VmRSS")).split()[1]) / 1024


def _under_flood(t, tandem, rate, seconds, sources):
    """Calls of users while strangers flood: (set up, of so many, memory before, highest, MB after half a minute)."""
    traffic = Traffic(tandem.server, t.account(), t.account(), rate=5, hold=(0.2, 0.5))
    try:
        traffic.start()
        proc.wait_until("calls before the flood", lambda: len(traffic.finished) >= 10, 20)
        before, most = _memory(tandem), 0
        flood = Flood(tandem, rate, sources)
        try:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                most = max(most, _memory(tandem))
                time.sleep(0.25)
        finally:
            flood.stop()
        traffic.stop(40)
        return traffic, flood.sent, before, most
    finally:
        traffic.close()


@scenario(seconds=90)
def a_users_calls_do_not_suffer_from_a_flood_of_strangers(t):
    """A few seconds of what the long test does for a minute."""
    tandem = t.own_tandem(log="info", media_ports=600).start()
    traffic, sent, before, most = _under_flood(t, tandem, 1500, 6, 20)
    assert sent > 5000 and len(traffic.sent) > 30, (sent, len(traffic.sent))
    assert len(traffic.answered) >= 0.99 * len(traffic.sent), (len(traffic.answered), len(traffic.sent), traffic.refused)
    assert t.world.sanitized or most - before < 50, (before, most)


@scenario(seconds=300, long=True, alone=True)
def nor_from_five_thousand_a_second_for_a_minute(t):
    tandem = t.own_tandem(log="info", media_ports=600).start()
    traffic, sent, before, most = _under_flood(t, tandem, 5000, 60, 200)
    assert sent > 200000, sent
    assert len(traffic.answered) >= 0.99 * len(traffic.sent), (len(traffic.answered), len(traffic.sent), traffic.refused)
    if not t.world.sanitized:
        assert most - before < 50, (before, most)
        proc.wait_until("memory to come back", lambda: _memory(tandem) - before < 10, 60, 1)


@scenario(seconds=90)
def a_phone_that_registers_eight_hundred_times_a_second_costs_others_nothing(t):
    """With the right password, so that nothing but its own rate stops it."""
    tandem = t.own_tandem(log="info", media_ports=600).start()
    wild = t.endpoint()
    assert wild.register().status == 200
    uri, count, going = f"sip:{tandem.server}", [1], [True]

    def register():
        began = time.monotonic()
        while going[0]:
            while count[0] < (time.monotonic() - began) * 800:
                count[0] += 1
                value = sip.answer_challenge(wild.challenges[0], "REGISTER", uri, wild.user, wild.secret, count[0])
                wild.send(wild.compose("REGISTER", uri, count[0], f"wild-{count[0]}", f"<sip:{wild.user}@{tandem.server}>", headers=[
                    f"Authorization: {value}", f"Contact: <sip:{wild.user}@{wild.contact}>", "Expires: 600"]))
            time.sleep(0.002)

    traffic = Traffic(tandem.server, t.account(), t.account(), rate=10, hold=(0.2, 0.5))
    thread = threading.Thread(target=register, daemon=True)
    try:
        traffic.start()
        thread.start()
        proc.wait_until("calls of others", lambda: len(traffic.finished) >= 40, 30)
        going[0] = False
        thread.join()
        traffic.stop(30)
    finally:
        going[0] = False
        traffic.close()
    assert count[0] > 2000, count
    assert traffic.answered == traffic.sent and not traffic.refused, (len(traffic.answered), len(traffic.sent), traffic.refused)
    slow = sorted(traffic.took.values())[int(0.95 * len(traffic.took))]
    assert t.world.sanitized or slow < 0.3, slow
    assert f"account {wild.user} sends more than 200 requests a second" in tandem.log()


# --- connections that say nothing ---

@scenario(seconds=120)
def connections_that_say_nothing_hurt_nobody(t):
    """Fifteen hundred, from many addresses, each with a message that comes byte by byte; a user calls meanwhile."""
    tandem = t.own_tandem(log="info").start()
    caller, callee = t.endpoint(), t.endpoint()
    assert callee.register().status == 200
    holders = []
    try:
        for n in range(1500):
            s = socket.create_connection(("127.0.0.1", tandem.port), timeout=10, source_address=(f"127.9.9.{n % 150 + 1}", 0))
            s.sendall(b"INVITE sip:201@tandem SIP/2.0\r\nVia: SIP/2.0/TCP 127.9.9.9;branch=z9hG4bK")
            holders.append(s)
        for n in range(5):
            for s in holders[n::5]:
                try:
                    s.sendall(b"x")
                except OSError:
                    pass  # it has been cut off already: as well
            began = time.monotonic()
            caller.send_invite(callee.user)
            invite = callee.request("INVITE")
            assert time.monotonic() - began < 1, time.monotonic() - began
            callee.reply(invite, 486, "Busy")
            assert caller.response("INVITE", lambda s: s > 199).status == 486
        with socket.create_connection(("127.0.0.1", tandem.port), timeout=10) as s:  # and there is room for one more
            s.sendall(caller.compose("REGISTER", f"sip:{tandem.server}").replace("/UDP", "/TCP").encode())
            assert s.recv(4000).startswith(b"SIP/2.0 401")
        proc.wait_until("their end", lambda: tandem.json("status")["edge"]["connections"]["now"] < 10, 40, 0.5)
    finally:
        for s in holders:
            s.close()
