"""Programs that a test starts: each in a session of its own, its output in a file, ended by its own id."""

import ctypes
import os
import signal
import subprocess
import time

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def _die_with_parent():
    # A run that is killed must not leave phones and switches behind.
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Failed(AssertionError):
    """A test's expectation that did not hold; the words say what was expected and what came."""


def wait_until(what, condition, timeout=10.0, step=0.05):
    """Returns the first true value of condition(); raises Failed naming `what` after `timeout` seconds."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise Failed(f"waited {timeout:g} s for {what}")
        time.sleep(step)


class Program:
    """A child process; `log` is the path that gets its stdout and stderr."""

    def __init__(self, argv, log, env=None, cwd=None, stdin=subprocess.DEVNULL):
        self.argv, self.log = [str(a) for a in argv], str(log)
        full = dict(os.environ, **(env or {}))
        with open(self.log, "ab") as out:
            self.child = subprocess.Popen(self.argv, stdin=stdin, stdout=out, stderr=subprocess.STDOUT, env=full,
                                          cwd=cwd, start_new_session=True, preexec_fn=_die_with_parent)

    @property
    def pid(self):
        return self.child.pid

    def running(self):
        return self.child.poll() is None

    def text(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait(self, timeout=10.0):
        """Its exit status; negative: the signal that ended it. None: still running."""
        try:
            return self.child.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def signal(self, number):
        if self.running():
            os.kill(self.child.pid, number)

    def stop(self, patience=5.0):
        """SIGTERM, then SIGKILL after `patience` seconds. Returns the exit status."""
        self.signal(signal.SIGTERM)
        status = self.wait(patience)
        if status is None:
            self.signal(signal.SIGKILL)
            status = self.wait(5.0)
        return status

    def kill(self):
        self.signal(signal.SIGKILL)
        return self.wait(5.0)


def run(argv, timeout=30.0, input=None, check=True, env=None, cwd=None):
    """Runs to the end and returns the CompletedProcess (text); with check, a failure raises with its words."""
    argv = [str(a) for a in argv]
    done = subprocess.run(argv, input=input, capture_output=True, text=True, timeout=timeout, errors="replace",
                          env=dict(os.environ, **(env or {})), cwd=cwd)
    if check and done.returncode:
        raise Failed(f"{' '.join(argv)} ended with {done.returncode}: {(done.stderr or done.stdout).strip()}")
    return done


def children(pid):
    """Ids of the running children of a process."""
    try:
        found = []
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as f:
                found += [int(c) for c in f.read().split()]
        return found
    except FileNotFoundError:
        return []
