"""Tells a database that is unavailable from a mistake of the gateway."""

import sqlite3

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

_SQLITE_CODES = {
    sqlite3.SQLITE_BUSY: "it is locked by another process",
    sqlite3.SQLITE_LOCKED: "it is locked by another process",
    sqlite3.SQLITE_READONLY: "it cannot be written: the file or its folder is read-only",
    sqlite3.SQLITE_IOERR: "it cannot be read or written: the disk reports an error",
    sqlite3.SQLITE_CORRUPT: "the file is damaged",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened",
    sqlite3.SQLITE_NOTADB: "the file is not a SQLite database",
}
_PRIMARY_CODE = 0xFF

_READ_ONLY = "25006"

# Classes and codes of https://www.postgresql.org/docs/current/errcodes-appendix.html
_SQLSTATES = {
    "08": "the connection is lost",
    _READ_ONLY: "it is read-only, as a standby is",
    "28": "it refuses the user or the password",
    "3D": "there is no such database",
    "40": "it rolled the transaction back, as it conflicts with another one",
    "42501": "its user may not do this",
    "53": "it has too few resources",
    "55P03": "a lock is held by another transaction",
    "57": "it is starting, stopping, or stopped the statement for its timeout",
    "58": "its system reports an error",
    "XX": "its files are damaged",
}


def explain_unavailability(error: Exception, *, is_writing: bool) -> str | None:
    """Return why the database is unavailable; None if the error is a mistake of the gateway.

    A change in a transaction that only reads is such a mistake.

    The text of the library is left out: it may quote the address, the user or a value.
    """
    if isinstance(error, PoolTimeout):
        return "all connections are in use"
    if isinstance(error, OSError):
        return f"the file cannot be opened: {error.strerror}"
    if not isinstance(error, DBAPIError):
        return None
    if isinstance(error.orig, sqlite3.Error):
        return _explain_sqlite(error.orig, is_writing=is_writing)
    return _explain_postgresql(error, is_writing=is_writing)


def _explain_sqlite(error: sqlite3.Error, *, is_writing: bool) -> str | None:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY_CODE
    is_mistake = code == sqlite3.SQLITE_READONLY and not is_writing
    return None if is_mistake else _SQLITE_CODES.get(code)


def _explain_postgresql(error: DBAPIError, *, is_writing: bool) -> str | None:
    state = getattr(error.orig, "sqlstate", None)
    if state is None:
        # libpq reports neither a refused connection nor a lost one with a code.
        is_lost = error.connection_invalidated or type(error.orig).__name__ == "OperationalError"
        return "it cannot be reached" if is_lost else None
    if state == _READ_ONLY and not is_writing:
        return None
    return _SQLSTATES.get(state) or _SQLSTATES.get(state[:2])
