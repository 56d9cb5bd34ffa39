"""linphone as a headless telephone, with the same verbs as the baresip of phone.py: it plays a tone instead of a microphone,
music while it holds, and records what it hears.

linphonec is driven by lines on its standard input. What it prints is read like a story: each wait looks at what came after
the words that the last wait found.
"""

import os
import re
import subprocess

from . import audio, ear, ports as port_numbers, proc

MUSIC = 1900  # Hz: what the held side hears
CODECS = (("opus", 48000, 2), ("speex", 16000, 1), ("speex", 8000, 1), ("speex", 32000, 1), ("PCMU", 8000, 1), ("PCMA", 8000, 1),
          ("GSM", 8000, 1), ("G722", 8000, 1), ("G729", 8000, 1))

CONFIG = """\
[sip]
sip_port={udp}
sip_tcp_port={tcp}
sip_tls_port={tls}
verify_server_certs=0
verify_server_cn=0
use_ipv6={ipv6}
contact="{user}" <sip:{user}@{host}>
media_encryption={encryption}
use_info={info}
use_rfc2833={rfc2833}
incoming_calls_early_media={early}
register_only_when_network_is_up=0
default_proxy=0
[net]
mtu=1300
firewall_policy=0
[rtp]
audio_rtp_port={rtp}
[video]
enabled=0
[sound]
echocancellation=0
[proxy_0]
reg_proxy=<sip:{server};transport={transport}>
reg_identity=sip:{user}@{server}
reg_expires={expires}
reg_sendregister=1
publish=0
[auth_info_0]
username={user}
passwd={secret}
"""


class Linphone(ear.Ear):
    """One linphonec with one account. Nothing happens before start()."""

    def __init__(self, home, ports, server, user, secret, tone=440, expires=60, codecs="pcmu", transport="udp",
                 early=False, inside=None, encryption="none", keys="rfc4733"):
        """ports: four or more of its own, as a list; the rest as for a Phone. codecs: of 8 kHz, for the recording's sake;
        early: it is heard while it still rings; encryption: of its audio, "srtp" (RTP/SAVP) or "none"; keys: how it
        sends them, "rfc4733" or "info"."""
        self.home, self.user, self.tone, self.server = str(home), user, tone, server
        self.sip = ports[0]
        self.inside = inside  # a Place of net.py; None: where the test is
        host = inside.address if inside else port_numbers.own_host(server)
        self.address = f"{host}:{self.sip}"
        os.makedirs(os.path.join(self.home, ".local", "share", "linphone"), exist_ok=True)
        audio.write_tone(self._path("tone.wav"), tone)
        audio.write_tone(self._path("music.wav"), MUSIC)
        text = CONFIG.format(udp=self.sip if transport == "udp" else 0, tcp=self.sip if transport == "tcp" else 0,
                             tls=self.sip if transport == "tls" else 0, host=host,
                             ipv6=int(host.startswith("[")), user=user, rtp=ports[2] + ports[2] % 2, server=server,
                             transport=transport, expires=expires, secret=secret, early=int(early), encryption=encryption,
                             info=int(keys == "info"), rfc2833=int(keys == "rfc4733"))
        for i, (name, rate, channels) in enumerate(CODECS):
            text += (f"[audio_codec_{i}]\nmime={name}\nrate={rate}\nchannels={channels}\n"
                     f"enabled={int(name.lower() in codecs.split(','))}\n")
        with open(os.open(self._path("linphonerc"), os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as f:
            f.write(text)
        self.program = None
        self._mark = 0
        self._options = ["--real-early-media"] if early else []

    def _path(self, name):
        return os.path.join(self.home, name)

    # --- life ---

    def start(self, registered=True):
        """Runs it; with registered, waits until the switch has accepted it."""
        # It looks for a sound server, and leaves traces.
        places = {name: self.home for name in ("HOME", "TMPDIR", "XDG_RUNTIME_DIR")}
        self.program = proc.Program([*(self.inside.prefix if self.inside else []), "linphonec", "-c", self._path("linphonerc"), "-d", "6", "-l", self._path("messages"),
                                     *self._options], self._path("log"), env=places, stdin=subprocess.PIPE)
        self.command("soundcard use files")
        self.command(f"play {self._path('tone.wav')}")
        self.command(f"record {self._path('heard.wav')}")
        if registered:
            self.wait_registered()
        return self

    def wait_registered(self, timeout=15.0):
        def registered():
            if not self.program.running():
                raise proc.Failed(f"linphone of {self.user} ended at once: {self.program.text()[-500:]}")
            self.command("status register")
            return "registered, identity" in self.program.text()
        proc.wait_until(f"phone {self.user} to be registered", registered, timeout, 0.1)

    def stop(self, patience=3.0):
        """Un-registers and ends."""
        if not self.program:
            return
        try:
            self.command("quit")
        except OSError:
            pass  # it has ended already
        if self.program.wait(patience) is None:
            self.program.stop(patience)
        self.program.child.stdin.close()

    # --- control ---

    def command(self, line):
        self.program.child.stdin.write(line.encode() + b"\n")
        self.program.child.stdin.flush()

    def wait(self, pattern, timeout=15.0):
        """The next match in what it prints."""
        def found():
            return re.compile(pattern, re.M).search(self.program.text(), self._mark)
        try:
            match = proc.wait_until(pattern, found, timeout)
        except proc.Failed:
            raise proc.Failed(f"phone {self.user} waited {timeout:g} s for /{pattern}/; it printed: "
                              f"{self.program.text()[self._mark:].strip() or 'nothing'}") from None
        self._mark = match.end()
        return match

    # --- calls ---

    def dial(self, number):
        self._mark = len(self.program.text())
        self.command(f"call {number}" if number.startswith(("sip:", "sips:")) else f"call sip:{number}@{self.server}")

    def accept(self):
        self.command("answer")

    def hangup(self):
        self.command("terminate")

    def hold(self):
        """The other side hears its music then."""
        self.command(f"play {self._path('music.wav')}")
        self.command("pause")
        self.wait("is now paused")

    def resume(self):
        self.command(f"play {self._path('tone.wav')}")  # before: what plays at that moment would go on beside it
        self.command("resume")
        self.wait("Media streams established")

    def ringing(self, timeout=15.0):
        """An incoming call rings here."""
        return self.wait("Receiving new incoming call from", timeout)

    def established(self, timeout=15.0):
        return self.wait("Media streams established", timeout)

    def closed(self, timeout=15.0):
        """Its call ended; returns the reason as linphone words it ("No error" for a BYE of either side)."""
        return self.wait(r"^(?:linphonec> )?Call \d+ with .* (?:ended \((.*)\)|error)\.", timeout).group(1) or "error"

    def recordings(self):
        path = self._path("heard.wav")
        return [path] if os.path.exists(path) else []

    def log(self):
        """Its SIP messages, among much else."""
        try:
            with open(self._path("messages"), encoding="utf-8", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""
