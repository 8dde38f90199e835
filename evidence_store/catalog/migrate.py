"""Brings a database to the tables of this program."""

from sqlalchemy import Connection, column, inspect, select, table

from evidence_store.catalog.database import Database
from evidence_store.catalog.migrations import HEAD, VERSION_TABLE


def migrate(database: Database) -> None:
    """Applies what is missing, in one transaction; raises CatalogError for a database of a newer program."""
    with database.reading() as connection:
        if _version(connection) == HEAD:
            return
    # The migration tool is large, and needed once in the life of a database.
    from evidence_store.catalog.upgrade import upgrade

    upgrade(database)


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    version: str | None = connection.scalar(select(column("version_num")).select_from(table(VERSION_TABLE)))
    return version
