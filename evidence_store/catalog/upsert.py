"""The one kind of statement that the two databases have in common but SQLAlchemy keeps apart."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from evidence_store.catalog.models import Base


def upsert(
    connection: Connection, model: type[Base], rows: Iterable[dict[str, Any]], *, update: Sequence[str] = ()
) -> None:
    """Inserts the rows in the order of their keys; where a key is taken, sets the columns of `update`."""
    table = Base.metadata.tables[model.__tablename__]
    keys = [column.name for column in table.primary_key]
    ordered = sorted(rows, key=lambda row: [row[key] for key in keys])
    if not ordered:
        return
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(table)
    if update:
        statement = statement.on_conflict_do_update(
            index_elements=keys, set_={column: statement.excluded[column] for column in update}
        )
    else:
        statement = statement.on_conflict_do_nothing(index_elements=keys)
    connection.execute(statement, ordered)
