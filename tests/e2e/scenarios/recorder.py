"""The flight recorder: found again by call, account and address, as ladder, messages and capture file; kept within its limits."""

import glob
import os
import re
import secrets
import stat

from harness import proc
from harness.proc import wait_until
from harness.runner import scenario


def _call(t):
    """A call by hand in which the callee puts the caller on hold. Returns caller, callee, and the call's id."""
    caller, callee = t.endpoint(), t.endpoint()
    assert callee.register().status == 200
    t.tandem.cli("account", "set", callee.user, "--music-class", "none")  # its hold is passed on
    caller.send_invite(callee.user, formats="0 8")
    invite = callee.request("INVITE")
    callee.reply(invite, 200, "OK", callee.sdp("0"))
    answered = caller.response("INVITE", 200)
    caller.ack(answered)
    callee.request("ACK")
    call = t.tandem.running_call(caller.user)["id"]
    uri, to, tag = f"sip:{caller.user}@{t.tandem.server}", invite.get("from"), "e2e" + invite.get("call-id")[:8]
    callee.send(callee.compose("INVITE", uri, 7, invite.get("call-id"), to, tag,
                               body=callee.sdp("0").replace("sendrecv", "sendonly")))
    reoffer = caller.request("INVITE")
    caller.reply(reoffer, 200, "OK", caller.sdp("0").replace("sendrecv", "recvonly"))
    callee.ack(callee.response("INVITE", 200), uri, 7)
    assert caller.bye(answered).status == 200
    callee.reply(callee.request("BYE"), 200, "OK")
    wait_until("the call's end", lambda: t.tandem.running_call(caller.user) is None)
    return caller, callee, call


def _files(tandem):
    return sorted(glob.glob(os.path.join(tandem.home, "state", "recorder", "*.rec")))


def _settled(tandem):
    wait_until("the recorder to have written all that there is",
               lambda: tandem.json("status")["recorder"]["unwritten_bytes"] == 0, 10, 0.2)


def a_finished_call_is_found_by_its_id_and_by_both_parties_with_what_changed_in_its_audio(t):
    caller, callee, call = _call(t)
    text = t.tandem.cli("trace", call).stdout
    for words in ("INVITE", "200 OK", "BYE", "audio 127.0.0.1:40000, PCMU PCMA, sendrecv", "sendrecv > sendonly",
                  f"{callee.user} holds"):
        assert words in text, f"{words} is not in\n{text}"
    for name in (caller.user, callee.user):
        assert t.tandem.json("trace", "last", name)["id"] == call
    assert t.tandem.json("trace", "last")["id"]
    raw = t.tandem.cli("trace", call, "--raw").stdout
    assert "m=audio 40000 RTP/AVP 0 8" in raw and re.search(r'response="\*+"', raw), raw
    words = t.tandem.command_fails("trace", "0000")
    assert "recorded" in words, words


def registrations_and_strangers_are_found_by_account_and_address(t):
    phone = t.endpoint()
    assert phone.register().status == 200
    text = t.tandem.cli("trace", "--register", phone.user).stdout
    for words in ("REGISTER", "401 Unauthorized", "200 OK", "registered"):
        assert words in text, text
    stranger = t.endpoint(("nobody", "x"))
    stranger.send(stranger.compose("OPTIONS", f"sip:{stranger.server}"))
    stranger.send("INVITE sip:broken\r\n\r\n")
    def seen():
        found = t.tandem.json("trace", "--address", f"127.0.0.1:{stranger.port}", "--raw")["lines"]
        return found if any(line.get("dropped") for line in found) else None
    lines = wait_until("the broken message", seen, 5, 0.1)
    assert any(line["text"].startswith("OPTIONS") for line in lines), lines
    dropped = next(line for line in lines if line.get("dropped"))
    assert "dropped: " in dropped["text"] and dropped["message"].startswith("INVITE sip:broken"), dropped


def a_capture_file_opens_in_wireshark_as_sip(t):
    caller, callee, call = _call(t)
    path = os.path.join(t.directory("capture"), "call.pcap")
    said = t.tandem.cli("trace", call, "--pcap", path).stdout
    shown = t.tandem.json("trace", call)["lines"]
    count = sum(line["kind"] != "event" for line in shown)
    assert said.startswith(f"{count} messages"), (said, count)
    read = proc.run(["tshark", "-r", path, "-o", "udp.check_checksum:TRUE", "-d", f"udp.port=={t.tandem.port},sip", "-T", "fields",
                     "-e", "sip.Method", "-e", "sip.Status-Code", "-e", "udp.checksum.status", "-e", "sdp.media"], timeout=60).stdout.splitlines()
    assert len(read) == count, read
    fields = [line.split("\t") for line in read]
    assert all(f[0] or f[1] for f in fields), f"not SIP: {read}"
    assert all(f[2] in ("1", "Good") for f in fields), f"bad checksums: {read}"
    assert [f[0] for f in fields if f[0]].count("BYE") == 2 and any("audio 40000" in f[3] for f in fields), read
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


@scenario(seconds=90)
def a_long_call_and_a_talkative_address_are_exported_from_beginning_to_end(t):
    """More than fits into one answer of the switch."""
    tandem = t.own_tandem(switch="source_rate = 0\n").start()
    caller, callee = t.endpoint(), t.endpoint()
    assert callee.register().status == 200
    caller.send_invite(callee.user)
    invite = callee.request("INVITE")
    callee.reply(invite, 200, "OK", callee.sdp())
    answered = caller.response("INVITE", 200)
    caller.ack(answered)
    call = tandem.running_call(caller.user)["id"]
    filler = "X-Filler: " + "x" * 15000
    for n in range(100):  # 1.5 MB and their answers
        caller.send(caller.compose("OPTIONS", f"sip:{caller.server}", 20 + n, answered.get("call-id"), answered.get("to"),
                                   re.search(r"tag=([^;]+)", answered.get("from")).group(1), headers=[filler]))
        caller.response("OPTIONS", lambda s: s >= 200, call_id=answered.get("call-id"))
    path = os.path.join(t.directory("capture"), "call.pcap")
    for about, what in (((call,), "the call"), (("--address", f"127.0.0.1:{caller.port}", "-n", "1000"), "the address")):
        said = tandem.cli("trace", *about, "--pcap", path).stdout
        read = proc.run(["tshark", "-r", path, "-d", f"udp.port=={tandem.port},sip", "-T", "fields", "-e", "sip.Method", "-e",
                         "sip.CSeq.seq"], timeout=60).stdout.splitlines()
        assert said.startswith(f"{len(read)} messages") and os.path.getsize(path) > 1_500_000, (what, said)
        asked = [int(line.split("\t")[1]) for line in read if line.startswith("OPTIONS")]
        assert asked == list(range(20, 120)), f"{what}: {asked}"
        assert read[0].startswith("INVITE"), f"the beginning of {what} is missing: {read[:3]}"
    shown = tandem.cli("trace", call, "--raw").stdout
    assert shown.count("X-Filler") == 100 and "not kept" not in shown
    said = tandem.cli("trace", "--address", f"127.0.0.1:{caller.port}", "-n", "50", "--pcap", path).stdout
    assert said.startswith("50 messages") and "-n takes more" in said, said
    caller.bye(answered, 200)


def messages_are_followed_as_they_pass(t):
    phone, other = t.endpoint(), t.endpoint()
    log = f"{t.directory('follow')}/out"
    follower = t.program([t.tandem.path("tandem"), "-s", t.tandem.control, "trace", "-f", "--register", phone.user], log)
    def shown():
        other.register(call_id=secrets.token_hex(8))
        phone.register(call_id=secrets.token_hex(8))
        return "200 OK (REGISTER)" in follower.text()
    wait_until("a REGISTER to be shown", shown, 20, 0.3)
    assert f":{phone.port}" in follower.text() and f":{other.port}" not in follower.text(), follower.text()


def what_was_recorded_survives_kill_and_a_damaged_tail_is_skipped(t):
    tandem = t.own_tandem()
    tandem.start()
    caller, callee, call = _call(t)
    _settled(tandem)
    tandem.kill()
    for path in _files(tandem):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600, path
        assert caller.secret.encode() not in open(path, "rb").read()
    with open(_files(tandem)[-1], "ab") as f:
        f.write(b"TBLK\xff\xff\x00\x00 torn by a power cut")
    tandem.start()
    text = tandem.cli("trace", call).stdout
    assert "BYE" in text and "ended normally" in text, text
    assert tandem.json("trace", "last", callee.user)["id"] == call
    _, _, second = _call(t)
    _settled(tandem)
    assert "BYE" in tandem.cli("trace", second).stdout


@scenario(seconds=90)
def the_files_stay_within_their_limit_and_the_oldest_go_first(t):
    tandem = t.own_tandem(switch="recorder_size = 1\nsource_rate = 0\n")
    tandem.start()
    _, _, first = _call(t)
    phone = t.endpoint()
    filler = "X-Filler: " + "x" * 6000
    def filled():
        for _ in range(60):
            phone.send(phone.compose("OPTIONS", f"sip:{phone.server}", headers=[filler]))
        return tandem.command_fails("trace", first) if tandem.cli("trace", first, check=False).returncode else None
    wait_until("the first call to be pushed out", filled, 60, 0.2)
    _settled(tandem)
    size = sum(os.path.getsize(path) for path in _files(tandem))
    assert 300_000 < size <= 1 << 20, size
    assert tandem.json("trace", "--address", f"127.0.0.1:{phone.port}")["lines"], "the newest are gone too"


@scenario(seconds=60)
def a_full_disk_stops_the_recorder_alone_and_it_comes_back_by_itself(t):
    tandem = t.own_tandem(switch="recorder_size = 4\n")
    directory = os.path.join(tandem.home, "state", "recorder")
    os.makedirs(directory)
    # A small disk that only this tandemd sees, with something on it that can be removed.
    small = ('mount -t tmpfs -o size=4m tmpfs "$0" && head -c 4100000 /dev/zero > "$0/ballast" && exec "$@"')
    as_root = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    tandem.program = proc.Program(["unshare", *as_root, "--mount", "sh", "-c", small, directory,
                                   tandem.path("tandemd"), "-c", tandem.config], tandem.log_path)
    tandem.wait_ready()
    log = f"{t.directory('events')}/out"
    follower = t.program([tandem.path("tandem"), "-s", tandem.control, "events", "recorder"], log)
    wait_until("the follower to run", follower.running)
    phone = t.endpoint()
    def stopped():
        for _ in range(10):
            phone.send(phone.compose("OPTIONS", f"sip:{phone.server}", headers=["X-Filler: " + "x" * 6000]))
        return not tandem.json("status")["recorder"]["writing"]
    wait_until("the disk to be full", stopped, 20, 0.3)
    tandem.wait_log("flight recorder writes no more to .*No space left")
    assert "stopped" in tandem.cli("status").stdout, tandem.cli("status").stdout
    _, _, call = _call(t)  # calls do not care, and memory still has them
    assert "BYE" in tandem.cli("trace", call).stdout
    os.unlink(f"/proc/{tandem.program.child.pid}/root{directory}/ballast")
    tandem.wait_log("flight recorder writes again", 20)
    wait_until("the event", lambda: "writes again" in follower.text(), 5, 0.2)
    _settled(tandem)
    assert "BYE" in tandem.cli("trace", call).stdout
