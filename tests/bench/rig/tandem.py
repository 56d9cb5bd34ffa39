"""Tandem under load: the programs of the build tree with a PostgreSQL of their own, as shipped but for their ports
and for the watch over silent phones."""

import os
import secrets

from harness import postgres, proc
from harness.tandem import Tandem as Program

from . import SOURCE, take_ports, usage

MEDIA = (33000, 59999)  # a port pair rests for seconds after use: 150 calls a second keep thousands busy


class Tandem:
    """Runs from construction to close(). account: (caller, callee, registering), each (name, secret). switch: more lines of its
    configuration."""

    name = "Tandem"
    helper_name = "PostgreSQL"
    budgets = {"call": 0.6, "memory": 40, "packet": 3, "G722": 10, "srtp": 5, "music": 1.3, "idle": 25, "crowd": 1.2, "failed": 0, "recorder": 10}

    def __init__(self, build, home, accounts=3, media_address="127.0.0.1", **options):
        os.chmod(home, 0o711)  # PostgreSQL's user must pass through
        self.cluster = postgres.Cluster(os.path.join(home, "pg")).create().start()
        self.program = None
        try:
            database = self.cluster.create_database("bench")
            self.program = Program(os.path.join(home, "t"), build, SOURCE, [*take_ports(2), *MEDIA], database, log="info",
                                   ipv6=False, media_address=media_address, **options)
            self.program.migrate()
            # One account makes all the calls. SIPp's phones send no audio and answer nothing in a call: they would be taken for dead.
            for key in ("silence_event", "silence_hangup", "keepalive", "account_rate"):
                self.program.sql(f"SELECT tandem.set_setting('{key}', '0')")
            self.account = [(name, secrets.token_hex(12)) for name in ("201", "202", "203")]
            for name, secret in self.account:
                self.program.sql(f"SELECT tandem.add_account('{name}', 'Bench', '{secret}')")
            for first in range(4, accounts + 1, 1000):  # in pieces: on a busy machine a thousand take seconds
                self.program.sql("SELECT tandem.add_account((1000 + i)::text, 'Person ' || i) FROM "
                                 f"generate_series({first}, {min(first + 999, accounts)}) i")
            self.program.start()
            self.server = self.program.server
            proc.wait_until("the accounts to be read", lambda: len(self.program.json("accounts")["accounts"]) == accounts, 30)
            proc.wait_until("the media process", self.program.media_pid, 10)
        except BaseException:
            self.close()
            raise
        self.pids = [self.program.program.pid, self.program.media_pid()]

    def helpers(self):
        """What works for it beside the measured processes: PostgreSQL's sessions."""
        with open(os.path.join(self.cluster.data, "postmaster.pid"), encoding="ascii") as f:
            return usage.children(int(f.readline()))

    def budget(self, what):
        return self.budgets.get(what)

    def check(self):
        """Words about what it logged and should not have."""
        return self.program.unexpected()

    def close(self):
        if self.program:
            self.program.discard()
        self.cluster.stop("immediate")
