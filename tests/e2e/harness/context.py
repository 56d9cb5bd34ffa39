"""What a scenario is given: a Tandem, accounts, phones and endpoints, all of which end with it."""

import contextlib
import itertools
import os
import secrets
import shutil
import tempfile

from . import linphone, net, phone, ports, postgres, proc, sip, tandem


class World:
    """One a worker process: a PostgreSQL cluster that all its Tandems share, and one Tandem that most scenarios share."""

    def __init__(self, build, source, keep):
        self.build, self.source, self.keep = build, source, keep
        # Short, because Unix socket paths are; open to pass through, because PostgreSQL runs as another user under root.
        self.home = tempfile.mkdtemp(prefix="tandem-e2e-")
        os.chmod(self.home, 0o711)
        with open(os.path.join(build, "config.h"), encoding="ascii") as config:
            # Sanitizers keep freed memory: what a process holds then says nothing.
            self.sanitized = "#define TANDEM_SANITIZED 1" in config.read()
        self._serial = itertools.count(1)
        self.cluster = None
        self._shared = self._lease = None
        self._account = itertools.count(0)

    def directory(self, name):
        path = os.path.join(self.home, f"{name}{next(self._serial)}")
        os.mkdir(path, 0o711)
        return path

    def database(self):
        """A new migrated database: its conninfo."""
        if self.cluster is None:
            self.cluster = postgres.Cluster(os.path.join(self.home, "pg")).create().start()
        conninfo = self.cluster.create_database(f"t{next(self._serial)}")
        proc.run([os.path.join(self.build, "core", "tandem"), "db", "migrate", "--database", conninfo, "--dir",
                  os.path.join(self.source, "db", "migrations")])
        return conninfo

    def new_tandem(self, port_numbers, database=None, **options):
        return tandem.Tandem(self.directory("t"), self.build, self.source, port_numbers,
                             database or self.database(), dialplan=options.pop("dialplan", None) or self.dialplan(),
                             **options)

    def dialplan(self):
        """The shipped dialplan, and beside it what tests need to dial."""
        path = os.path.join(self.home, "dialplan")
        if not os.path.exists(path):
            shutil.copytree(os.path.join(self.source, "dialplan"), path)
            with open(os.path.join(path, "init.lua"), "a", encoding="utf-8") as init:
                with open(os.path.join(self.source, "tests", "e2e", "dialplan.lua"), encoding="utf-8") as more:
                    init.write("\n" + more.read())
        return path

    def shared(self):
        if self._shared is None:
            self._lease = ports.lease(300)
            self._shared = self.new_tandem(self._lease.ports)
            self._shared.start()
        return self._shared

    def spoil(self):
        """After a failure the next scenario gets a fresh Tandem."""
        if self._shared:
            self._shared.discard()
            self._shared = None

    def account_name(self):
        """A name that no other scenario of this worker uses."""
        return str(201 + next(self._account))

    def close(self):
        """Ends everything; returns the words of what was not clean about the shared Tandem's end, or None."""
        words = None
        try:
            if self._shared:
                self._shared.stop()
                bad = self._shared.unexpected()
                if bad:
                    words = "the log has: " + "\n".join(bad[:5])
                elif self._shared.media_pid():
                    words = "tandem-media outlived an orderly end"
        except proc.Failed as failure:
            words = str(failure)
        finally:
            self.spoil()
            if self.cluster:
                self.cluster.stop("immediate")
        if not self.keep and words is None:
            shutil.rmtree(self.home, ignore_errors=True)
        return words


class Context:
    """`t` of a scenario."""

    def __init__(self, world, name):
        self.world, self.name = world, name
        self._phones, self._endpoints, self._tandems, self._clusters, self._programs = [], [], [], [], []
        self._tandem, self._log_mark = None, 0
        self._leases = []
        self._internet = None

    @property
    def tandem(self):
        """The Tandem of this scenario: the shared one, unless own_tandem() was called before."""
        if self._tandem is None:
            self._tandem = self.world.shared()
            self._log_mark = len(self._tandem.log())
        return self._tandem

    def ports(self, count):
        """So many ports in a row, as a list; given back at the end of the scenario."""
        self._leases.append(ports.lease(count))
        return self._leases[-1].ports

    def own_tandem(self, media_ports=100, crowd=False, **options):
        """A Tandem of its own, not yet started. crowd: for very many calls; its audio is at a loopback address that nobody else
        has, with tens of thousands of ports."""
        if crowd:
            first, second = self.ports(2)
            options = {"media_address": f"127.1.{first >> 8}.{first & 255}", "log": "info",
                       "switch": "source_rate = 0\n", **options}
            numbers = [first, second, 10000, 59999]
        else:
            numbers = self.ports(4 + media_ports)
        self._tandem = self.world.new_tandem(numbers, **options)
        self._tandems.append(self._tandem)
        return self._tandem

    def own_cluster(self, kind=postgres.Cluster, create=True, more=""):
        cluster = kind(self.world.directory("pg"))
        self._clusters.append(cluster)
        return cluster.create(more) if create else cluster

    def directory(self, name):
        return self.world.directory(name)

    def account(self, name=None, secret=None):
        """A new account: (name, secret)."""
        name = name or self.world.account_name()
        secret = secret or secrets.token_urlsafe(24)
        self.tandem.cli("account", "add", name, "--name", f"Test {name}", "--secret-stdin", input=secret + "\n")
        return name, secret

    def phone(self, account=None, registered=True, kind="baresip", family=4, server=None, **options):
        """A registered telephone with an account (default: a new one). kind: baresip or linphone; family: 4 or 6."""
        name, secret = account or self.account()
        inside = options.get("inside")
        make = linphone.Linphone if kind == "linphone" else phone.Phone
        secure = options.get("transport") == "tls"
        servers = {4: self.tandem.secure if secure else self.tandem.server,
                   6: self.tandem.secure6 if secure else self.tandem.server6}
        p = make(self.world.directory(f"phone{name}-"), list(range(5060, 5090)) if inside else self.ports(10),
                 server or servers[family], name, secret, **options)
        self._phones.append(p)
        return p.start(registered=registered)

    def pair(self, **callee):
        """Two registered phones with tones of their own: caller 440 Hz, callee 880 Hz."""
        return self.phone(tone=440), self.phone(tone=880, **callee)

    def internet(self):
        """An internet of this scenario's own (net.py)."""
        self._internet = net.Internet(self.world.directory("net"))
        return self._internet

    def endpoint(self, account=None, server=None, inside=None, **options):
        """A hand-driven SIP endpoint with an account (default: a new one), not registered. inside: a Place of net.py."""
        name, secret = account or self.account()
        if inside:
            options["host"] = inside.address
        with inside.inside() if inside else contextlib.nullcontext():
            e = sip.Endpoint(server or self.tandem.server, name, secret, **options)
        self._endpoints.append(e)
        return e

    def program(self, argv, log):
        p = proc.Program(argv, log)
        self._programs.append(p)
        return p

    def call_record(self, caller, timeout=15.0, index=0):
        """The CDR row of this account's calls, newest first."""
        query = f"SELECT * FROM record.call WHERE from_account = '{caller}' AND cause IS NOT NULL ORDER BY started_at DESC"
        def rows():
            found = self.tandem.records(query)
            return found if len(found) > index else None
        return proc.wait_until(f"the call record of {caller}", rows, timeout, 0.2)[index]

    def leg_records(self, call, count=2):
        """The rows of so many legs of this call, in the order in which they began: the caller's first."""
        def rows():
            found = self.tandem.records(f"SELECT * FROM record.leg WHERE call_id = '{call['id']}' ORDER BY id")
            return found if len(found) == count else None
        return proc.wait_until(f"{count} records of legs", rows, 15, 0.2)

    def finish(self, failed):
        """Ends what the scenario started. Returns words when something that it leaves behind is wrong."""
        for p in self._phones:
            try:
                p.stop(2.0)
            except OSError:
                pass
        for e in self._endpoints:
            e.close()
        for p in self._programs:
            p.stop(2.0)
        words = None
        try:
            if not failed and self._tandem:
                bad = self._tandem.unexpected(self._log_mark)
                if bad:
                    words = "the log of tandemd has: " + "\n".join(bad[:5])
                for own in self._tandems:
                    own.stop()
        except proc.Failed as failure:
            words = str(failure)
        finally:
            for own in self._tandems:
                own.discard()
            for cluster in self._clusters:
                cluster.stop("immediate")
            for lease in self._leases:
                lease.release()
            if self._internet:
                self._internet.end()
        return words
