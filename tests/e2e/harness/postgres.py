"""A scratch PostgreSQL cluster: its own directory, a Unix socket only, an unprivileged user.

When the tests run as root the server runs as `postgres`, because it refuses to run as root.
"""

import glob
import os
import pwd
import shutil

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
        self._as = []
        if os.geteuid() == 0:
            self._as = ["setpriv", f"--reuid={SERVER_USER}", f"--regid={SERVER_USER}", "--init-groups", "--"]

    def create(self):
        os.makedirs(self.directory, mode=0o700, exist_ok=True)
        if self._as:
            user = pwd.getpwnam(SERVER_USER)
            os.chown(self.directory, user.pw_uid, user.pw_gid)
        self._tool("initdb", "-D", self.data, "-U", "tandem", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
                   "--no-sync", "--no-instructions")
        # The directory is closed to others, so that whoever reaches the socket is the test. Nothing here outlives it:
        # durability is only bought where a test is about durability of our own spool.
        with open(os.path.join(self.data, "postgresql.auto.conf"), "a", encoding="ascii") as conf:
            conf.write(f"listen_addresses = ''\nunix_socket_directories = '{self.directory}'\nport = 5432\n"
                       "fsync = off\nfull_page_writes = off\nsynchronous_commit = off\nshared_buffers = 16MB\n"
                       "max_connections = 60\nlog_min_messages = warning\n")
        return self

    def _tool(self, name, *args, check=True):
        return proc.run([*self._as, os.path.join(self._bin, name), *args], timeout=60, check=check,
                        env={"LC_ALL": "C.UTF-8"})

    def start(self):
        self._tool("pg_ctl", "-D", self.data, "-s", "-w", "-l", self.log, "start")
        return self

    def stop(self, mode="fast"):
        """fast: clients are sent away; immediate: as a crash."""
        if self.running():
            self._tool("pg_ctl", "-D", self.data, "-s", "-w", "-m", mode, "stop")

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
