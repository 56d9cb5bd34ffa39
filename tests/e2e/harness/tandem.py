"""A Tandem of a test's own: directories, ports, database, configuration, and the programs of the build tree."""

import contextlib
import json
import os
import pwd
import re
import signal

from . import certificates, postgres, proc, sip

CONFIG = """\
[switch]
node = 1
user = {user}
listen = udp:127.0.0.1:{port} digest=md5
listen = tcp:127.0.0.1:{port} digest=md5
listen = udp:127.0.0.1:{modern} digest=md5,sha-256
listen = tls:127.0.0.1:{modern} digest=md5
{listens6}{listens}{tls}database = {database}
state_dir = {home}/state
run_dir = {home}/run
log = {log}
module_dir = {build}/modules/.libs
dialplan = {dialplan}
dialplan_library = {source}/dialplan
prompts = {source}/dialplan/sounds
sounds = {home}/sounds
{switch}
[media]
address = {media_address}
{media6}ports = {media_first}-{media_last}
program = {build}/core/tandem-media
orphan = 5
{media}
[module registrar]
{modules}
"""

MODULES = ("hold", "transfer", "pickup", "park", "group")  # what an installation has beside the registrar

LISTENS6 = """\
listen = udp:[::1]:{port} digest=md5
listen = tcp:[::1]:{port} digest=md5
listen = tls:[::1]:{modern} digest=md5
"""


class Tandem:
    """Nothing runs before start(). Lines may be added to each section of the configuration.

    `server` and `server6` answer over UDP and TCP; they offer MD5 alone, because baresip 1.0 gives up when SHA-256 is offered
    beside it. `modern` offers both, over UDP. `secure` and `secure6` answer over TLS, with the certificate `certificate`, which has
    issued itself; tls: other lines for it."""

    def __init__(self, home, build, source, ports, database, switch="", media="", modules="", listens="", dialplan=None,
                 log="debug", media_address="127.0.0.1", ipv6=True, inside=None, public=None, user=None, tls=None, without=()):
        """inside: a Place of net.py where it runs; it listens on that address as well, with port 5060. public: the address
        under which phones reach it there, when it is another one. without: modules of the usual ones that are not loaded."""
        self.home, self.build, self.source = str(home), str(build), str(source)
        self.port, self.database = ports[0], database
        self.server, self.server6 = f"127.0.0.1:{self.port}", f"[::1]:{self.port}"
        self.inside = inside
        if inside:
            self.server = f"{public or inside.address}:5060"
            listens += f"listen = udp:{inside.address}:5060 digest=md5\nlisten = tcp:{inside.address}:5060 digest=md5\n"
            media_address = inside.address
        self.modern = self.secure = f"127.0.0.1:{ports[1]}"
        if inside:
            self.secure = f"{public or inside.address}:5061"
            listens += f"listen = tls:{inside.address}:5061 digest=md5\n"
        self.secure6 = f"[::1]:{ports[1]}"
        self.config = os.path.join(self.home, "tandem.conf")
        self.log_path = os.path.join(self.home, "tandemd.log")
        self.control = os.path.join(self.home, "run", "control.sock")
        for directory in ("state", "run", "sounds"):
            os.makedirs(os.path.join(self.home, directory), exist_ok=True)
        self.certificate = certificates.make(os.path.join(self.home, "tls"))
        for name in MODULES:
            if name not in without and f"[module {name}]" not in modules:
                modules += f"\n[module {name}]\n"
        first = ports[2] + ports[2] % 2
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(CONFIG.format(
                user=user or pwd.getpwuid(os.geteuid()).pw_name, port=self.port, source=self.source, log=log,
                modern=ports[1], database=database, home=self.home, build=self.build,
                dialplan=dialplan or os.path.join(self.source, "dialplan"), media_address=media_address,
                media6="address6 = ::1\n" if ipv6 else "", media_first=first, media_last=ports[-1], switch=switch, media=media,
                modules=modules, listens=listens, tls=tls or self.certificate.lines,
                listens6=LISTENS6.format(port=self.port, modern=ports[1]) if ipv6 else ""))
        self.program = None
        self.expected_errors = []

    # --- life ---

    def path(self, name):
        return os.path.join(self.build, "core", name)

    def launch(self, *args):
        """Starts tandemd and returns at once."""
        self.program = proc.Program([*(self.inside.prefix if self.inside else []), self.path("tandemd"), "-c", self.config, *args], self.log_path)
        return self

    def start(self, timeout=20.0):
        """Starts tandemd and waits until SIP answers."""
        self.launch()
        self.wait_ready(timeout)
        return self

    def wait_ready(self, timeout=20.0):
        def answers():
            if not self.program.running():
                raise proc.Failed(f"tandemd ended with {self.program.child.returncode} while starting: {self.tail(8)}")
            with self.inside.inside() if self.inside else contextlib.nullcontext():
                probe = sip.Endpoint(f"127.0.0.1:{self.port}", user="probe")
            with probe:
                return probe.alive(timeout=0.3)
        proc.wait_until("tandemd to answer SIP", answers, timeout)

    def stop(self, timeout=15.0):
        """SIGTERM; the end must be clean."""
        if not self.program or not self.program.running():
            return
        self.program.signal(signal.SIGTERM)
        status = self.program.wait(timeout)
        if status is None:
            self.program.kill()
            raise proc.Failed(f"tandemd did not end within {timeout:g} s of SIGTERM")
        if status != 0:
            raise proc.Failed(f"tandemd ended with {status} after SIGTERM: {self.tail(8)}")

    def kill(self):
        """kill -9: what a crash leaves behind."""
        self.program.kill()

    def forget_memory(self):
        """Removes the shared memory that a killed tandemd has left for its next start."""
        for part in ("spool", "live"):
            try:
                with open(os.path.join(self.home, "state", part, "memory"), encoding="ascii") as f:
                    os.unlink("/dev/shm" + f.read().strip())
            except OSError:
                pass

    def discard(self):
        """Ends what still runs, without judging."""
        media = self.media_pid()
        if self.program and self.program.running():
            self.program.kill()
        if media:
            try:
                os.kill(media, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.forget_memory()

    def media_pid(self):
        """Id of the tandem-media that serves this run_dir, whoever started it; None when there is none."""
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                with open(f"/proc/{entry}/cmdline", "rb") as f:
                    argv = f.read().decode("utf-8", "replace").split("\0")
                with open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as f:
                    state = f.read().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if argv[0].endswith("tandem-media") and state != "Z" and any(a.startswith(self.home) for a in argv[1:]):
                return int(entry)
        return None

    # --- its words ---

    def log(self):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def tail(self, lines=25):
        return "\n".join(self.log().splitlines()[-lines:])

    def wait_log(self, pattern, timeout=15.0, since=0):
        return proc.wait_until(f"/{pattern}/ in the log of tandemd",
                               lambda: re.search(pattern, self.log()[since:], re.M), timeout)

    def expect_error(self, pattern):
        """This error line belongs to the test."""
        self.expected_errors.append(re.compile(pattern))

    def unexpected(self, since=0):
        """Log lines that no test should cause: errors, broken invariants, sanitizer reports."""
        bad = re.compile(r" error: |Sanitizer|runtime error|\bbug\b|illegal move")
        lines = [line for line in self.log()[since:].splitlines() if bad.search(line)]
        return [line for line in lines if not any(e.search(line) for e in self.expected_errors)]

    # --- command line and database ---

    def cli(self, *args, input=None, check=True, timeout=15.0):
        """`tandem ARGS…` as text, by an administrator of its database."""
        return proc.run([self.path("tandem"), "-s", self.control, *args], timeout=timeout, input=input, check=check,
                        env={"TANDEM_DATABASE": self.database})

    def json(self, *args):
        return json.loads(self.cli("--json", *args).stdout)

    def registrations(self, account):
        """The bindings of this account."""
        return [r for r in self.json("registrations")["registrations"] if r["account"] == account]

    def running_call(self, account):
        """The running call with a leg of this account, or None."""
        for call in self.json("calls")["calls"]:
            if any(leg.get("account") == account for leg in call["legs"]):
                return call
        return None

    def command_fails(self, *args):
        """The words with which a command ends when it fails."""
        done = self.cli(*args, check=False)
        if done.returncode == 0:
            raise proc.Failed(f"tandem {' '.join(args)} should fail, but said: {done.stdout.strip()}")
        return done.stderr.strip() or done.stdout.strip()

    def migrate(self):
        proc.run([self.path("tandem"), "db", "migrate", "--database", self.database, "--dir",
                  os.path.join(self.source, "db", "migrations")])
        return self

    def sql(self, query):
        return postgres.sql(self.database, query)

    def records(self, query):
        return postgres.records(self.database, query)

    def wait_record(self, query, what, timeout=15.0):
        """The first row of the query, once there is one: records come through the spool, a moment late."""
        return proc.wait_until(what, lambda: self.records(query), timeout, 0.2)[0]
