"""An internet of a test's own: network namespaces for the switch, for routers that translate addresses as real ones do, for
the phones behind them and for whoever has no business there. Nothing of it is seen outside, and it ends with its processes.

It needs root, `ip` (iproute2) and `iptables-legacy` (iptables).
"""

import contextlib
import ctypes
import os
import socket
import threading
import time

from . import proc

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET) < 0:
        raise OSError(ctypes.get_errno(), "setns")


class Place:
    """A network namespace: a host, or a router. `prefix` runs a program in it."""

    def __init__(self, name, log):
        if os.geteuid() != 0:
            raise proc.Failed("network namespaces need root: run this test as root")
        self.name, self.address, self._peers = name, None, 0
        self.holder = proc.Program(["unshare", "-n", "sleep", "infinity"], log)
        own = os.readlink("/proc/self/ns/net")
        def apart():
            if not self.holder.running():
                raise proc.Failed(f"no network namespace can be made: {self.holder.text()}")
            try:
                with open(f"/proc/{self.holder.pid}/comm", encoding="ascii") as f:
                    return f.read() == "sleep\n" and os.readlink(f"/proc/{self.holder.pid}/ns/net") != own
            except FileNotFoundError:
                return False
        proc.wait_until(f"the network namespace {name}", apart, 10, 0.01)
        self.prefix = ["nsenter", "-t", self.holder.pid, "-n", "--"]
        self.run("ip", "link", "set", "lo", "up")

    def run(self, *argv):
        return proc.run([*self.prefix, *argv])

    @contextlib.contextmanager
    def inside(self):
        """What this thread opens meanwhile belongs to the place."""
        with open(f"/proc/{threading.get_native_id()}/ns/net", "rb") as before, \
                open(f"/proc/{self.holder.pid}/ns/net", "rb") as here:
            _setns(here.fileno())
            try:
                yield
            finally:
                _setns(before.fileno())

    def wire(self, other, own_name, other_name):
        """A cable between two places."""
        self.run("ip", "link", "add", own_name, "type", "veth", "peer", "name", other_name, "netns", str(other.holder.pid))
        self.run("ip", "link", "set", own_name, "up")
        other.run("ip", "link", "set", other_name, "up")

    def lose(self, every, sizes="150:250"):
        """From now on one of `every` UDP packets of these sizes (bytes with headers; 20 ms of G.711 have 200) does not leave
        this place; 1: none does; 0: all do again."""
        self.run("iptables-legacy", "-F", "OUTPUT")
        if every:
            self.run("iptables-legacy", "-A", "OUTPUT", "-p", "udp", "-m", "length", "--length", sizes,
                     *(["-m", "statistic", "--mode", "nth", "--every", every, "--packet", 0] if every > 1 else []),
                     "-j", "DROP")

    def lose_text(self, text):
        """From now on no UDP packet with this text comes in; "": all do again. Returns how many did not till now."""
        counted = self.run("iptables-legacy", "-nvxL", "INPUT").stdout
        self.run("iptables-legacy", "-F", "INPUT")
        if text:
            self.run("iptables-legacy", "-A", "INPUT", "-p", "udp", "-m", "string", "--algo", "bm", "--string", text,
                     "-j", "DROP")
        return sum(int(line.split()[0]) for line in counted.splitlines() if " DROP " in line)

    def set(self, key, value):
        """A sysctl of this place."""
        self.run("sysctl", "-q", "-w", f"{key}={value}")

    def end(self):
        self.holder.kill()


class Internet:
    """The network 203.0.113.0/24, on which everybody reaches everybody."""

    def __init__(self, home):
        self.home, self._places, self._number = home, [], 0
        self.street = self._place("street")
        self.street.run("ip", "link", "add", "street", "type", "bridge")
        self.street.run("ip", "link", "set", "street", "up")

    def _place(self, name):
        place = Place(name, os.path.join(self.home, f"{name}.log"))
        self._places.append(place)
        return place

    def _on_street(self, place, address):
        self._number += 1
        port = f"port{self._number}"
        place.wire(self.street, "wan", port)
        self.street.run("ip", "link", "set", port, "master", "street")
        place.run("ip", "address", "add", f"{address}/24", "dev", "wan")
        place.address = address

    def host(self, name, address):
        """A machine with a public address."""
        place = self._place(name)
        self._on_street(place, address)
        return place

    def router(self, name, address, lan="192.168.1", symmetric=False, forgets_s=None):
        """A router with this public address, and its own network behind it. symmetric: another public port for each
        destination, drawn by lot; else it keeps the port of the phone where it can. forgets_s: what nothing uses for so
        long, it forgets."""
        router = self.host(name, address)
        router.lan = lan
        router.run("ip", "link", "add", "lan", "type", "bridge")
        router.run("ip", "link", "set", "lan", "up")
        router.run("ip", "address", "add", f"{lan}.1/24", "dev", "lan")
        router.set("net.ipv4.ip_forward", 1)
        router.run("iptables-legacy", "-t", "nat", "-A", "POSTROUTING", "-o", "wan", "-j", "MASQUERADE",
                   *(["--random-fully"] if symmetric else []))
        # What nobody inside has asked for does not come in.
        router.run("iptables-legacy", "-A", "FORWARD", "-m", "conntrack", "--ctstate", "ESTABLISHED,RELATED,DNAT",
                   "-j", "ACCEPT")
        router.run("iptables-legacy", "-A", "FORWARD", "-i", "lan", "-j", "ACCEPT")
        router.run("iptables-legacy", "-P", "FORWARD", "DROP")
        if forgets_s:
            for kind in ("", "_stream"):
                router.set(f"net.netfilter.nf_conntrack_udp_timeout{kind}", forgets_s)
        return router

    def behind(self, router, name, last=20):
        """A machine in the network of this router."""
        place = self._place(name)
        self._number += 1
        port = f"port{self._number}"
        place.wire(router, "eth0", port)
        router.run("ip", "link", "set", port, "master", "lan")
        place.address = f"{router.lan}.{last}"
        place.run("ip", "address", "add", f"{place.address}/24", "dev", "eth0")
        place.run("ip", "route", "add", "default", "via", f"{router.lan}.1")
        return place

    def forward(self, router, place, ports):
        """These UDP ports of the router's public address lead to a machine behind it."""
        router.run("iptables-legacy", "-t", "nat", "-A", "PREROUTING", "-d", router.address, "-p", "udp", "--dport", ports,
                   "-j", "DNAT", "--to-destination", place.address)

    def end(self):
        for place in reversed(self._places):
            place.end()


class StunServer:
    """Answers Binding requests with what it sees (RFC 8489), or with `says` (host, port)."""

    def __init__(self, place, port=3478):
        with place.inside():
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.bind((place.address, port))
        self.says, self.asked = None, 0
        self.socket.settimeout(0.2)
        self._going = True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while self._going:
            try:
                data, peer = self.socket.recvfrom(1500)
            except socket.timeout:
                continue
            if len(data) < 20 or data[:2] != b"\0\1" or data[4:8] != b"\x21\x12\xa4\x42":
                continue
            self.asked += 1
            host, port = self.says or peer
            mask = data[4:8]
            value = b"\0\1" + (port ^ 0x2112).to_bytes(2, "big") + bytes(a ^ b for a, b in zip(socket.inet_aton(host), mask))
            self.socket.sendto(b"\1\1\0\x0c" + data[4:20] + b"\0\x20\0\x08" + value, peer)

    def end(self):
        self._going = False
        self._thread.join()
        self.socket.close()


class Sprayer:
    """Sends RTP of a tone to many ports from a place that nobody has named, and counts what it gets."""

    def __init__(self, place, target, ports, payload):
        """ports: of the target; payload: 20 ms of G.711, each packet."""
        with place.inside():
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.bind((place.address, 0))
        self.socket.setblocking(False)
        self.target, self.ports, self.payload = target, list(ports), payload
        self.sent = self.got = 0
        self._going = True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        sequence = 0
        while self._going:
            head = b"\x80\0" + (sequence & 0xFFFF).to_bytes(2, "big") + (sequence * 160 & 0xFFFFFFFF).to_bytes(4, "big") + b"evil"
            for port in self.ports:
                try:
                    self.socket.sendto(head + self.payload, (self.target, port))
                    self.sent += 1
                except OSError:
                    pass
            sequence += 1
            self.hear()
            time.sleep(0.02)

    def hear(self):
        try:
            while self.socket.recvfrom(2048):
                self.got += 1
        except OSError:  # nothing more, or a port that is closed
            pass

    def end(self):
        self._going = False
        self._thread.join()
        self.hear()
        self.socket.close()
