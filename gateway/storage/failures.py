"""Tells a database that is unavailable from a mistake of the gateway."""

import re
import sqlite3
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
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
# These codes concern one transaction; with any other one, the file cannot be used at all.
_SQLITE_TRANSACTION_CODES = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_FULL,
}

NO_FOLDER = "its folder does not exist"

_POSTGRESQL_PORT = 5432

_OTHER_SCHEMA = "it lacks a table or a column: its schema is another one"

_READ_ONLY = "25006"

# Classes and codes of https://www.postgresql.org/docs/current/errcodes-appendix.html
_SQLSTATES = {
    "08": "the connection is lost",
    "25P": "it ended the transaction, which was idle for too long",
    _READ_ONLY: "it is read-only, as a standby is",
    "28": "it refuses the user or the password",
    "3D": "there is no such database",
    "40": "it rolled the transaction back, as it conflicts with another one",
    "42501": "its user may not do this",
    "42703": _OTHER_SCHEMA,
    "42P01": _OTHER_SCHEMA,
    "53": "it has too few resources",
    "55P03": "a lock is held by another transaction",
    "57": "it is starting, stopping, or stopped the statement for its timeout",
    "58": "its system reports an error",
    "XX": "its files are damaged",
}
# After these, the connection is lost. After any other one, other transactions may succeed.
_CONNECTION_STATES = ("08", "28", "3D", "53300", "57P", "58", "XX")

# libpq has no code for what ends a connect, so its text is matched, and never quoted: it may have
# the user. A server may translate its part of the text; it is then described as unreachable.
_REFUSED_USER = "the server at {address} refuses the user or the password"
_UNRESOLVED = "the host of {address} cannot be resolved"
_CONNECT_FAILURES = (
    (r'FATAL: +database ".*" does not exist', "the server at {address} has no such database"),
    (r'FATAL: +(?:\w+ authentication failed|role ".*" does not exist)', _REFUSED_USER),
    (r"no password supplied|no pg_hba\.conf entry", _REFUSED_USER),
    (
        r"FATAL: +(?:the database system is|terminating connection)",
        "the server at {address} is starting or stopping",
    ),
    (
        r"FATAL: +(?:sorry, too many clients|too many connections|remaining connection slots)",
        "the server at {address} has too many connections",
    ),
    (r"(?i)\bSSL\b|certificate", "TLS with the server at {address} fails"),
    (r"Connection refused", "no server listens at {address}"),
    (r"(?i)name or service not known|name resolution|nodename nor servname", _UNRESOLVED),
    (r"(?i)could not translate host name|failed to resolve|no address associated", _UNRESOLVED),
    (r"(?i)timeout|timed out|does not respond", "the server at {address} does not respond"),
)


class Unavailability(NamedTuple):
    """Why a transaction could not be run. `is_general` if others would fail as well."""

    explanation: str
    is_general: bool


def explain_unavailability(
    error: Exception, url: URL, *, is_writing: bool
) -> Unavailability | None:
    """Return why the database of a URL is unavailable; None if the gateway made a mistake.

    A change in a transaction that only reads is such a mistake.

    The text of the library is left out: it may quote the user or a value.
    """
    if isinstance(error, PoolTimeout):
        return Unavailability("all connections are in use", is_general=False)
    if isinstance(error, OSError):
        return Unavailability(_explain_file(error), is_general=True)
    if not isinstance(error, DBAPIError):
        return None
    if isinstance(error.orig, sqlite3.Error):
        return _explain_sqlite(error.orig, is_writing=is_writing)
    return _explain_postgresql(error, url, is_writing=is_writing)


def _explain_file(error: OSError) -> str:
    if error.filename and not Path(error.filename).parent.is_dir():
        return NO_FOLDER
    return f"the file cannot be opened: {error.strerror}"


def _explain_sqlite(error: sqlite3.Error, *, is_writing: bool) -> Unavailability | None:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY_CODE
    if code == sqlite3.SQLITE_READONLY and not is_writing:
        return None
    if code == sqlite3.SQLITE_ERROR and str(error).startswith(("no such table", "no such column")):
        return Unavailability(_OTHER_SCHEMA, is_general=False)
    if code not in _SQLITE_CODES:
        return None
    return Unavailability(_SQLITE_CODES[code], code not in _SQLITE_TRANSACTION_CODES)


def _explain_postgresql(error: DBAPIError, url: URL, *, is_writing: bool) -> Unavailability | None:
    state = getattr(error.orig, "sqlstate", None)
    # SQLAlchemy maps the subclasses of the driver, such as ConnectionTimeout, to these two.
    is_operational = isinstance(error, (OperationalError, InterfaceError))
    if state is None:
        is_lost = error.connection_invalidated or is_operational
        return Unavailability(_explain_lost(error, url), is_general=True) if is_lost else None
    if state == _READ_ONLY and not is_writing:
        return None
    found = (_SQLSTATES[key] for key in (state, state[:3], state[:2]) if key in _SQLSTATES)
    explanation = next(found, f"it reports the error {state}" if is_operational else None)
    if explanation is None:
        return None
    return Unavailability(explanation, state.startswith(_CONNECTION_STATES))


def _explain_lost(error: DBAPIError, url: URL) -> str:
    """Say why there is no connection: libpq reports neither its loss nor a refusal with a code."""
    text = str(error.orig)
    address = _format_address(url)
    for pattern, explanation in _CONNECT_FAILURES:
        if re.search(pattern, text):
            return explanation.format(address=address)
    return f"the server at {address} cannot be reached"


def _format_address(url: URL) -> str:
    """Return HOST:PORT of a URL; hosts in its query are several, each maybe with its port."""
    hosts = url.query.get("host")
    if hosts:
        return hosts if isinstance(hosts, str) else ", ".join(hosts)
    host = url.host or "localhost"
    return f"{f'[{host}]' if ':' in host else host}:{url.port or _POSTGRESQL_PORT}"
