"""Everything that is said by UDP on an interface, for whoever wants to know what a stranger on the wire can read. Needs root."""

import socket
import threading

from . import proc



class Wiretap:
    """Keeps (source port, destination port, payload) of each datagram until end()."""

    def __init__(self, interface="lo"):
        try:
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))  # ETH_P_ALL
        except PermissionError:
            raise proc.Failed("listening on the wire needs root: run this test as root") from None
        self._socket.bind((interface, 0))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self._socket.settimeout(0.2)
        self.datagrams = []
        self._going = True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while self._going:
            try:
                packet, where = self._socket.recvfrom(65536)
            except socket.timeout:
                continue
            if where[2] == socket.PACKET_OUTGOING or len(packet) < 28 or packet[0] >> 4 != 4 or packet[9] != 17:
                continue
            udp = packet[(packet[0] & 15) * 4:]
            self.datagrams.append((int.from_bytes(udp[0:2], "big"), int.from_bytes(udp[2:4], "big"), udp[8:]))

    def end(self):
        self._going = False
        self._thread.join()
        self._socket.close()

    def audio(self, ports=None):
        """The datagrams that look like RTP; ports: only from or to one of these."""
        return [payload for source, to, payload in list(self.datagrams)
                if len(payload) >= 60 and payload[0] >> 6 == 2 and not 192 <= payload[1] <= 223
                and (ports is None or source in ports or to in ports)]

    def heard(self, samples, ports=None, part=24):
        """How many of those have a part of these bytes in them, wherever it begins."""
        parts = {bytes(samples[i:i + part]) for i in range(len(samples) - part)}
        return sum(any(payload[i:i + part] in parts for i in range(12, min(len(payload) - part, 100)))
                   for payload in self.audio(ports))
