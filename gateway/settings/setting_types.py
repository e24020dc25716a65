"""The types of single settings, and the words for a value that does not fit."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    HttpUrl,
    SecretStr,
)

from gateway.http1_grammar import CONNECTION_FIELDS, FIELD_VALUE, TOKEN
from gateway.settings.host_names import is_host_name
from gateway.settings.rate import UNITS, Rate
from gateway.settings.redis_address import ADDRESS_WITHOUT_SCHEME, check_redis_url

_GATEWAY_FIELDS = CONNECTION_FIELDS | {
    "accept-encoding",
    "traceparent",
    "tracestate",
    "x-request-id",
}
"""Fields of upstream calls that the gateway sets itself."""

_OTHER_FIELDS = _GATEWAY_FIELDS | {
    "authorization",
    "cookie",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-proto",
}
"""Fields of a request that never have the address of its client."""
ENVIRONMENT = "environment"
"""The value of `tokens.keys_proxy` that takes the proxy from HTTPS_PROXY and NO_PROXY."""

_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749, section 3.3

_AFTER_SCHEME = re.compile(r"([^/?#\\]*)([^?#]*)(.*)", re.DOTALL)
_HOST_AND_PORT = re.compile(r"\[[0-9A-Fa-f:.]+\]:\d+|[^:]+:\d+")

_ALL_TRUSTED = (
    "must be the networks of the proxies: if all are trusted, a client can forge its address"
)

_IPV4_MAPPED = IPv6Network("::ffff:0:0/96")
"""IPv4 addresses as an IPv6 socket sees them; the gateway turns them into IPv4."""


_ROOT_PATH = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~!$&'()*+,;=:@-]+)+")


def _check_scope(scope: str) -> str:
    if not _SCOPE.fullmatch(scope):
        raise ValueError("must be a scope, which is one word, such as orders:read")
    return scope


def _check_host(host: str) -> str:
    """Check that the server could listen on `host`: an IP address or a host name."""
    try:
        ip_address(host)
    except ValueError:
        pass
    else:
        return host
    if host.startswith("[") and host.endswith("]"):
        raise ValueError(f"must be an IPv6 address without brackets: {host[1:-1]}")
    if "/" in host:
        raise ValueError("must be a host alone, without scheme and path")
    if _HOST_AND_PORT.fullmatch(host):
        raise ValueError("must be a host without a port; the port is server.port")
    if not is_host_name(host) or _ends_in_digits(host):
        raise ValueError("must be an IP address or a host name")
    return host


def _check_host_name(name: str) -> str:
    """Check a name that a certificate may have: a host name without a trailing dot."""
    if not is_host_name(name) or name.endswith(".") or ":" in name:
        raise ValueError("must be a host name alone, such as orders.internal")
    return name


def _ends_in_digits(host: str) -> bool:
    """Whether the last label is a number, so that the host is an IPv4 address (RFC 3986, 3.2.2)."""
    return host.rstrip(".").rpartition(".")[2].isdigit()


def _parse_network(value: object) -> object:
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    if not isinstance(value, str):
        # A ValueError, because pydantic reports no TypeError.
        raise ValueError("must be a network in quotes, such as 10.0.0.0/8")  # noqa: TRY004
    try:
        network = ip_network(value)
    except ValueError:
        raise ValueError(_describe_network_error(value)) from None
    if network.prefixlen == 0:
        raise ValueError(_ALL_TRUSTED)
    if isinstance(network, IPv6Network) and network.subnet_of(_IPV4_MAPPED):
        bits = network.prefixlen - _IPV4_MAPPED.prefixlen
        ipv4 = network.network_address.ipv4_mapped
        raise ValueError(f"must be an IPv4 network: did you mean {ipv4}/{bits}?")
    return network


def _describe_network_error(text: str) -> str:
    if text == "*":
        return _ALL_TRUSTED
    if text.startswith(("unix:", "/")):
        return "must be a network; a unix socket has no address to trust"
    try:
        network = ip_network(text.strip(), strict=False)
    except ValueError:
        if any(char.isalpha() for char in text) and is_host_name(text):
            return "must be a network, such as 10.0.0.0/8; host names are not resolved"
        return "must be a network, such as 10.0.0.0/8"
    excess = "host bits" if text == text.strip() else "white space"
    return f"must be a network, without {excess}: did you mean {network}?"


def _check_http_url(value: object) -> object:
    return _check_url(value, ("http", "https"))


def _check_url(value: object, schemes: tuple[str, ...]) -> object:
    """Check the scheme of a URL. The messages never quote a URL, which may hold a password."""
    if not isinstance(value, str):
        return value
    default, allowed = schemes[0], " or ".join(f"{scheme}://" for scheme in schemes)
    if not value:
        raise ValueError(f"must not be empty; it is a URL that begins with {allowed}")
    if any(char.isspace() or not char.isprintable() for char in value):
        raise ValueError("must be a URL without white space and control characters")
    scheme, separator, rest = value.partition("://")
    if separator and scheme.lower() in schemes:
        _check_url_text(rest)
        if default == "http" and rest.startswith("/"):
            raise ValueError("must have a host after ://")
        return value
    known = (
        f": did you mean {default}://{value}?" if ADDRESS_WITHOUT_SCHEME.fullmatch(value) else ""
    )
    raise ValueError(f"must be a URL that begins with {allowed}{known}")


def _check_names(value: object) -> object:
    """Check one name, or a list of names."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        # A ValueError, because pydantic reports no TypeError.
        raise ValueError("must be a string or a list of strings")
    if not names or not all(names):
        raise ValueError("must not be empty")
    return value


def _check_proxy(value: str) -> str:
    """Check the proxy for keys. The message does not quote a URL, which may hold a password."""
    if value == ENVIRONMENT:
        return value
    scheme, separator, rest = value.partition("://")
    host = rest.rpartition("@")[2].partition("/")[0]
    if not separator or scheme not in {"http", "https"} or not host or not value.isprintable():
        raise ValueError(
            "must be the URL of a proxy, such as http://proxy.internal:3128, or environment"
        )
    return value


def _check_url_text(text: str) -> None:
    """Check a URL after its scheme for what a parser would silently change."""
    authority, path, _ = _AFTER_SCHEME.fullmatch(text).groups()  # type: ignore[union-attr]
    if "\\" in text:
        raise ValueError("must not have a backslash: write /")
    if "{" in text or "}" in text:
        raise ValueError("must not have { or }: it is used as it is, without placeholders")
    if any(segment.lower().replace("%2e", ".") in {".", ".."} for segment in path.split("/")):
        raise ValueError("must not have . or .. as a segment of its path")
    if authority.startswith(("@", ":@")):
        raise ValueError("must not have an @ before its host")
    host = authority.rpartition("@")[2]
    if "%" in host:
        raise ValueError("must have a host without %, which also means without the zone of IPv6")


def _check_url_host(url: HttpUrl) -> HttpUrl:
    host = (url.host or "").removesuffix(".")
    if url.port == 0:
        raise ValueError("must have a port from 1 to 65535")
    if host and not (host.startswith("[") or is_host_name(host)):
        raise ValueError("must have a host that is an IP address or a host name")
    return url


def _check_key_url(url: HttpUrl) -> HttpUrl:
    if url.username is not None or url.password is not None:
        raise ValueError("must not contain credentials: keys are public")
    if url.fragment is not None:
        raise ValueError("must not have a fragment (after #)")
    return _require_https(_check_url_host(url))


def _require_https(url: HttpUrl) -> HttpUrl:
    if url.scheme != "https" and url.host not in {"localhost", "127.0.0.1", "[::1]"}:
        raise ValueError("must begin with https://; plain http is allowed for loopback only")
    return url


def _check_base_url(url: HttpUrl) -> HttpUrl:
    if url.username is not None or url.password is not None:
        raise ValueError("must not contain credentials; set headers.authorization of the service")
    if url.query is not None:
        raise ValueError("must not have a query (after ?): it is scheme, host, port and path")
    if url.fragment is not None:
        raise ValueError("must not have a fragment (after #): it is scheme, host, port and path")
    return _check_url_host(url)


def _check_path(path: Path) -> Path:
    if not path.name:
        raise ValueError("must be the path of a file")
    if "\0" in str(path):
        raise ValueError("must be a path without a NUL character")
    return path


def _check_url_path(path: str) -> str:
    if not path.startswith("/") or not path.isascii() or any(char.isspace() for char in path):
        raise ValueError("must be the path of a URL, such as /inbox/42")
    return path


def _check_key_prefix(prefix: str) -> str:
    """Check a prefix of keys: no braces, which would change the hash tag of a Redis Cluster."""
    if not re.fullmatch(r"[A-Za-z0-9:._-]*", prefix):
        raise ValueError("must consist of letters, digits and : . _ - alone")
    return prefix


def _check_root_path(path: str) -> str:
    """Check the prefix of all paths; "" is none. It is compared with the path of a request."""
    if not path:
        return path
    proper = "/" + path.strip("/")
    if not path.strip("/"):
        raise ValueError('must be the beginning of a path, such as /api, or "" for none')
    if not _ROOT_PATH.fullmatch(proper):
        raise ValueError("must be the beginning of a path, such as /api, without %, ? and #")
    if path != proper:
        raise ValueError(f"must begin with one slash and not end with one: did you mean {proper}?")
    return path


def _parse_rate(value: object) -> object:
    if isinstance(value, Rate):
        return value
    words = f"must be a count, a slash and a unit ({', '.join(UNITS)}), such as 120/minute"
    if not isinstance(value, str):
        raise ValueError(words)  # noqa: TRY004 - pydantic reports no TypeError
    try:
        return Rate.parse(value)
    except ValueError:
        raise ValueError(words) from None


def _check_field_name(name: str) -> str:
    if not name.isascii() or not TOKEN.fullmatch(name.encode()):
        raise ValueError("is not the name of a header field")
    return name


def _check_header_name(name: str) -> str:
    _check_field_name(name)
    if name.lower() in _GATEWAY_FIELDS:
        raise ValueError("is set by the gateway itself")
    return name.lower()


def _check_forwarded_header(name: str) -> str:
    name = _check_header_name(name)
    if name == "authorization":
        raise ValueError("cannot be forwarded: set forward_token, which sends verified tokens only")
    if name in {"expect", "proxy-authorization"} or name.startswith("content-"):
        raise ValueError("cannot be forwarded: it is about the incoming request only")
    return name


def _check_client_address_header(name: str) -> str:
    if not name.isascii() or not TOKEN.fullmatch(name.encode()):
        raise ValueError("is not the name of a header field, such as CF-Connecting-IP")
    if name.lower() in _OTHER_FIELDS:
        raise ValueError("is not a field in which a proxy forwards an address")
    return name.lower()


def _check_header_value(value: SecretStr) -> SecretStr:
    """Check a field value. The message does not quote it, because it may be a secret."""
    text = value.get_secret_value()
    if not text.isascii() or not FIELD_VALUE.fullmatch(text.encode()):
        raise ValueError("has characters that a header cannot have; use printable ASCII")
    return value


def _refuse_two_spellings(headers: object) -> object:
    if isinstance(headers, dict):
        lowered: set[str] = set()
        for name in map(str, headers):
            if name.lower() in lowered:
                raise ValueError(
                    f"must not have {name.lower()} twice: upper and lower case are the same"
                )
            lowered.add(name.lower())
    return headers


Text = Annotated[str, Field(min_length=1)]
Flag = Annotated[bool, Field(strict=True)]
Port = Annotated[int, Field(strict=True, ge=0, le=65_535)]
Count = Annotated[int, Field(strict=True, ge=1, le=1_000_000_000)]
Bytes = Annotated[int, Field(strict=True, ge=1, le=1_000_000_000_000)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Seconds = Annotated[Number, Field(gt=0, le=86_400)]

Names = Annotated[Text | tuple[Text, ...], BeforeValidator(_check_names)]
ScopeName = Annotated[str, AfterValidator(_check_scope)]
KeysProxy = Annotated[str, AfterValidator(_check_proxy)]

Host = Annotated[Text, AfterValidator(_check_host)]
HostName = Annotated[Text, AfterValidator(_check_host_name)]
Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_parse_network)]
KeyUrl = Annotated[HttpUrl, BeforeValidator(_check_http_url), AfterValidator(_check_key_url)]
BaseHttpUrl = Annotated[HttpUrl, BeforeValidator(_check_http_url), AfterValidator(_check_base_url)]
RedisUrl = Annotated[str, BeforeValidator(check_redis_url)]
KeyPrefix = Annotated[str, Field(max_length=64), AfterValidator(_check_key_prefix)]
RootPath = Annotated[str, AfterValidator(_check_root_path)]
UrlPath = Annotated[Text, AfterValidator(_check_url_path)]
FilePath = Annotated[Path, AfterValidator(_check_path)]
RateText = Annotated[Rate, BeforeValidator(_parse_rate)]

FieldName = Annotated[str, AfterValidator(_check_field_name)]
HeaderName = Annotated[str, AfterValidator(_check_header_name)]
ClientAddressHeader = Annotated[str, AfterValidator(_check_client_address_header)]
ForwardedHeader = Annotated[str, AfterValidator(_check_forwarded_header)]
HeaderValue = Annotated[SecretStr, AfterValidator(_check_header_value)]
Headers = Annotated[dict[HeaderName, HeaderValue], BeforeValidator(_refuse_two_spellings)]
