"""Run by Alembic for each command: migrates the connection that `upgrade.py` passes."""

from alembic import context

from gateway.storage.schema_version import VERSION_TABLE
from gateway.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=True,  # all migrations of an upgrade, or none
)
with context.begin_transaction():
    context.run_migrations()
