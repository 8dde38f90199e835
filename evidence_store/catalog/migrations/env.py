"""What Alembic runs: on the connection and in the transaction that `migrate` gives it."""

from alembic import context

from evidence_store.catalog.migrations import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE, render_as_batch=True)
context.run_migrations()
