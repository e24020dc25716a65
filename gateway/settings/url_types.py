"""The types of settings that are URLs, or parts of one.

No message quotes a URL, which may hold a password.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, HttpUrl, TypeAdapter

from gateway.settings.host_names import is_host_name
from gateway.settings.redis_address import ADDRESS_WITHOUT_SCHEME
from gateway.settings.setting_types import Text

ENVIRONMENT = "environment"
"""The value of `tokens.keys_proxy` that takes the proxy from HTTPS_PROXY and NO_PROXY."""
_HTTP_URL: TypeAdapter[HttpUrl] = TypeAdapter(HttpUrl)
_AFTER_SCHEME = re.compile(r"([^/?#\\]*)([^?#]*)(.*)", re.DOTALL)
_ROOT_PATH = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~!$&'()*+,;=:@-]+)+")


def _check_http_url(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not value:
        raise ValueError("must not be empty; it is a URL that begins with http:// or https://")
    if any(char.isspace() or not char.isprintable() for char in value):
        raise ValueError("must be a URL without white space and control characters")
    scheme, separator, rest = value.partition("://")
    if separator and scheme.lower() in {"http", "https"}:
        _check_url_text(rest)
        if rest.startswith("/"):
            raise ValueError("must have a host after ://")
        return value
    raise ValueError(
        f"must be a URL that begins with http:// or https://{_suggest_scheme(value, scheme)}"
    )


def _suggest_scheme(value: str, scheme: str) -> str:
    """Return a hint at the scheme that is meant: a WebSocket begins as a request over HTTP."""
    if scheme.lower() in {"ws", "wss"}:
        return f": write http{scheme[2:].lower()}:// instead, also for WebSockets"
    return f": did you mean http://{value}?" if ADDRESS_WITHOUT_SCHEME.fullmatch(value) else ""


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
    if host.count(":") > 1 and "[" not in host:
        raise ValueError("must have an IPv6 address in brackets, such as [::1] or [::1]:80")
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


def _check_issuer_url(text: str) -> str:
    """Check the issuer of the gateway (RFC 8414, section 2). It is used as it is written."""
    if "://" not in text:
        known = f": did you mean https://{text}?" if ADDRESS_WITHOUT_SCHEME.fullmatch(text) else ""
        raise ValueError(f"must be a URL that begins with https://{known}")
    url = _check_key_url(_HTTP_URL.validate_python(_check_http_url(text)))
    if url.query is not None:
        raise ValueError("must not have a query (after ?)")
    if text.endswith("/"):
        raise ValueError(f"must not end with a slash: did you mean {text.rstrip('/')}?")
    return text


def _check_base_url(url: HttpUrl) -> HttpUrl:
    if url.username is not None or url.password is not None:
        raise ValueError("must not contain credentials; set headers.authorization of the service")
    if url.query is not None:
        raise ValueError("must not have a query (after ?): it is scheme, host, port and path")
    if url.fragment is not None:
        raise ValueError("must not have a fragment (after #): it is scheme, host, port and path")
    return _check_url_host(url)


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


def _check_url_path(path: str) -> str:
    if not path.startswith("/") or not path.isascii() or any(char.isspace() for char in path):
        raise ValueError("must be the path of a URL, such as /inbox/42")
    return path


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


KeysProxy = Annotated[str, AfterValidator(_check_proxy)]
KeyUrl = Annotated[HttpUrl, BeforeValidator(_check_http_url), AfterValidator(_check_key_url)]
BaseHttpUrl = Annotated[HttpUrl, BeforeValidator(_check_http_url), AfterValidator(_check_base_url)]
IssuerUrl = Annotated[str, AfterValidator(_check_issuer_url)]
UrlPath = Annotated[Text, AfterValidator(_check_url_path)]
RootPath = Annotated[str, AfterValidator(_check_root_path)]
