"""One hash over everything in the catalog: equal for equal contents, whatever kind of database holds them.

Tables in the order of names, rows in the order of keys, each a line of JSON. Holds one batch of rows at a time.
"""

import hashlib
import json

from sqlalchemy import Connection, select

from evidence_store.catalog.models import Base

_ROWS_AT_A_TIME = 1000


def digest(connection: Connection) -> str:
    """SHA-256 in lower-case hex."""
    found = hashlib.sha256()
    for table in sorted(Base.metadata.tables.values(), key=lambda table: table.name):
        found.update(_line([table.name, *(column.name for column in table.columns)]))
        query = select(table).order_by(*table.primary_key).execution_options(yield_per=_ROWS_AT_A_TIME)
        for row in connection.execute(query):
            found.update(_line(list(row)))
    return found.hexdigest()


def _line(values: list[object]) -> bytes:
    return json.dumps(values, separators=(",", ":")).encode() + b"\n"
