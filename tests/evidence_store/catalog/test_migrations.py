"""The tables that the migrations make are those that the models describe, and no newer ones are taken for them."""

from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect, text

from evidence_store.catalog import Catalog
from evidence_store.catalog.migrations import HEAD, VERSION_TABLE
from evidence_store.catalog.models import Base
from evidence_store.errors import CatalogError
from tests.evidence_store.catalog.helpers import ingest
from tests.evidence_store.chains import Site, full_chain


@pytest.fixture
def migrated(database_url: str) -> Iterator[Connection]:
    """A connection of its own to a database that a catalog was opened in."""
    Catalog.open(database_url).close()
    engine = create_engine(database_url)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def test_models_and_migrations_agree(migrated: Connection) -> None:
    context = MigrationContext.configure(
        migrated, opts={"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": True}
    )
    assert compare_metadata(context, Base.metadata) == []


def test_constraints_have_the_names_that_the_models_give(migrated: Connection) -> None:
    """So that a later migration can name them."""
    found = inspect(migrated)
    for table in Base.metadata.sorted_tables:
        named = {constraint.name for constraint in table.constraints} | {index.name for index in table.indexes}
        made = [
            found.get_pk_constraint(table.name),
            *found.get_foreign_keys(table.name),
            *found.get_indexes(table.name),
        ]
        assert {each["name"] for each in made} == named


def test_text_is_compared_by_its_bytes_whatever_the_language_of_the_database(postgres_url: str) -> None:
    Catalog.open(postgres_url).close()
    engine = create_engine(postgres_url)
    with engine.connect() as connection:
        other = connection.execute(
            text(
                "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
                " AND data_type IN ('character varying', 'text') AND collation_name IS DISTINCT FROM 'C'"
            )
        ).all()
    engine.dispose()
    assert [row for row in other if row.table_name != VERSION_TABLE] == []


def test_one_line_of_versions() -> None:
    """Two migrations that follow the same one would leave it open which tables a program expects."""
    config = Config()
    config.set_main_option("script_location", "evidence_store.catalog:migrations")
    scripts = ScriptDirectory.from_config(config)
    assert len(scripts.get_heads()) == 1
    assert len(scripts.get_bases()) == 1


def test_newer_database_is_refused_and_left_alone(database_url: str, site: Site) -> None:
    with Catalog.open(database_url) as catalog:
        ingest(catalog, site, full_chain(site.recorder).records[0])
        before = catalog.digest()
        set_version(database_url, "9999")
        with pytest.raises(CatalogError, match="version 9999, which is newer than this program's") as caught:
            Catalog.open(database_url)
        assert str(caught.value).isprintable()
        assert catalog.digest() == before


def test_another_programs_tables_are_left_alone(database_url: str) -> None:
    """Its version table too: that has the name which Alembic gives by default."""
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('of another program')"))
    Catalog.open(database_url).close()
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "of another program"
    engine.dispose()


def test_a_migration_that_fails_changes_nothing(database_url: str) -> None:
    """All of it or nothing, in SQLite as well: here the last table's name is taken."""
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE copies (x INTEGER)"))
    with pytest.raises(CatalogError):
        Catalog.open(database_url)
    with engine.connect() as connection:
        assert inspect(connection).get_table_names() == ["copies"]
    engine.dispose()


def set_version(url: str, version: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = :version"), {"version": version})  # noqa: S608
    engine.dispose()


def test_the_version_that_is_taken_for_the_newest_is_the_newest() -> None:
    config = Config()
    config.set_main_option("script_location", "evidence_store.catalog:migrations")
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD
