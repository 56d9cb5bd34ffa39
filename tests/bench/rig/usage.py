"""What a process has used: CPU to the nanosecond, and memory."""

import os
import re
import time


def cpu(pids):
    """Seconds of CPU (user and system, all threads) that these processes have used so far."""
    return sum(time.clock_gettime((~pid << 3) | 2) for pid in pids)  # clock_getcpuclockid(3), process clock


def first_thread(pid):
    """Seconds of CPU of the main thread of this process: of tandemd, the signalling thread."""
    with open(f"/proc/{pid}/task/{pid}/schedstat", encoding="ascii") as f:
        return int(f.read().split()[0]) / 1e9


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return [int(c) for c in f.read().split()]


def _rollup(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        return dict(re.findall(r"^(\w+):\s+(\d+) kB", f.read(), re.M))


def memory(pids):
    """{"pss", "rss", "own"} in KiB: shared pages by their share, in full, and only those that nobody shares."""
    rolls = [_rollup(pid) for pid in pids]
    return {"pss": sum(int(r["Pss"]) for r in rolls), "rss": sum(int(r["Rss"]) for r in rolls),
            "own": sum(int(r["Private_Clean"]) + int(r["Private_Dirty"]) for r in rolls)}


def load():
    """How busy the machine is with others: the one-minute load."""
    return os.getloadavg()[0]
