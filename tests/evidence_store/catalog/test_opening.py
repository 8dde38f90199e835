"""Opening a catalog: what goes wrong is one line that says what to do, and never holds the password."""

import os
import re
import sqlite3
import stat
import subprocess
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from evidence_store.catalog import Catalog, CatalogUnavailableError
from evidence_store.errors import CatalogError
from tests.evidence_store.catalog.helpers import ingest
from tests.evidence_store.chains import Site, full_chain
from tests.parts.postgres import PostgresServer
from tests.parts.process import free_port

ROOT = Path(__file__).parents[3]
SECRET = "s3cret-pw"


class TestUrl:
    @pytest.mark.parametrize(
        ("url", "message"),
        [
            ("", "cannot be read"),
            ("catalog.db", "cannot be read"),
            (f"postgresql://shilu:{SECRET}@host:port/catalog", "cannot be read"),
            (f"mysql://shilu:{SECRET}@127.0.0.1/catalog", "cannot live in 'mysql'"),
            (f"postgresql+psycopg2://shilu:{SECRET}@127.0.0.1/catalog", "cannot live in 'postgresql+psycopg2'"),
            ("sqlite://", "names no file"),
            ("sqlite:///:memory:", "names no file"),
            ("sqlite:///file::memory:?uri=true", "names no file"),
            ("sqlite://catalog.db", "names no file"),
            ("postgresql://shilu@127.0.0.1", "names no database"),
            (f"postgresql://shilu:a@{SECRET}@127.0.0.1/catalog", "write @ as %40"),
            (f"postgresql://shilu:{SECRET}@/w@127.0.0.1/catalog", "write @ as %40"),
        ],
    )
    def test_wrong(self, url: str, message: str) -> None:
        assert message in str(fails(url))


class TestSqlite:
    def test_writes_a_log_ahead_and_keeps_foreign_keys(self, tmp_path: Path, site: Site) -> None:
        path = tmp_path / "catalog.db"
        with Catalog.open(f"sqlite:///{path}") as catalog:
            ingest(catalog, site, full_chain(site.recorder).records[0])
            with catalog._database.reading() as connection:
                modes = {
                    name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                    for name in ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
                }
        assert modes == {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 2, "busy_timeout": 15_000}

    def test_is_not_for_everybody_to_read(self, tmp_path: Path) -> None:
        path = tmp_path / "catalog.db"
        umask = os.umask(0o022)
        try:
            Catalog.open(f"sqlite:///{path}").close()
        finally:
            os.umask(umask)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640

    def test_reader_goes_on_while_another_writes(self, tmp_path: Path, site: Site) -> None:
        with Catalog.open(f"sqlite:///{tmp_path}/catalog.db") as catalog:
            before = catalog.digest()
            with sqlite3.connect(tmp_path / "catalog.db", isolation_level=None) as other:
                other.execute("BEGIN IMMEDIATE")
                other.execute("INSERT INTO cases VALUES ('x')")
                assert catalog.digest() == before
                other.execute("ROLLBACK")

    def test_opens_while_another_writes(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path}/catalog.db"
        Catalog.open(url).close()
        with sqlite3.connect(tmp_path / "catalog.db", isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            with Catalog.open(url) as catalog:
                assert catalog.cases().items == ()
            other.execute("ROLLBACK")

    def test_another_program_holds_the_new_file(self, tmp_path: Path) -> None:
        with sqlite3.connect(tmp_path / "catalog.db", isolation_level=None) as other:
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(CatalogUnavailableError, match="another program has been writing for too long"):
                Catalog.open(f"sqlite:///{tmp_path}/catalog.db", wait_s=0.1)

    def test_folder_is_not_there(self, tmp_path: Path) -> None:
        error = fails(f"sqlite:///{tmp_path}/no/such/catalog.db")
        assert "Check that the folder is there and that this user may write in it" in str(error)
        assert str(error).startswith(f"{tmp_path}/no/such/catalog.db: ")

    def test_path_is_a_folder(self, tmp_path: Path) -> None:
        assert "cannot be opened" in str(fails(f"sqlite:///{tmp_path}"))

    def test_file_is_something_else(self, tmp_path: Path) -> None:
        (tmp_path / "film.mp4").write_bytes(b"\x00\x00\x00\x20ftypisom" * 200)
        error = fails(f"sqlite:///{tmp_path}/film.mp4")
        assert "The file is something else" in str(error)
        assert (tmp_path / "film.mp4").read_bytes() == b"\x00\x00\x00\x20ftypisom" * 200

    def test_file_is_read_only(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path}/catalog.db"
        Catalog.open(url).close()
        error = fails(f"sqlite:///file:{tmp_path}/catalog.db?mode=ro&uri=true")
        assert "Give this user the right to write the file" in str(error)

    def test_file_that_this_user_may_only_read(self, tmp_path: Path) -> None:
        path = tmp_path / "catalog.db"
        Catalog.open(f"sqlite:///{path}").close()
        path.chmod(0o444)
        # Root may write everything, except without its capabilities.
        as_user = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"] if os.geteuid() == 0 else []
        code = "import sys; from evidence_store.catalog import Catalog; Catalog.open(sys.argv[1])"
        run = subprocess.run(
            [*as_user, sys.executable, "-c", code, f"sqlite:///{path}"], cwd=ROOT, capture_output=True, text=True
        )
        assert run.stderr.splitlines()[-1].endswith("Give this user the right to write the file, or correct the path.")


class TestPostgres:
    def test_password_may_be_given_apart(self, postgres: PostgresServer, postgres_url: str) -> None:
        bare = postgres_url.replace(f":{postgres.password}@", "@")
        with Catalog.open(bare, password=postgres.password) as catalog:
            assert catalog.cases().items == ()
            assert postgres.password not in repr(catalog)
            assert postgres.password not in repr(catalog._database)

    def test_driver_need_not_be_named(self, postgres_url: str) -> None:
        Catalog.open(postgres_url.replace("postgresql+psycopg", "postgresql")).close()

    def test_wrong_password(self, postgres_url: str) -> None:
        error = fails(postgres_url, password=SECRET)
        assert "Check user, password and name of the database" in str(error)

    def test_no_password(self, postgres: PostgresServer, postgres_url: str) -> None:
        error = fails(postgres_url.replace(f":{postgres.password}@", "@"))
        assert "asks for a password and none is set" in str(error)

    def test_unknown_database(self, postgres: PostgresServer) -> None:
        assert "nowhere" in str(fails(postgres.url("nowhere")))

    def test_nobody_listens(self) -> None:
        error = fails(f"postgresql://shilu:{SECRET}@127.0.0.1:{free_port()}/catalog")
        assert isinstance(error, CatalogUnavailableError)
        assert "Check the address and that the server runs" in str(error)

    def test_other_encoding(self, postgres: PostgresServer) -> None:
        name = postgres.create_database()
        engine = create_engine(postgres.url(name), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}_latin ENCODING 'LATIN1' TEMPLATE template0")
        try:
            assert "has encoding LATIN1" in str(fails(postgres.url(f"{name}_latin")))
        finally:
            engine.dispose()
            postgres.drop_database(f"{name}_latin")
            postgres.drop_database(name)

    def test_user_without_rights(self, postgres: PostgresServer, postgres_url: str) -> None:
        url = make_url(postgres_url)
        user = f"guest_{url.database}"
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE USER {user} PASSWORD 'guest'")
            connection.exec_driver_sql("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
            guest = url.set(username=user, password="guest").render_as_string(hide_password=False)
            assert "grant it the right to create tables" in str(fails(guest))
            connection.exec_driver_sql(f"DROP USER {user}")
        engine.dispose()

    def test_server_that_goes_away_and_comes_back(self, site: Site) -> None:
        first, second, *_ = full_chain(site.recorder).records
        with PostgresServer() as server, Catalog.open(server.url(server.create_database())) as catalog:
            ingest(catalog, site, first)
            before = catalog.digest()
            server.stop()
            with pytest.raises(CatalogUnavailableError) as caught:
                ingest(catalog, site, second)
            assert_says_no_secret(caught.value, server.password)
            server.start()
            assert catalog.digest() == before
            assert ingest(catalog, site, second).new


def test_several_open_a_new_catalog_at_once(database_url: str) -> None:
    """As when all services of a site start together."""
    together = threading.Barrier(5)

    def open_it(_: int) -> str:
        together.wait()
        with Catalog.open(database_url) as catalog:
            return catalog.digest()

    with ThreadPoolExecutor(5) as pool:
        assert len(set(pool.map(open_it, range(5)))) == 1


def test_closed_and_opened_again_it_holds_the_same(database_url: str, site: Site) -> None:
    with Catalog.open(database_url) as catalog:
        ingest(catalog, site, full_chain(site.recorder).records[0])
        before = catalog.digest()
    with Catalog.open(database_url) as catalog:
        assert catalog.digest() == before


def test_words_of_persons_stay_out_of_errors(database_url: str, site: Site) -> None:
    """A fault of the database while a record is written names the fault and not what was written."""
    with Catalog.open(database_url) as catalog:
        engine = create_engine(database_url)
        with engine.begin() as connection:
            connection.execute(text("DROP TABLE events"))
        engine.dispose()
        with pytest.raises(CatalogError) as caught:
            ingest(catalog, site, full_chain(site.recorder).records[3])
        assert "当事人" not in "".join(traceback.format_exception(caught.value))
        assert str(caught.value).isprintable()
        assert "can be rebuilt from the object store" in str(caught.value)


@pytest.mark.parametrize(
    "module",
    ["records", "strict_json", "signing", "chain", "layout", "trust", "media", "errors", "durable", "stores"],
)
def test_other_modules_do_not_load_a_database(module: str) -> None:
    code = f"import sys, evidence_store.{module}; sys.exit('sqlalchemy' in sys.modules or 'alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def fails(url: str, *, password: str | None = None) -> CatalogError:
    with pytest.raises(CatalogError) as caught:
        Catalog.open(url, password=password)
    assert_says_no_secret(caught.value, *re.findall(":([0-9a-f]{32})@", url))
    return caught.value


def assert_says_no_secret(error: CatalogError, *secrets: str) -> None:
    assert str(error).isprintable()
    told = "".join(traceback.format_exception(error))
    assert not [secret for secret in (SECRET, *secrets) if secret in told]
