"""A minimal B2BUA on NTA (tests/bench/edge_cost.c), behind the edge or on the public socket itself."""

import os
import subprocess

from harness import proc


class Server:
    helper_name = ""

    def __init__(self, build, home, how):
        self.name = {"edge": "edge + NTA", "bare": "NTA alone"}[how]
        self.child = subprocess.Popen([os.path.join(build, "tests", "bench", "edge_cost"), how], stdout=subprocess.PIPE,
                                      stdin=subprocess.DEVNULL, text=True, preexec_fn=proc._die_with_parent)
        self.server = f"127.0.0.1:{int(self.child.stdout.readline())}"
        self.account = [(name, "any") for name in ("201", "202", "203")]
        self.pids = [self.child.pid]

    def helpers(self):
        return []

    def close(self):
        self.child.terminate()
        self.child.wait()
