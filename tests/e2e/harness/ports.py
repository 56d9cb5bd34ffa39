"""Port numbers that no other test takes.

A block of ports belongs to whoever holds an abstract Unix socket named after it: the kernel gives it back when the
process ends, however it ends, and blocks of runs side by side never meet. All blocks lie below the ephemeral range.
"""

import collections
import errno
import os
import socket
import time

FIRST, LAST, SIZE = 12000, 31990, 10
COUNT = (LAST - FIRST) // SIZE
_cursor = os.getpid() * 97  # where this process looks next: what was given back rests until the whole range went by


class Lease:
    """`ports`: numbers in a row, ours until release() or the end of the process."""

    def __init__(self, start, count, locks):
        self.ports, self._locks = list(range(start, start + count)), locks

    def release(self):
        for lock in self._locks:
            lock.close()
        self._locks = []


def _claim(start):
    lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        lock.bind(f"\0tandem-e2e-ports-{start}")
    except OSError as error:
        lock.close()
        if error.errno != errno.EADDRINUSE:
            raise
        return None
    return lock


def own_host(server):
    """The loopback address of the family that "host:port" speaks, as it stands in a URI."""
    return "[::1]" if server.startswith("[") else "127.0.0.1"


def _quiet(port):
    """Whether nobody else on this machine sits on the port, of either family."""
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET6, kind) as probe:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("::", port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                return False
    return True


def _claim_quiet(start, counts):
    """The lock of a block, or None; counts: why not, by reason."""
    lock = _claim(start)
    if not lock:
        counts["claimed by other tests"] += 1
        return None
    if not all(_quiet(port) for port in range(start, start + SIZE)):
        counts["busy with other programs"] += 1
        lock.close()
        return None
    return lock


def _row(blocks, counts):
    """(first block, locks) of so many free blocks in a row, or None."""
    first, locks, left = _cursor % COUNT, [], 2 * COUNT
    while left:
        left -= 1
        at = first + len(locks)
        lock = _claim_quiet(FIRST + at * SIZE, counts) if at < COUNT else None
        if lock:
            locks.append(lock)
            if len(locks) == blocks:
                return first, locks
            continue
        for held in locks:
            held.close()
        first, locks = (at + 1) % COUNT, []
    return None


def lease(count, patience=60.0):
    """So many ports in a row; waits for them while tests side by side hold too many."""
    global _cursor
    blocks, end = -(-count // SIZE), time.monotonic() + patience
    while True:
        counts = collections.Counter()
        found = _row(blocks, counts)
        if found:
            _cursor = found[0] + blocks
            return Lease(FIRST + found[0] * SIZE, count, found[1])
        if time.monotonic() > end:
            why = ", ".join(f"{n // 2} blocks of {SIZE} {reason}" for reason, n in counts.items())
            raise RuntimeError(f"no {count} free ports in a row between {FIRST} and {LAST}: {why}")
        time.sleep(0.5)
