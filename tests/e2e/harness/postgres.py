"""A scratch PostgreSQL cluster: its own directory, a Unix socket only, an unprivileged user.

When the tests run as root the server runs as `postgres`, because it refuses to run as root.
"""

import glob
import os
import pwd
import shutil
import signal
import socket
import threading
import time

from . import proc

SERVER_USER = "postgres"


def programs():
    """Where initdb and pg_ctl are: Debian keeps them out of PATH, one directory a version."""
    found = shutil.which("initdb")
    if found:
        return os.path.dirname(os.path.realpath(found))
    places = glob.glob("/usr/lib/postgresql/*/bin/initdb")
    if not places:
        raise RuntimeError("PostgreSQL's server is not installed: apt-get install postgresql")
    return os.path.dirname(max(places, key=lambda p: float(p.split("/")[4])))


class Cluster:
    def __init__(self, directory):
        self.directory = str(directory)
        self.data = os.path.join(self.directory, "data")
        self.log = os.path.join(self.directory, "server.log")
        self._bin = programs()
        self.frozen = []
        self._as = []
        if os.geteuid() == 0:
            self._as = ["setpriv", f"--reuid={SERVER_USER}", f"--regid={SERVER_USER}", "--init-groups", "--"]

    def create(self, more=""):
        """more: further lines of its configuration."""
        self._directory()
        self._tool("initdb", "-D", self.data, "-U", "tandem", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
                   "--no-sync", "--no-instructions")
        # The directory is closed to others, so that whoever reaches the socket is the test. Nothing here outlives it:
        # durability is only bought where a test is about durability of our own spool.
        with open(self._inside("postgresql.auto.conf"), "a", encoding="ascii") as conf:
            conf.write(f"listen_addresses = ''\nunix_socket_directories = '{self.directory}'\nport = 5432\n"
                       "fsync = off\nfull_page_writes = off\nsynchronous_commit = off\nshared_buffers = 16MB\n"
                       "max_connections = 60\nlog_min_messages = warning\n" + more)
        return self

    def _inside(self, name):
        """Where we see a file of the data directory."""
        return os.path.join(self.data, name)

    def _directory(self):
        os.makedirs(self.directory, mode=0o700, exist_ok=True)
        if self._as:
            user = pwd.getpwnam(SERVER_USER)
            os.chown(self.directory, user.pw_uid, user.pw_gid)

    def follow(self, primary):
        """Makes this (not yet created) cluster a standby of a running one; start() it then."""
        self._directory()
        self._tool("pg_basebackup", "-d", primary.conninfo(), "-D", self.data, "-X", "stream", "-R", "-c", "fast")
        with open(self._inside("postgresql.auto.conf"), "a", encoding="ascii") as conf:
            conf.write(f"unix_socket_directories = '{self.directory}'\nsynchronous_standby_names = ''\n")
        return self

    def promote(self):
        self._tool("pg_ctl", "-D", self.data, "-s", "-w", "promote")

    def _tool(self, name, *args, check=True):
        return proc.run([*self._as, os.path.join(self._bin, name), *args], timeout=60, check=check,
                        env={"LC_ALL": "C.UTF-8"})

    def start(self):
        self._tool("pg_ctl", "-D", self.data, "-s", "-w", "-l", self.log, "start")
        return self

    def stop(self, mode="fast"):
        """fast: clients are sent away; immediate: as a crash."""
        self.thaw()
        if self.running():
            self._tool("pg_ctl", "-D", self.data, "-s", "-w", "-m", mode, "stop")

    # --- trouble ---

    def pids(self):
        """Its processes, the first one first."""
        with open(self._inside("postmaster.pid"), encoding="ascii") as f:
            first = int(f.readline())
        return [first, *proc.children(first)]

    def freeze(self):
        """All of it stands still: connections stay, and nothing is answered."""
        self.frozen = self.pids()
        for pid in self.frozen:
            os.kill(pid, signal.SIGSTOP)

    def thaw(self):
        for pid in self.frozen:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass
        self.frozen = []

    def running(self):
        return self._tool("pg_ctl", "-D", self.data, "status", check=False).returncode == 0

    def conninfo(self, database="postgres"):
        return f"host={self.directory} port=5432 user=tandem dbname={database}"

    def create_database(self, name):
        """A new database: its conninfo."""
        self.sql(f'CREATE DATABASE "{name}"')
        return self.conninfo(name)

    def sql(self, query, database="postgres"):
        return sql(self.conninfo(database), query)


class Tiny(Cluster):
    """A cluster on a file system of its own that can be filled up. Needs root: it is mounted in a namespace of ours."""

    def __init__(self, directory, megabytes=160):
        super().__init__(directory)
        self.megabytes, self._namespace = megabytes, None

    def create(self, more=""):
        self._namespace = proc.Program(["unshare", "--mount", "--propagation", "private", "sleep", "infinity"],
                                       self.directory + ".namespace")
        mounts = f"/proc/{self._namespace.pid}/ns/mnt"
        proc.wait_until("the namespace", lambda: os.readlink(mounts) != os.readlink("/proc/self/ns/mnt"))
        self._as = ["nsenter", "--mount", f"--target={self._namespace.pid}", "--", *self._as]
        self._directory()
        os.makedirs(self.data, exist_ok=True)
        user = pwd.getpwnam(SERVER_USER)
        proc.run([*self._as[:4], "mount", "-t", "tmpfs", "-o",
                  f"size={self.megabytes}m,uid={user.pw_uid},gid={user.pw_gid},mode=700", "tandem-tiny", self.data])
        return super().create("min_wal_size = 32MB\nmax_wal_size = 32MB\n" + more)

    def _inside(self, name):
        return f"/proc/{self._namespace.pid}/root{os.path.join(self.data, name)}"

    def fill(self):
        """Takes all the room that is left."""
        proc.run([*self._as, "dd", "if=/dev/zero", f"of={self.data}/ballast", "bs=64k"], check=False)

    def make_room(self):
        proc.run([*self._as, "rm", f"{self.data}/ballast"])

    def stop(self, mode="fast"):
        super().stop(mode)
        if mode == "immediate" and self._namespace:
            self._namespace.kill()


class Slow:
    """Stands between clients and a cluster, and holds each answer back for so many seconds."""

    def __init__(self, directory, cluster, seconds):
        self.directory, self.seconds = str(directory), seconds
        self._to = os.path.join(cluster.directory, ".s.PGSQL.5432")
        self._listen = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listen.bind(os.path.join(self.directory, ".s.PGSQL.5432"))
        self._listen.listen(50)
        threading.Thread(target=self._accept, daemon=True).start()

    def conninfo(self, database):
        return f"host={self.directory} port=5432 user=tandem dbname={database}"

    def _accept(self):
        while True:
            try:
                client = self._listen.accept()[0]
                server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                server.connect(self._to)
            except OSError:
                return
            threading.Thread(target=self._copy, args=(client, server, 0), daemon=True).start()
            threading.Thread(target=self._copy, args=(server, client, self.seconds), daemon=True).start()

    @staticmethod
    def _copy(source, target, seconds):
        try:
            while data := source.recv(65536):
                time.sleep(seconds)
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self._listen.close()


def sql(conninfo, query, timeout=15.0):
    """Rows as lists of text (NULL: ''); raises with the server's words."""
    done = proc.run(["psql", "-X", "-A", "-t", "-q", "-F", "\x1f", "-R", "\x1e", "-v", "ON_ERROR_STOP=1", "-c", query,
                     conninfo], timeout=timeout)
    text = done.stdout.rstrip("\n")
    return [row.split("\x1f") for row in text.split("\x1e")] if text else []


def records(conninfo, query):
    """Rows as dicts of Python values (through JSON, so that numbers and booleans are what they are)."""
    import json
    text = sql(conninfo, f"SELECT coalesce(json_agg(r), '[]') FROM ({query}) AS r")[0][0]
    return json.loads(text)
