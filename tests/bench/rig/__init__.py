"""What `make bench` measures with: CPU clocks and memory of processes, SIPp as caller and callee, and the switches."""

import os
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
SIPP = os.path.join(SOURCE, "tests", "bench", "sipp")
sys.path.insert(0, os.path.join(SOURCE, "tests", "e2e"))  # the harness: ports, processes, PostgreSQL, Tandem

from harness import ports as _ports  # noqa: E402  (needs the path above)

_leases = []


def take_ports(count):
    """So many port numbers in a row, ours until the end of this process."""
    _leases.append(_ports.lease(count))
    return _leases[-1].ports
