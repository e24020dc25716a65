"""Maps the paths of a proxied route to the paths of its service, and back.

The router compares the decoded path. The bytes that are sent come from the path as it was received:
no escape is decoded and encoded again, so a signature over the path stays valid.
"""

import re
from collections.abc import Iterator
from urllib.parse import quote

from starlette.types import Scope

from gateway.proxy.declaration.proxy import Proxy
from gateway.request_path import InvalidPath, decode_parameter, decode_path
from gateway.settings.schema import Service
from gateway.upstream.base_url import BaseUrl

_PARAMETER = re.compile(r"\{(\w+)(:path)?\}")
_UNESCAPED = "/!$&'()*+,;=:@"  # besides letters, digits and -._~: RFC 3986, section 3.3

# One character of a segment. A parameter never ends inside an escape, nor inside a character of
# UTF-8, so it ends where that of the decoded path does.
_CHARACTER = (
    rb"(?:[^%/]|%[0-7][0-9A-Fa-f]|%[CDcd][0-9A-Fa-f]%[0-9A-Fa-f]{2}"
    rb"|%[Ee][0-9A-Fa-f](?:%[0-9A-Fa-f]{2}){2}|%[Ff][0-9A-Fa-f](?:%[0-9A-Fa-f]{2}){3})"
)


class UnmappedPath(Exception):
    """A path that the route does not map as the router has matched it."""


class PathMapping:
    """The path template of a route and that of its target, below the base path of the service.

    `service_prefix` and `gateway_prefix` differ, and the rest of both templates is the same.
    """

    def __init__(self, proxy: Proxy, service: Service) -> None:
        self._pattern = re.compile(_build_pattern(proxy.path), re.DOTALL)
        self.base_path = BaseUrl.of(str(service.url)).path.encode()
        path = _PARAMETER.sub(r"{\1}", proxy.path)
        gateway_prefix, service_prefix = _drop_common_end(path, proxy.target_path)
        self._target = _Template(proxy.target_path)
        self._gateway_prefix = _Template(gateway_prefix)
        self._service_prefix = _Template(service_prefix)

    def fill_target(self, scope: Scope) -> bytes:
        """Return the path of the request below the base path of the service.

        Raises:
            UnmappedPath: the router has matched another value of a parameter.
        """
        return self._target.fill(self._match(scope))

    def fill_prefixes(self, scope: Scope) -> tuple[bytes, bytes]:
        """Return the beginnings of the paths on the gateway and on the service.

        A path of the service that begins with the second one is reached at the gateway by the
        first one instead. Both end with a slash.

        Raises:
            UnmappedPath: as for `fill_target`.
        """
        match = self._match(scope)
        return (
            scope["root_path"].encode() + self._gateway_prefix.fill(match),
            self.base_path + self._service_prefix.fill(match),
        )

    def _match(self, scope: Scope) -> re.Match[bytes]:
        """Match the path as it was received, and compare its parameters with the router's."""
        raw_path: bytes = scope["raw_path"]
        if scope["root_path"]:
            raw_path = b"/" + raw_path.split(b"/", scope["root_path"].count("/") + 1)[-1]
        match = self._pattern.fullmatch(raw_path)
        if match is None:
            raise UnmappedPath
        if b"%" in raw_path:
            matched = scope["path_params"]
            for name, raw in match.groupdict().items():
                if not _is_read_as(raw, matched[name]):
                    raise UnmappedPath
        return match


def _is_read_as(raw: bytes, matched: str) -> bool:
    """Whether the router has this value of a parameter; a part of a segment may be invalid."""
    try:
        return decode_parameter(decode_path(raw)) == matched
    except InvalidPath:
        return False


class _Template:
    """A path with parameters, as bytes: literals, and the names between them."""

    __slots__ = ("_first", "_rest")

    def __init__(self, text: str) -> None:
        first, *rest = re.split(r"\{(\w+)\}", text)
        self._first = _encode(first)
        self._rest = [
            (name, _encode(literal)) for name, literal in zip(rest[::2], rest[1::2], strict=True)
        ]

    def fill(self, match: re.Match[bytes]) -> bytes:
        """Fill in the parameters of a matched path."""
        filled = self._first
        for name, literal in self._rest:
            filled += match[name] + literal
        return filled


def _build_pattern(path: str) -> bytes:
    """Build the pattern of a path as it is received; a literal may have escapes."""
    pattern, end = b"", 0
    for parameter in _PARAMETER.finditer(path):
        value = rb".*" if parameter[2] else _CHARACTER + rb"+"
        name = parameter[1].encode()
        pattern += b"".join(_iter_literal(path[end : parameter.start()]))
        pattern += rb"(?P<%b>%b)" % (name, value)
        end = parameter.end()
    return pattern + b"".join(_iter_literal(path[end:]))


def _iter_literal(text: str) -> Iterator[bytes]:
    """Yield a pattern for each byte; `decode_path` refuses an escaped letter or digit."""
    for byte in text.encode():
        character = bytes([byte])
        escape = rb"%%(?i:%02x)" % byte
        if character.isalnum() or character == b"/":
            yield character
        elif byte > 0x7F:
            yield escape
        else:
            yield rb"(?:%b|%b)" % (re.escape(character), escape)


def _drop_common_end(path: str, target: str) -> tuple[str, str]:
    """Drop the segments at the end that both templates have in common."""
    ours, theirs = path.split("/"), target.split("/")
    while len(ours) > 1 and len(theirs) > 1 and ours[-1] == theirs[-1]:
        ours.pop()
        theirs.pop()
    return "/".join([*ours, ""]), "/".join([*theirs, ""])


def _encode(literal: str) -> bytes:
    return quote(literal, safe=_UNESCAPED).encode()
