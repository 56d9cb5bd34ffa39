"""Whom the switch runs as, what it may do, and who can read what it leaves behind."""

import os
import pwd
import shutil
import signal
import socket
import stat

from harness import proc, sip
from harness.proc import wait_until

USER = "postgres"  # any user that is not root will do; this one may enter the test's database


def _status(pid):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def _threads(pid):
    return [_status(f"{pid}/task/{task}") for task in os.listdir(f"/proc/{pid}/task")]


def _readable_build(t):
    """A copy of what runs where another user can read it: the build tree may be in somebody's home."""
    place = t.directory("programs")
    for name in ("core", "modules/.libs"):
        os.makedirs(os.path.join(place, name))
    for name in ("tandemd", "tandem-media", "tandem"):
        shutil.copy(os.path.join(t.world.build, "core", name), os.path.join(place, "core"))
    for name in os.listdir(os.path.join(t.world.build, "modules", ".libs")):
        if name.endswith(".so"):
            shutil.copy(os.path.join(t.world.build, "modules", ".libs", name), os.path.join(place, "modules", ".libs"))
    shutil.copytree(os.path.join(t.world.source, "dialplan"), os.path.join(place, "dialplan"))
    for folder, _, names in os.walk(place):
        os.chmod(folder, 0o755)
        for name in names:
            os.chmod(os.path.join(folder, name), 0o755)
    return place


def _low_port():
    """A free one that only root may bind."""
    for port in range(1023, 600, -1):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s, socket.socket() as s2:
            try:
                s.bind(("127.0.0.1", port))
                s2.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass
    raise proc.Failed("no port below 1024 is free")


def _dropped_tandem(t, **options):
    place = _readable_build(t)
    tandem = t.own_tandem(user=USER, dialplan=os.path.join(place, "dialplan"), **options)
    with open(tandem.config, encoding="utf-8") as f:
        text = f.read()
    for there in (t.world.build, t.world.source):
        text = text.replace(there + "/", place + "/")
    with open(tandem.config, "w", encoding="utf-8") as f:
        f.write(text)
    return tandem


def _give(tandem, *directories):
    user = pwd.getpwnam(USER)
    for name in directories:
        for folder, _, names in os.walk(os.path.join(tandem.home, name)):
            for path in (folder, *(os.path.join(folder, n) for n in names)):
                os.chown(path, user.pw_uid, user.pw_gid)


def started_by_root_it_binds_a_low_port_and_keeps_nothing_of_root(t):
    port = _low_port()
    tandem = _dropped_tandem(t, listens=f"listen = udp:127.0.0.1:{port} digest=md5\n"
                                        f"listen = tcp:127.0.0.1:{port} digest=md5\n")
    _give(tandem, "state", "run", "tls")
    tandem.start()
    uid = str(pwd.getpwnam(USER).pw_uid)
    groups = os.getgrouplist(USER, pwd.getpwnam(USER).pw_gid)  # those of the user, none of whoever started it
    media = wait_until("the media process", tandem.media_pid)
    for pid in (tandem.program.pid, media):
        for thread in _threads(pid):
            assert thread["Uid"].split() == [uid] * 4, thread["Uid"]
            assert thread["Gid"].split() == [str(pwd.getpwnam(USER).pw_gid)] * 4, thread["Gid"]
            assert thread["Groups"].split() == [str(g) for g in sorted(groups)], thread["Groups"]
            # A sanitizer has a thread before there is a program: what one thread may is no concern of others.
            assert t.world.sanitized or int(thread["CapEff"], 16) == 0 and int(thread["CapPrm"], 16) == 0, thread
        assert _status(pid)["NoNewPrivs"] == "1"
    # The low port works, and calls have audio.
    caller, callee = t.endpoint(server=f"127.0.0.1:{port}"), t.endpoint()
    assert callee.register().status == 200
    caller.send_invite(callee.user)
    callee.reply(callee.request("INVITE"), 486, "Busy Here")
    assert caller.response("INVITE").status == 486
    a, b = t.pair()
    a.dial(b.user)
    b.ringing()
    b.accept()
    a.wait_heard(b.tone, seconds=1)
    b.wait_heard(a.tone, seconds=1)
    a.hangup()
    b.closed()
    state = os.path.join(tandem.home, "state")
    for folder, _, names in os.walk(state):
        for name in names:
            assert os.lstat(os.path.join(folder, name)).st_uid == int(uid), f"{name} does not belong to {USER}"


def every_thread_of_the_media_process_is_in_the_sandbox(t):
    if t.world.sanitized:
        t.tandem.wait_log("runs without a sandbox: this build or kernel has none")
        return
    media = wait_until("the media process", t.tandem.media_pid)
    threads = _threads(media)
    assert len(threads) >= 2, "there are no media threads"
    for thread in threads:
        assert thread["Seccomp"] == "2" and thread["NoNewPrivs"] == "1", thread


def what_the_switch_leaves_on_disk_is_closed_to_others(t):
    tandem = t.tandem
    checked = 0
    for top in ("state", "run"):
        for folder, _, names in os.walk(os.path.join(tandem.home, top)):
            for name in names:
                path = os.path.join(folder, name)
                mode = stat.S_IMODE(os.lstat(path).st_mode)
                assert mode & 0o007 == 0 and mode & 0o020 == (0o020 if name == "control.sock" else 0), (path, oct(mode))
                checked += 1
    assert checked >= 5


def a_directory_of_root_is_named_with_what_to_do(t):
    tandem = _dropped_tandem(t).launch()
    assert tandem.program.wait(20) == 1
    tandem.expect_error("not started:")
    line = tandem.wait_log(r"not started: .*belongs to another user than .*").group()
    assert f"chown -R {USER}:" in line, line


def an_unknown_user_is_named_with_what_to_do(t):
    tandem = t.own_tandem(user="nobody-of-that-name").launch()
    assert tandem.program.wait(20) == 1
    tandem.expect_error("not started:")
    tandem.wait_log(r"not started: the system has no user nobody-of-that-name; `adduser --system")


def the_service_manager_hears_that_the_switch_is_ready_alive_and_stopping(t):
    tandem = t.own_tandem()
    path = os.path.join(tandem.home, "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(20)
        os.environ.update(NOTIFY_SOCKET=path, WATCHDOG_USEC="300000")
        try:
            tandem.launch()
        finally:
            del os.environ["NOTIFY_SOCKET"], os.environ["WATCHDOG_USEC"]
        assert manager.recv(100) == b"READY=1"
        with sip.Endpoint(tandem.server, user="probe") as probe:
            assert probe.alive(timeout=5), "it said that it was ready"
        for _ in range(3):
            assert manager.recv(100) == b"WATCHDOG=1"
        tandem.program.signal(signal.SIGTERM)
        words = set()
        while b"STOPPING=1" not in words:
            words.add(manager.recv(100))
    assert tandem.program.wait(15) == 0
