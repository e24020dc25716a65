"""Opens the database for a subcommand; its failures become errors of the command line."""

from collections.abc import Iterator
from contextlib import contextmanager

from gateway.errors.tree import DatabaseUnavailable
from gateway.settings.errors import ConfigError, InvalidSettings
from gateway.settings.schema import Settings
from gateway.startup_error import StartupError
from gateway.storage.database import Database
from gateway.storage.open_storage import (
    create_database,
    describe_unavailability,
    get_file,
    upgrade_file,
)
from gateway.storage.schema_version import SchemaState, read_schema_version
from gateway.storage.upgrade import UnknownSchema


class DatabaseFailed(StartupError):
    """The database cannot be used; the message says why, without its URL."""

    def __init__(self, message: str) -> None:
        super().__init__(f"database_url: {message}")


@contextmanager
def open_database(
    settings: Settings,
    *,
    timeout: float | None = None,
    of_any_schema: bool = False,
    creates_file: bool = False,
) -> Iterator[Database]:
    """Open the database of the settings. `timeout` is for commands that may take long.

    A SQLite file is upgraded, as at the start of the gateway; if there is none, it is created for a
    command that `creates_file`.

    Raises:
        InvalidSettings: `database_url` is not set.
        DatabaseFailed: the database does not respond, or has a schema of another version, unless it
            may be `of_any_schema`.
    """
    if settings.database_url is None:
        raise InvalidSettings(
            [ConfigError("database_url", "must be set", "sqlite:///lockgate.db, or postgresql://")]
        )
    file = get_file(settings)
    if file is not None and not creates_file and not file.exists():
        raise DatabaseFailed(
            f"the database {file} does not exist yet: `lockgate serve` creates it, and so does "
            "`lockgate db upgrade`"
        )
    database = create_database(settings, timeout=timeout)
    try:
        if not of_any_schema:
            _prepare_schema(settings, database)
        yield database
    except DatabaseUnavailable as error:
        raise DatabaseFailed(describe_unavailability(settings, error)) from error
    except UnknownSchema as error:
        raise DatabaseFailed(str(error)) from error
    finally:
        database.close()


def _prepare_schema(settings: Settings, database: Database) -> None:
    version = database.read_now(read_schema_version)
    if version.state is SchemaState.CURRENT:
        return
    if get_file(settings) is None:
        raise DatabaseFailed(str(version))
    upgrade_file(settings)
