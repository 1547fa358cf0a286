"""A real PostgreSQL of our own for the tests' time: a throwaway cluster on a socket, thrown away at the end."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
from psycopg import sql

INSTALL = "PostgreSQL is missing: apt-get install postgresql"
PORT = 5432  # names the socket only: nothing listens on the network
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=300", "listen_addresses=",
        "shared_buffers=64MB", "autovacuum=off")


class Cluster:
    """A running PostgreSQL. Databases are copies of a template, so that each test has its own in milliseconds."""

    def __init__(self) -> None:
        programs = _programs()
        self._owner = _unprivileged() if os.geteuid() == 0 else None
        self._folder = Path(tempfile.mkdtemp(prefix="loudspeaker-pg-"))
        if self._owner:
            shutil.chown(self._folder, self._owner)
        data = self._folder / "data"
        _run([programs / "initdb", "-D", data, "-U", "loudspeaker", "-A", "trust", "-E", "UTF8", "--locale=C",
              "--no-sync", "--no-instructions"], self._owner)
        settings = [part for one in FAST for part in ("-c", one)]
        self._server = subprocess.Popen([programs / "postgres", "-D", data, "-k", self._folder, *settings],
                                        user=self._owner, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._made = 0
        self._wait()

    def url(self, name: str) -> str:
        """The SQLAlchemy URL of a database."""
        return f"postgresql+psycopg://loudspeaker@/{name}?host={self._folder}&port={PORT}"

    def create(self, template: str = "template0", name: str = "") -> str:
        """Make a database out of `template`; returns its name."""
        self._made += 1
        made = name or f"test_{self._made}"
        self._execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(made), sql.Identifier(template)))
        return made

    def drop(self, name: str) -> None:
        """Remove a database, whoever is still connected."""
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def allow(self, name: str, connections: bool) -> None:
        """Let nobody into a database any more, whoever is connected now, or let them in again."""
        self._execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format(
            sql.Identifier(name), sql.Literal(connections)))
        if not connections:
            self._execute(sql.SQL("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {}").format(
                sql.Literal(name)))

    def close(self) -> None:
        """Stop the server and remove all it wrote."""
        self._server.send_signal(signal.SIGINT)
        self._server.wait(30)
        shutil.rmtree(self._folder)

    def _wait(self) -> None:
        for _ in range(200):
            try:
                self._execute(sql.SQL("SELECT 1"))
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError("PostgreSQL did not start within 10 s")

    def _execute(self, statement: sql.SQL | sql.Composed) -> None:
        with psycopg.connect(host=str(self._folder), port=PORT, user="loudspeaker", dbname="postgres",
                             autocommit=True) as connection:
            connection.execute(statement)


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda one: float(one.parts[-3]))
    on_path = shutil.which("initdb")
    if found:
        return found[-1].parent
    assert on_path, INSTALL
    return Path(on_path).resolve().parent


def _unprivileged() -> str:
    """PostgreSQL refuses to run as root."""
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _run(command: list[str | Path], user: str | None) -> None:
    done = subprocess.run(command, user=user, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
