"""What `make bench` measures with: CPU clocks and memory of processes, SIPp as caller and callee, and the switches."""

import os
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
SIPP = os.path.join(SOURCE, "tests", "bench", "sipp")
sys.path.insert(0, os.path.join(SOURCE, "tests", "e2e"))  # the harness: ports, processes, PostgreSQL, Tandem
