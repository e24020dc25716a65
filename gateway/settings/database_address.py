"""Checks the form of `database_url`. No message quotes the URL, which may have a password."""

from urllib.parse import parse_qsl, urlsplit

from gateway.settings.host_names import is_host_name

SQLITE = "sqlite"
POSTGRESQL = "postgresql"

_EXAMPLES = "sqlite:///lockgate.db or postgresql://USER:PASSWORD@HOST:5432/DATABASE"
_QUERY_PARAMETERS = ("host", "sslcert", "sslkey", "sslmode", "sslrootcert", "target_session_attrs")


def check_database_url(value: object) -> object:
    """Check the URL of a SQLite file or of a PostgreSQL database.

    Raises:
        ValueError: it is neither.
    """
    if not isinstance(value, str):
        return value
    if not value:
        raise ValueError(f"must not be empty; it is a URL such as {_EXAMPLES}")
    if any(char.isspace() or not char.isprintable() for char in value):
        raise ValueError("must be a URL without white space and control characters")
    scheme, separator, rest = value.partition("://")
    if not separator:
        raise ValueError(f"must be a URL such as {_EXAMPLES}")
    if scheme == SQLITE:
        _check_file(rest)
    elif scheme in {POSTGRESQL, "postgres"}:
        _check_server(f"{POSTGRESQL}://{rest}")
        return f"{POSTGRESQL}://{rest}"
    else:
        raise ValueError(_describe_scheme(scheme))
    return value


def _describe_scheme(scheme: str) -> str:
    kind, plus, _ = scheme.partition("+")
    if plus and kind in {SQLITE, POSTGRESQL}:
        return f"must not name a driver: write {kind}://"
    return f"must begin with sqlite:/// or postgresql://, such as {_EXAMPLES}"


def _check_file(rest: str) -> None:
    if not rest.startswith("/"):
        raise ValueError("must have three slashes before a relative path: sqlite:///lockgate.db")
    path = rest[1:]
    if not path.strip("/") or path.endswith("/"):
        raise ValueError("must be the path of a file: sqlite:////var/lib/lockgate/lockgate.db")
    if ":memory:" in path:
        raise ValueError("must be the path of a file: what is only in memory is lost at the stop")
    if "?" in path or "#" in path:
        raise ValueError("must be a path without ? and #: it takes no parameters")


def _check_server(url: str) -> None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(
            "is not a URL: in a user or a password, write %2F, %3F, %23, %5B and %5D for / ? # [ ]"
        ) from None
    if parts.fragment or ("@" in parts.path + parts.query and "@" not in parts.netloc):
        raise ValueError("has a / ? or # before the @: write %2F, %3F and %23 for them")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := sorted(query.keys() - set(_QUERY_PARAMETERS)):
        known = ", ".join(_QUERY_PARAMETERS)
        raise ValueError(f"has the unknown parameter {unknown[0]!r:.40}; there are {known}")
    if not parts.hostname and "host" not in query:
        raise ValueError("must have a host, such as postgresql://USER:PASSWORD@HOST:5432/DATABASE")
    if port == 0:
        raise ValueError("must have a port from 1 to 65535")
    host = parts.hostname or ""
    if host and ":" not in host and not is_host_name(host.removesuffix(".")):
        raise ValueError("must have a host that is an IP address or a host name")
    if not parts.path.strip("/") or "/" in parts.path[1:]:
        raise ValueError("must name the database after the host: postgresql://HOST:5432/DATABASE")
