"""The connection to the database: its kinds of transaction, and its errors in words for a person.

SQLite: write-ahead log, so that readers go on while one writes; writers wait for each other at the start of a
transaction, where waiting cannot fail half-way. PostgreSQL: writers share a lock that a migration or rebuild has alone.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from evidence_store.errors import CatalogError

DEFAULT_WAIT_S = 15.0
_CONNECT_S = 10
_PG_LOCK = 0x5348_494C_5543_4154  # any number that other programs in the same database are unlikely to use
_DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "postgresql+psycopg": "postgresql+psycopg"}
_GIVE_URL = "Give sqlite:///path/to/catalog.db or postgresql://user@host/database."


class CatalogUnavailableError(CatalogError):
    """The database is busy or cannot be reached now; the same call may succeed later."""


class Database:
    """An engine and the transactions on it. Every error of the database leaves as CatalogError."""

    def __init__(self, url: str, *, password: str | None, wait_s: float) -> None:
        """`wait_s` is how long a writer waits for others."""
        parsed = _parse(url)
        self._wait_ms = max(1, round(wait_s * 1000))
        self.kind = parsed.get_backend_name()
        self.where = _name(parsed)
        if self.kind == "postgresql" and password is not None:
            parsed = parsed.set(password=password)
        if self.kind == "sqlite" and "uri" not in parsed.query:
            _make_private(Path(str(parsed.database)))
        # Parameters are names and words of persons: they do not belong into the text of an error.
        self._engine = create_engine(
            parsed,
            hide_parameters=True,
            pool_pre_ping=self.kind == "postgresql",
            connect_args=self._connect_args(parsed),
        )
        if self.kind == "sqlite":
            event.listen(self._engine, "connect", _set_up_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)

    def __repr__(self) -> str:
        return f"Database({self.where!r})"

    def prepare(self) -> None:
        """Proves that the database can be reached and written; raises CatalogError."""
        try:
            if self.kind == "sqlite":
                self._prepare_sqlite()
            else:
                self._check_encoding()
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise self._opening_error(error) from error

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One unchanging view of the database, however many statements read it."""
        with self._transaction(isolation_level="REPEATABLE READ", postgresql_readonly=True) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Committed at the end of the block, undone when the block raises."""
        with self._transaction(sqlite_begin="BEGIN IMMEDIATE") as connection:
            if self.kind == "postgresql":
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {self._wait_ms}")
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock_shared({_PG_LOCK})")
            yield connection

    @contextmanager
    def rewriting(self) -> Iterator[Connection]:
        """As `writing`, with no other writer beside it; may take long. Readers see the old state until the end."""
        with self._transaction(sqlite_begin="BEGIN IMMEDIATE") as connection:
            if self.kind == "postgresql":
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {self._wait_ms}")
                connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
                connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_PG_LOCK})")
            yield connection

    @contextmanager
    def _transaction(self, **options: Any) -> Iterator[Connection]:
        if self.kind == "sqlite":
            options.pop("isolation_level", None)  # a transaction in SQLite always has one unchanging view
        try:
            with self._engine.connect() as connection, connection.execution_options(**options).begin():
                yield connection
        except SQLAlchemyError as error:
            raise self._error(error) from error

    def _error(self, error: SQLAlchemyError) -> CatalogError:
        cause = _driver_error(error)
        if _is_busy(cause):
            return self._busy()
        if isinstance(cause, psycopg.errors.InsufficientPrivilege):
            return CatalogError(
                f"the database refused ({_reason(error)})",
                where=self.where,
                do="Let this user own the database, or grant it the right to create tables there.",
            )
        lost = isinstance(error, DBAPIError) and error.connection_invalidated
        if lost or isinstance(cause, psycopg.OperationalError | PoolTimeoutError):
            return CatalogUnavailableError(
                f"the database cannot be used now ({_reason(error)})",
                where=self.where,
                do="Check the database server, then try again.",
            )
        return CatalogError(
            f"the database refused ({_reason(error)})",
            where=self.where,
            do="Check the database; the catalog can be rebuilt from the object store.",
        )

    def _opening_error(self, error: SQLAlchemyError | sqlite3.Error) -> CatalogError:
        cause = _driver_error(error)
        reason = _reason(error)
        if _is_busy(cause):
            return self._busy()
        if self.kind == "sqlite":
            name = getattr(cause, "sqlite_errorname", "")
            do = _SQLITE_ADVICE.get(name.split("_")[1] if "_" in name else "", "Check the file and the disk.")
            return CatalogError(f"the catalog cannot be opened ({reason})", where=self.where, do=do)
        connection = cause.pgconn if isinstance(cause, psycopg.Error) else None
        if connection is not None and connection.needs_password:
            return CatalogError("the database asks for a password and none is set", where=self.where, do="Set it.")
        if connection is not None and connection.used_password:
            return CatalogError(
                f"the database refuses ({reason})",
                where=self.where,
                do="Check user, password and name of the database.",
            )
        return CatalogUnavailableError(
            f"the database cannot be reached ({reason})",
            where=self.where,
            do="Check the address and that the server runs.",
        )

    def _busy(self) -> CatalogError:
        return CatalogUnavailableError(
            "another program has been writing for too long",
            where=self.where,
            do="Try again when the rebuild or update that is running has ended.",
        )

    def _connect_args(self, url: URL) -> dict[str, Any]:
        if self.kind == "sqlite":
            return {"timeout": self._wait_ms / 1000}
        return {} if "connect_timeout" in url.query else {"connect_timeout": _CONNECT_S}

    def _prepare_sqlite(self) -> None:
        """The driver itself is used: neither step is allowed, or proves anything, inside of a transaction."""
        connection = self._engine.raw_connection()
        try:
            cursor = connection.cursor()
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute("PRAGMA busy_timeout = 0")
            try:
                cursor.execute("PRAGMA user_version = 0")  # changes nothing, but needs the right to write
            except sqlite3.OperationalError as error:
                if not _is_busy(error):  # busy: somebody is writing, so it can be written
                    raise
            finally:
                cursor.execute(f"PRAGMA busy_timeout = {self._wait_ms}")
        finally:
            connection.close()

    def _check_encoding(self) -> None:
        with self._engine.connect() as connection:
            encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
        if encoding != "UTF8":
            raise CatalogError(
                f"the database has encoding {encoding}",
                where=self.where,
                do="Make one with CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0.",
            )


_SQLITE_ADVICE = {
    "CANTOPEN": "Check that the folder is there and that this user may write in it.",
    "READONLY": "Give this user the right to write the file, or correct the path.",
    "NOTADB": "The file is something else: correct the path.",
    "CORRUPT": "Move the file away and rebuild the catalog from the object store.",
    "FULL": "Free space on this disk.",
}


def _parse(url: str) -> URL:
    """The URL; raises CatalogError, which never repeats what may hold a password."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise CatalogError("the catalog's URL cannot be read", do=_GIVE_URL) from None
    driver = _DRIVERS.get(parsed.drivername)
    if driver is None:
        raise CatalogError(f"a catalog cannot live in {parsed.drivername[:40]!r}", do=_GIVE_URL)
    if driver == "sqlite" and (not parsed.database or ":memory:" in parsed.database or parsed.host):
        raise CatalogError("the catalog's URL names no file", do=_GIVE_URL)
    if driver != "sqlite" and not parsed.database:
        raise CatalogError("the catalog's URL names no database", do=_GIVE_URL)
    if driver != "sqlite" and "@" in f"{parsed.host}{parsed.database}":
        # A password with such characters is cut in two, and its end would be shown as part of the host or database.
        raise CatalogError("the catalog's URL is ambiguous", do="In a password write @ as %40, / as %2F and : as %3A.")
    return parsed.set(drivername=driver)


def _name(url: URL) -> str:
    """The database as errors and logs name it: without user, password and options."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return URL.create("postgresql", host=url.host, port=url.port, database=url.database).render_as_string()


def _make_private(path: Path) -> None:
    """SQLite would make a file that everybody on the machine may read; its side files take over the rights."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640))
    except OSError:
        return  # SQLite says more about it when it opens the file


def _set_up_sqlite(connection: sqlite3.Connection, _: object) -> None:
    # Transactions begin where `_begin_sqlite` says and not at the first change, as the driver would have it.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")  # what a recorder was told is taken stays taken after a power cut


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))


def _is_busy(cause: BaseException | None) -> bool:
    if isinstance(cause, sqlite3.Error):
        return (getattr(cause, "sqlite_errorcode", 0) or 0) & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
    return isinstance(cause, psycopg.errors.LockNotAvailable | psycopg.errors.DeadlockDetected)


def _driver_error(error: Exception) -> BaseException | None:
    return error.orig if isinstance(error, DBAPIError) else error


def _reason(error: Exception) -> str:
    """The driver's own words, on one line, without the values that PostgreSQL adds as details."""
    cause = _driver_error(error)
    text = isinstance(cause, psycopg.Error) and cause.diag.message_primary
    return " ".join((text or str(cause)).split())[:300].rstrip(".")
