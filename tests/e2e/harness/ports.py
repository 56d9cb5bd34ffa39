"""Port numbers that no other test takes.

A block of ports belongs to whoever holds an abstract Unix socket named after it: the kernel gives it back when the
process ends, however it ends, and blocks of runs side by side never meet. All blocks lie below the ephemeral range.
"""

import errno
import os
import socket

FIRST, LAST, SIZE = 12000, 31900, 50
_held = []


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


def _quiet(port):
    """Whether nobody else on this machine sits on the port."""
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                return False
    return True


def block(count=SIZE):
    """A range of `count` ports in a row that are ours until this process ends."""
    blocks = -(-count // SIZE)
    starts = range(FIRST, LAST - blocks * SIZE, SIZE)
    offset = (os.getpid() * 7) % len(starts)
    for i in range(len(starts)):
        start = starts[(offset + i) % len(starts)]
        locks = []
        for b in range(blocks):
            lock = _claim(start + b * SIZE)
            if lock is None:
                break
            locks.append(lock)
        ports = range(start, start + blocks * SIZE)
        if len(locks) == blocks and all(_quiet(p) for p in ports):
            _held.extend(locks)
            return ports[:count]
        for lock in locks:
            lock.close()
    raise RuntimeError("no free block of ports left: are old tests still running?")


class Pool:
    """Ports one at a time, from blocks that are claimed as needed."""

    def __init__(self):
        self._free = iter(())

    def take(self):
        for port in self._free:
            return port
        self._free = iter(block())
        return next(self._free)
