"""baresip as a headless telephone: it plays a tone instead of a microphone and records what it hears.

Driven over its TCP control socket (netstring-framed JSON). Its events are kept in order and read like a story: each wait
looks at what came after the event that the last wait found.

It has no player on purpose: that of ALSA's null device spins and takes a whole CPU. Version 1.0 records nothing any more once
a call was on hold, although it hears: whoever is asked what it heard after a hold must be a linphone.
"""

import contextlib
import glob
import json
import os
import re
import socket
import threading
import time

from . import audio, ear, ports as port_numbers, proc

CONFIG = """\
poll_method             epoll
sip_listen              {host}:{sip}
call_local_timeout      120
call_max_calls          4
audio_source            aufile,{home}/tone.wav
ausrc_srate             8000
auplay_srate            8000
ausrc_channels          1
auplay_channels         1
audio_txmode            poll
audio_level             no
rtcp_mux                no
rtp_ports               {rtp_first}-{rtp_last}
jitter_buffer_delay     1-20
rtp_stats               yes
net_interface           {interface}
module_path             /usr/lib/baresip/modules
module                  g711.so
module                  g722.so
module                  opus.so
module                  aufile.so
module                  sndfile.so
module_tmp              uuid.so
module_tmp              account.so
module_app              menu.so
module_app              ctrl_tcp.so
module_app              contact.so
ctrl_tcp_listen         127.0.0.1:{control}
snd_path                {home}/rec
"""


class Phone(ear.Ear):
    """One baresip with one account. Nothing happens before start()."""

    def __init__(self, home, ports, server, user, secret, tone=440, answer="manual", expires=60, codecs="pcmu",
                 transport="udp", inside=None, certificate=None, encryption=None, speaks=10.0, types=""):
        """ports: eight or more of its own, as a list; server: "host:port" of the switch, whose family it speaks; answer:
        "auto" or "manual"; expires: seconds of the registration; codecs: comma-separated; transport: udp, tcp or tls;
        certificate: its own, to be shown when the switch asks for it; encryption: of its audio, "srtp" (RTP/AVP with keys),
         "srtp-mand" (RTP/SAVP), "srtp-mandf" (RTP/SAVPF), or with keys by DTLS, "dtls_srtp" (UDP/TLS/RTP/SAVPF); speaks:
         seconds of its tone, behind which it hangs up; types: keys that it types as tones, some seconds after its call began."""
        self.home, self.user, self.tone, self.server = str(home), user, tone, server
        self.inside = inside  # a Place of net.py; None: where the test is
        self.sip, self.control = ports[0], ports[2]  # baresip takes the port after its SIP port for TLS
        host = inside.address if inside else port_numbers.own_host(server)
        self.address = f"{host}:{self.sip}"
        self.ipv6 = host.startswith("[")
        os.makedirs(os.path.join(self.home, "rec"), exist_ok=True)
        audio.write_tone(os.path.join(self.home, "tone.wav"), tone, speaks, keys=types)
        rtp_first = ports[3] + ports[3] % 2
        self.rtp_ports = range(rtp_first, ports[-1] + 1)
        self._write("config", CONFIG.format(host=host, interface=host.strip("[]"), home=self.home, sip=self.sip,
                                            control=self.control, rtp_first=rtp_first, rtp_last=ports[-1]))
        if certificate:
            with open(certificate.file, encoding="ascii") as own, open(certificate.key, encoding="ascii") as key:
                self._write("own.pem", own.read() + key.read())
            with open(os.path.join(self.home, "config"), "a", encoding="ascii") as f:
                f.write(f"sip_certificate {self.home}/own.pem\n")
        account = f"<sip:{user}@{server};transport={transport}>;auth_user={user};auth_pass={secret};answermode={answer}"
        account += f";audio_codecs={codecs};regint={expires}"
        if encryption:
            with open(os.path.join(self.home, "config"), "a", encoding="ascii") as f:
                f.write("module dtls_srtp.so\n" if encryption.startswith("dtls") else "module srtp.so\n")
            account += f";mediaenc={encryption}"
        self._write("accounts", account + "\n")
        self._write("contacts", "")
        self.program = None
        self._events, self._fresh = [], threading.Condition()
        self._socket = None
        self._mark = 0

    def _write(self, name, text):
        path = os.path.join(self.home, name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as f:
            f.write(text)

    # --- life ---

    def start(self, registered=True):
        """Runs it; with registered, waits until the switch has accepted it."""
        self.program = proc.Program([*(self.inside.prefix if self.inside else []), "baresip", "-6" if self.ipv6 else "-4", "-f", self.home, "-v", "-s"],
                                    os.path.join(self.home, "log"), env={"HOME": self.home})
        def connect():
            if not self.program.running():
                raise proc.Failed(f"baresip of {self.user} ended at once: {self.program.text()[-500:]}")
            try:
                with self.inside.inside() if self.inside else contextlib.nullcontext():
                    return socket.create_connection(("127.0.0.1", self.control), timeout=1)
            except OSError:
                return None
        self._socket = proc.wait_until(f"baresip of {self.user} to open its control socket", connect, 15)
        self._socket.settimeout(None)
        threading.Thread(target=self._read, daemon=True).start()
        if registered:
            self.wait_registered()
        return self

    def wait_registered(self, timeout=15.0):
        # Its first REGISTER may be over before its control socket is there: the log has it all.
        proc.wait_until(f"phone {self.user} to be registered", lambda: re.search(r"200 OK .*binding", self.log()), timeout)

    def stop(self, patience=3.0):
        """Un-registers and ends."""
        if self.program:
            self.program.stop(patience)
        if self._socket:
            self._socket.close()
            self._socket = None

    def kill(self):
        """Gone without a word, as when its battery is empty."""
        self.program.kill()

    # --- control ---

    def _read(self):
        buffer = b""
        try:
            while True:
                chunk = self._socket.recv(65536)
                if not chunk:
                    return
                buffer += chunk
                while b":" in buffer:
                    length, _, rest = buffer.partition(b":")
                    if len(rest) < int(length) + 1:
                        break
                    message, buffer = rest[:int(length)], rest[int(length) + 1:]
                    with self._fresh:
                        self._events.append(json.loads(message.decode("utf-8", "replace")))
                        self._fresh.notify_all()
        except (OSError, ValueError, AttributeError):
            return

    def command(self, name, params="", mark=True):
        """Sends a command; later waits look at what came after it. Returns the text of the answer."""
        if mark:
            self._mark = len(self._events)
        token = f"{time.monotonic_ns()}"
        body = json.dumps({"command": name, "params": params, "token": token}).encode()
        self._socket.sendall(b"%d:%s," % (len(body), body))
        answer = self._find(lambda e: e.get("response") and e.get("token") == token, 0, 5.0)
        if answer is None:
            raise proc.Failed(f"baresip of {self.user} did not answer the command {name}")
        return answer[1].get("data", "")

    def mark(self):
        """Later waits look at what comes from here on."""
        self._mark = len(self._events)

    def _find(self, match, since, timeout):
        """(place, event) of the first match from `since` on; None after the timeout."""
        end = time.monotonic() + timeout
        with self._fresh:
            while True:
                for place in range(since, len(self._events)):
                    if match(self._events[place]):
                        return place, self._events[place]
                left = end - time.monotonic()
                if left <= 0:
                    return None
                self._fresh.wait(left)

    def seen(self, *types):
        """The first event of these types after the last one that was waited for, or None; does not wait."""
        found = self._find(lambda e: e.get("event") and e.get("type") in types, self._mark, 0)
        return found and found[1]

    def events(self, *types):
        """All events of these types so far."""
        with self._fresh:
            return [e for e in self._events if e.get("event") and e.get("type") in types]

    def wait(self, *types, timeout=15.0):
        """The next event of these types: each wait looks only at what came after the event that the last one found."""
        found = self._find(lambda e: e.get("event") and e.get("type") in types, self._mark, timeout)
        if found is None:
            got = ", ".join(e.get("type", "?") for e in self._events[self._mark:] if e.get("event")) or "nothing"
            raise proc.Failed(f"phone {self.user} waited {timeout:g} s for {' or '.join(types)}; it saw: {got}")
        self._mark = found[0] + 1
        return found[1]

    # --- calls ---

    def dial(self, number):
        uri = number if number.startswith(("sip:", "sips:")) else f"sip:{number}@{self.server}"
        self.command("dial", uri)

    def accept(self):
        self.command("accept", mark=False)

    def hangup(self):
        self.command("hangup", mark=False)

    def hold(self):
        self.command("hold", mark=False)

    def resume(self):
        self.command("resume", mark=False)

    def ringing(self, timeout=15.0):
        """An incoming call rings here."""
        return self.wait("CALL_INCOMING", timeout=timeout)

    def established(self, timeout=15.0):
        return self.wait("CALL_ESTABLISHED", timeout=timeout)

    def closed(self, timeout=15.0):
        """Its call ended; returns the reason as baresip words it ("486 Busy Here", "Connection reset by peer" for a BYE)."""
        return self.wait("CALL_CLOSED", timeout=timeout).get("param", "")

    def recordings(self):
        return sorted(glob.glob(os.path.join(self.home, "rec", "dump-*-dec.wav")), key=os.path.getmtime)

    def log(self):
        """Everything it printed, its SIP messages among it."""
        return self.program.text() if self.program else ""
