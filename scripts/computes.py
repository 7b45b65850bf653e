"""Imported by scripts/compute-regression and scripts/compute-torture; never run. A throw-away Postgres, a server that follows it, with
three safekeepers, and a branch with a compute; everything below one directory, which is removed at the end."""

import json
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, "build/release")
STRATA = os.environ.get("STRATA_BIN", os.path.join(BUILD, "strata"))
COMPARE = os.path.join(BUILD, "tests/compute_proof/compare_directories")
PG_BIN = os.environ.get("STRATA_PG_BIN", "/usr/lib/postgresql/15/bin")


class Failed(Exception):
    """What went wrong, for people."""


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def with_database(uri, database):
    """A URI of the database postgres, for another one."""
    return re.sub(r"/postgres(\?|$)", rf"/{database}\1", uri)


def wait_until(what, happened, seconds=60):
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            raise Failed(f"after {seconds} s it is not so that {what}")
        time.sleep(0.02)


def runs(pid):
    """Whether a process is there and not a zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Servers:
    """`with Servers(pages="fuse") as servers:`"""

    def __init__(self, pages, config=(), home=None, keep=False, extra_source=()):
        self.home = tempfile.mkdtemp(prefix="strata-proof-", dir=home or os.environ.get("TMPDIR", "/tmp"))
        os.chmod(self.home, 0o755)  # Postgres runs as another user when we are root
        self.dir = os.path.join(self.home, "server")
        self.pages, self.config, self.keep = pages, list(config), keep
        self.identity = {}
        if os.getuid() == 0:
            user = pwd.getpwnam("postgres")
            self.identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        self.port = free_port()
        self.uri = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self.data = os.path.join(self.home, "source", "data")
        self.source_settings = ["wal_level=replica", "listen_addresses=127.0.0.1", "unix_socket_directories=''", "fsync=off", *extra_source]

    def __enter__(self):
        try:
            self.start_source()
            self.strata("up", "--pg-bin", PG_BIN, "--safekeepers", "3", "--detach")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.strata("down", "--computes", check=False)
        if os.path.exists(os.path.join(self.data, "postmaster.pid")):
            self.tool("pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop", **self.identity)
        if self.keep:
            print(f"kept: {self.home}")
        else:
            shutil.rmtree(self.home, ignore_errors=True)

    # -- programs

    def tool(self, name, *arguments, check=True, **more):
        """A program of Postgres; returns its output."""
        program = name if name.startswith("/") else os.path.join(PG_BIN, name)
        more = {"cwd": "/", "stderr": subprocess.STDOUT, **more}
        # To a file: a server that pg_ctl has started keeps a pipe open.
        with tempfile.TemporaryFile("w+", dir=self.home) as out:
            ran = subprocess.run([program, *arguments], stdin=subprocess.DEVNULL, stdout=out, check=False, **more)
            out.seek(0)
            text = out.read()
        if check and ran.returncode != 0:
            raise Failed(f"{name} {' '.join(arguments)} failed with {ran.returncode}:\n{text[-4000:]}")
        return text

    def strata(self, *arguments, check=True, seconds=300):
        ran = subprocess.run([STRATA, *arguments, "--dir", self.dir], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                             timeout=seconds, check=False)
        if check and ran.returncode != 0:
            raise Failed(f"strata {' '.join(arguments)} failed with {ran.returncode}:\n{ran.stderr}")
        return ran.stdout

    def sql(self, uri, *statements):
        """One value, or nothing; each statement by itself."""
        words = [word for each in statements for word in ("-c", each)]
        return self.tool("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", *words, uri).strip()

    # -- the source, and the branch

    def start_source(self):
        os.mkdir(os.path.join(self.home, "source"))
        if self.identity:
            os.chown(os.path.join(self.home, "source"), self.identity["user"], self.identity["group"])
        self.tool("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale", "C", "--no-sync", **self.identity)
        settings = " ".join(f"-c {each}" for each in self.source_settings)
        self.tool("pg_ctl", "-D", self.data, "-l", os.path.join(self.home, "source", "log"), "-w", "start", "-o",
                  f"-p {self.port} {settings}", **self.identity)

    def make_branch(self, name="dev"):
        self.strata("source", "add", "shop", "--conninfo", self.uri)
        self.strata("branch", "create", name)

    def start_compute(self, branch="dev", *more):
        words = [word for line in self.config for word in ("--set", line)]
        return json.loads(self.strata("compute", "start", branch, "--pages", self.pages, "--json", *words, *more))

    def computes(self):
        return json.loads(self.strata("compute", "list", "--json"))

    def compute(self, name="dev"):
        for each in self.computes():
            if each["name"] == name:
                return each
        raise Failed(f"there is no compute {name}")

    # -- the proof

    def settle(self, uri):
        """Nothing writes any more, and every page is in its file: the LSN of that moment."""
        self.sql(uri, "ALTER SYSTEM SET autovacuum = off", "SELECT pg_reload_conf()")
        working = "SELECT count(*) FROM pg_stat_activity WHERE backend_type IN ('autovacuum worker', 'client backend') AND pid <> pg_backend_pid()"
        wait_until("nothing works in the compute", lambda: self.sql(uri, working) == "0")
        self.sql(uri, "CHECKPOINT")
        return self.sql(uri, "SELECT pg_current_wal_insert_lsn()")

    def compare_with_copy(self, compute, copied_through_wal=()):
        """What the program says, and whether everything is equal."""
        lsn = self.settle(compute["uri"])
        copy = os.path.join(self.home, "copy")
        os.mkdir(copy)
        archive = os.path.join(self.home, "copy.tar")
        self.strata("export", f"{compute['branch']}@{lsn}", "-o", archive)
        subprocess.run(["tar", "-xf", archive, "-C", copy], check=True)
        os.unlink(archive)
        ran = subprocess.run([COMPARE, compute["data_directory"], copy, *copied_through_wal], capture_output=True, text=True, check=False)
        shutil.rmtree(copy)
        return ran.returncode == 0, f"at {lsn}: {(ran.stdout + ran.stderr).strip()}"

    def amcheck(self, uri):
        """Every table and index of every database."""
        for database in self.sql(uri, "SELECT datname FROM pg_database WHERE datallowconn").split():
            self.sql(with_database(uri, database), "CREATE EXTENSION IF NOT EXISTS amcheck")
        return self.tool("pg_amcheck", "--all", "--heapallindexed", "--parent-check", "--maintenance-db", uri)


def explain(program, failure):
    sys.exit(f"{program}: {failure}")
