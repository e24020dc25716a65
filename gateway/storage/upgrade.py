"""Brings the schema of a database to that of this version of Lockgate."""

from alembic import command
from sqlalchemy import Connection

from gateway.storage.locks import lock_schema
from gateway.storage.schema_version import (
    SchemaState,
    SchemaVersion,
    create_alembic_config,
    read_schema_version,
)


class UnknownSchema(Exception):
    """The schema is of a later version of Lockgate; the message says how to go on."""


def upgrade_schema(connection: Connection) -> SchemaVersion:
    """Run the migrations that the database lacks, and return what its schema was before.

    Another process that upgrades it at the same time is waited for.

    Raises:
        UnknownSchema: the schema is of a later version of Lockgate.
    """
    lock_schema(connection)
    found = read_schema_version(connection)
    if found.state is SchemaState.UNKNOWN:
        raise UnknownSchema(str(found))
    if found.state is not SchemaState.CURRENT:
        config = create_alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return found
