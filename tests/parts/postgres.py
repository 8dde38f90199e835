"""A real PostgreSQL server, with passwords as on a site and without the syncs that only a power cut would miss."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path

import psycopg
from psycopg import sql

from tests.parts.process import LOOPBACK, PartError, Server, ServerProcess
from tests.parts.require import require

# The order of text is by code point, as SQLite's is: both catalogs list alike, whatever the machine's language.
INITDB_ARGUMENTS = ("--encoding=UTF8", "--locale=C")
_READY_WITHIN_S = 30


class PostgresServer(Server):
    """PostgreSQL refuses to run as root: for root it runs as `postgres` or `nobody`, in a folder of theirs outside of
    pytest's, which only root may enter.
    """

    def __init__(
        self,
        *,
        user: str = "shilu",
        password: str | None = None,
        initdb_arguments: Sequence[str] = INITDB_ARGUMENTS,
        settings: Sequence[str] = (),
    ) -> None:
        """`settings` are more of `name=value` as in postgresql.conf."""
        super().__init__()
        self._programs = require("postgres")
        self._settings = settings
        self._run_as = _server_account()
        self.user = user
        self.password = password or uuid.uuid4().hex
        self._folder = Path(tempfile.mkdtemp(prefix="shilu-postgres-"))
        if self._run_as:
            os.chown(self._folder, *self._run_as)
        self._make_cluster(initdb_arguments)

    def url(self, database: str) -> str:
        """For SQLAlchemy."""
        return f"postgresql+psycopg://{self.user}:{self.password}@{LOOPBACK}:{self.port}/{database}"

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def create_database(self, name: str | None = None) -> str:
        """An empty database; returns its name."""
        name = name or f"test_{uuid.uuid4().hex[:16]}"
        self._administer(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return name

    def drop_database(self, name: str) -> None:
        """Ends the connections that are still open to it."""
        self._administer(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _administer(self, statement: sql.Composed) -> None:
        with self._connect(autocommit=True) as connection:
            connection.execute(statement)

    def _connect(self, *, autocommit: bool = False) -> psycopg.Connection:
        return psycopg.connect(
            host=LOOPBACK,
            port=self.port,
            user=self.user,
            password=self.password,
            dbname="postgres",
            connect_timeout=2,
            autocommit=autocommit,
        )

    def _make_cluster(self, initdb_arguments: Sequence[str]) -> None:
        password_file = self._folder / "password"
        password_file.write_text(f"{self.password}\n")
        if self._run_as:
            os.chown(password_file, *self._run_as)
        made = subprocess.run(
            [
                self._programs / "initdb",
                "--auth=scram-sha-256",
                f"--username={self.user}",
                f"--pwfile={password_file}",
                "--no-sync",
                *initdb_arguments,
                self._folder / "data",
            ],
            cwd=self._folder,
            env=self._environment(),
            user=self._run_as[0] if self._run_as else None,
            group=self._run_as[1] if self._run_as else None,
            extra_groups=[] if self._run_as else None,
            capture_output=True,
            text=True,
        )
        if made.returncode != 0:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise PartError(f"initdb ended with code {made.returncode}:\n{made.stdout}{made.stderr}")

    def _start(self) -> ServerProcess:
        settings = [
            f"listen_addresses={LOOPBACK}",
            f"port={self.port}",
            "unix_socket_directories=",
            "fsync=off",
            "full_page_writes=off",
            *self._settings,
        ]
        process = ServerProcess(
            [
                self._programs / "postgres",
                *("-D", self._folder / "data"),
                *(word for setting in settings for word in ("-c", setting)),
            ],
            log=self._folder / "postgres.log",
            environment=self._environment(),
            user=self._run_as,
            stop_signal=signal.SIGINT,  # the fast shutdown: open connections do not hold it up
        )
        return process.wait_until(self._answers, within_s=_READY_WITHIN_S)

    def _answers(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _environment(self) -> dict[str, str]:
        return {"HOME": str(self._folder), "PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def _server_account() -> tuple[int, int] | None:
    """(uid, gid) for the server; none when the tests themselves do not run as root."""
    if os.geteuid() != 0:
        return None
    accounts = {entry.pw_name: (entry.pw_uid, entry.pw_gid) for entry in pwd.getpwall()}
    return accounts.get("postgres") or accounts["nobody"]
