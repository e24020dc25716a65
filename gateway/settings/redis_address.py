"""Checks the form of `redis_url`. No message quotes the URL, which may have a password."""

import re
from urllib.parse import SplitResult, urlsplit

from pydantic import RedisDsn

from gateway.settings.host_names import is_host_name

TCP_SCHEMES = ("redis", "rediss", "valkey", "valkeys")
SCHEMES = (*TCP_SCHEMES, "unix")
TLS_SCHEMES = ("rediss", "valkeys")

_EXAMPLES = "redis://HOST:6379/0, rediss://HOST:6380/0 or unix:///PATH?db=0"
_AUTHORITY_END = re.compile(r"[/?#]")

# A host, and a port unless the host has a dot, as one writes an address without its scheme. The
# pattern is narrow because the text becomes part of an error message: a key or a token, which may
# stand in place of a URL by mistake, does not match.
ADDRESS_WITHOUT_SCHEME = re.compile(
    r"(?=.{1,100}$)(?=[^:]*\.|[^:]*:)[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)*(:\d{1,5})?(/[a-z0-9/_-]*)?"
)


def check_redis_url(value: object) -> object:
    """Check the URL of a Redis or a Valkey, over TCP, TLS or a Unix socket.

    Raises:
        ValueError: it is none, or that of a Sentinel or a Cluster.
    """
    if isinstance(value, RedisDsn):
        value = str(value)
    if not isinstance(value, str):
        return value
    if not value:
        raise ValueError(f"must not be empty; it is a URL such as {_EXAMPLES}")
    if any(char.isspace() or not char.isprintable() for char in value):
        raise ValueError("must be a URL without white space and control characters")
    scheme, separator, rest = value.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in SCHEMES:
        raise ValueError(_describe_scheme(scheme if separator else "", value))
    _check_authority(scheme, rest)
    parts = _split(value)
    if scheme == "unix":
        _check_socket(parts)
    else:
        _check_host(parts)
    return f"{scheme}://{rest}"


def _describe_scheme(scheme: str, value: str) -> str:
    for kind in ("sentinel", "cluster"):
        if kind in scheme:
            product = f"Redis {kind.capitalize()}"
            return f"names a {product}, which the gateway does not support: name one server"
    if "unix" in scheme or "socket" in scheme:
        return "names a Unix socket by another scheme; write unix:///PATH"
    known = ADDRESS_WITHOUT_SCHEME.fullmatch(value)
    hint = f": did you mean redis://{value}?" if known else ""
    return f"must be a URL such as {_EXAMPLES}{hint}"


def _check_authority(scheme: str, rest: str) -> None:
    """Refuse a password that ends the part of the URL it is in, and a list of hosts."""
    authority = _AUTHORITY_END.split(rest, maxsplit=1)[0]
    if "@" in rest and "@" not in authority and scheme != "unix":
        raise ValueError(
            "has a / ? or # before the @: in a user or a password write %2F, %3F and %23 for them"
        )
    if "," in authority.rpartition("@")[2]:
        raise ValueError(
            "names several hosts; the gateway supports neither Redis Sentinel nor Redis Cluster: "
            "name one server"
        )


def _split(value: str) -> SplitResult:
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError as error:
        if "port" in str(error).lower():
            raise ValueError("is not a URL: invalid port number") from None
        raise ValueError(
            "is not a URL: write %5B and %5D for brackets in a user or a password"
        ) from None
    return parts


def _check_host(parts: SplitResult) -> None:
    if not parts.hostname:
        raise ValueError("must have a host, such as redis://127.0.0.1:6379/0")
    if parts.port == 0:
        raise ValueError("must have a port from 1 to 65535")
    if ":" not in parts.hostname and not is_host_name(parts.hostname.removesuffix(".")):
        raise ValueError("must have a host that is an IP address or a host name")


def _check_socket(parts: SplitResult) -> None:
    if parts.hostname or not parts.path.strip("/"):
        raise ValueError("must have three slashes and the path of the socket: unix:///PATH?db=0")
