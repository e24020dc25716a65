"""Compares the schema of a database with the migrations of this version of Lockgate."""

from enum import Enum
from functools import cache
from logging import WARNING, getLogger
from typing import NamedTuple

from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

VERSION_TABLE = "schema_version"

getLogger("alembic").setLevel(WARNING)  # it logs each check of the schema, and each migration


class SchemaState(Enum):
    """How the schema of a database compares with the migrations."""

    EMPTY = "empty"
    OLD = "old"
    CURRENT = "current"
    UNKNOWN = "unknown"


class SchemaVersion(NamedTuple):
    """The revision of a database, None if it is empty, and that of this version of Lockgate."""

    revision: str | None
    newest: str

    @property
    def state(self) -> SchemaState:
        """How the two compare."""
        if self.revision is None:
            return SchemaState.EMPTY
        if self.revision == self.newest:
            return SchemaState.CURRENT
        return SchemaState.OLD if self.revision in list_revisions() else SchemaState.UNKNOWN

    def __str__(self) -> str:
        """Describe the schema, and how to go on."""
        if self.state is SchemaState.CURRENT:
            return f"the schema is current: {self.revision}"
        if self.state is SchemaState.UNKNOWN:
            return (
                f"the schema is {self.revision}, which this version of Lockgate does not know: its "
                f"newest is {self.newest}; install the version that made it, or a later one"
            )
        found = "has no schema" if self.revision is None else f"has the schema {self.revision}"
        return f"the database {found}, and {self.newest} is needed: run lockgate db upgrade"


def read_schema_version(connection: Connection) -> SchemaVersion:
    """Read the revision of a database."""
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    revisions = list_revisions()
    return SchemaVersion(context.get_current_revision(), revisions[-1])


def create_alembic_config() -> Config:
    """Return the configuration of Alembic: the migrations that the package has."""
    config = Config()
    config.set_main_option("script_location", "gateway.storage:migrations")
    config.set_main_option("path_separator", "os")
    return config


@cache
def list_revisions() -> tuple[str, ...]:
    """Return the revisions, the oldest first."""
    scripts = ScriptDirectory.from_config(create_alembic_config())
    return tuple(reversed([script.revision for script in scripts.walk_revisions()]))
