"""Running the migrations that a database lacks."""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from evidence_store.catalog.database import Database
from evidence_store.catalog.migrations import HEAD, VERSION_TABLE
from evidence_store.errors import CatalogError


def upgrade(database: Database) -> None:
    """Applies what is missing, in one transaction; raises CatalogError for a database of a newer program."""
    config = Config()
    config.set_main_option("script_location", "evidence_store.catalog:migrations")
    scripts = ScriptDirectory.from_config(config)
    with database.rewriting() as connection:
        # Looked at under the lock: two programs may open a new database at the same time.
        if not _is_current(connection, scripts, database.where):
            config.attributes["connection"] = connection
            command.upgrade(config, HEAD)


def _is_current(connection: Connection, scripts: ScriptDirectory, where: str) -> bool:
    version = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()
    if version is not None and version not in {script.revision for script in scripts.walk_revisions()}:
        raise CatalogError(
            f"the catalog has version {version}, which is newer than this program's {HEAD}",
            where=where,
            do="Use the newer program, or rebuild the catalog into an empty database.",
        )
    return version == HEAD
