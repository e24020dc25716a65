"""The origins in `server.cors_origins` (RFC 6454), and the words for one that does not fit."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

ANY_ORIGIN, OPAQUE_ORIGIN = "*", "null"
DEFAULT_PORTS = {"http": ":80", "https": ":443"}

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]+\]|\*\.{_LABEL}(?:\.{_LABEL})+")
_PORT = re.compile(r"(?::([0-9]{1,5}|\*))?")
_LOCAL_HOSTS = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:|$)")


def serialize_origin(text: str) -> str:
    """Return an origin as a browser sends it: in lower case, and without the default port."""
    text = text.lower()
    scheme, _, _ = text.partition("://")
    return text.removesuffix(DEFAULT_PORTS.get(scheme, ":"))


def _check_origin(text: str) -> str:
    """Check an origin, and return it as a browser sends it.

    `https://*.example.com` stands for all subdomains of that domain, `http://localhost:*` for all
    ports of that host, `null` for pages without an origin, and `*` for all origins.
    """
    if text in {ANY_ORIGIN, OPAQUE_ORIGIN}:
        return text
    scheme, separator, rest = text.partition("://")
    if not separator:
        known = "http" if _LOCAL_HOSTS.match(text) else "https"
        raise ValueError(
            f"must be an origin, which begins with a scheme{_suggest(f'{known}://{text}')}"
        )
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if authority != rest:
        raise ValueError(
            "must be an origin: scheme, host and port, without a path"
            f"{_suggest(f'{scheme}://{authority}')}"
        )
    if not _is_origin(text.lower()):
        raise ValueError(_describe_error(scheme.lower(), authority.lower()))
    return serialize_origin(text)


def _is_origin(text: str) -> bool:
    scheme, _, authority = text.partition("://")
    host = _HOST.match(authority)
    if host is None or not _SCHEME.fullmatch(scheme):
        return False
    port = _PORT.fullmatch(authority, host.end())
    return port is not None and (port[1] in {None, "*"} or 0 < int(port[1]) <= 65_535)


def _describe_error(scheme: str, authority: str) -> str:
    if "*" in authority:
        return (
            "may have * only for the subdomains of a domain, such as https://*.example.com, "
            "or for the port, such as http://localhost:*"
        )
    if not authority.isascii():
        try:
            encoded = authority.encode("idna").decode()
        except UnicodeError:
            encoded = ""
        return (
            f"must have the host in ASCII, as browsers send it{_suggest(f'{scheme}://{encoded}')}"
        )
    return "must be an origin: scheme, host and port, such as https://app.example.com"


def _suggest(text: str) -> str:
    """Return a question with an origin to use instead; "" if it is none."""
    lowered = text.lower()
    return f": did you mean {serialize_origin(lowered)}?" if _is_origin(lowered) else ""


def _require_any_alone(origins: tuple[str, ...]) -> tuple[str, ...]:
    if ANY_ORIGIN in origins and len(origins) > 1:
        raise ValueError(f"must have {ANY_ORIGIN} alone, which stands for all origins")
    return origins


Origin = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_check_origin)]
Origins = Annotated[tuple[Origin, ...], AfterValidator(_require_any_alone)]
