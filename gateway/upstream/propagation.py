"""Header propagation: what calls send along of the request that they are made for."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from types import MappingProxyType, TracebackType
from typing import Final

from gateway.upstream.headers import serialize_headers, validate_headers

_EVERY_CALL: Mapping[str, str] = MappingProxyType(
    {
        "accept": "application/json",
        "accept-encoding": "identity",
        "user-agent": "lockgate",
    }
)
_EVERY_CALL_NAMES = frozenset(_EVERY_CALL)

RawHeaders = Sequence[tuple[bytes, bytes]]


@dataclass(slots=True)
class PropagatedHeaders:
    """The header fields of every call made for one request.

    `fields` are propagated to every service; `lines` are those and the fields of every call,
    serialized. `incoming` and `token` are the header fields and the verified access token of the
    request, for services whose settings ask for them. Only `token` is set later.
    """

    fields: dict[str, str]
    lines: str = field(repr=False)
    incoming: RawHeaders = field(default=(), repr=False)
    token: str | None = field(default=None, repr=False)

    def add(self, fields: dict[str, str], incoming: RawHeaders) -> "PropagatedHeaders":
        """The same with more fields, which override those of the same names."""
        known = self.fields
        added = {**known, **fields} if known else fields
        if len(added) == len(known) + len(fields) and _EVERY_CALL_NAMES.isdisjoint(fields):
            lines = self.lines + serialize_headers(fields)
        else:
            lines = serialize_headers({**_EVERY_CALL, **added})
        return PropagatedHeaders(added, lines, incoming or self.incoming, self.token)

    def serialize_with(self, own: Mapping[str, str]) -> str:
        """The lines, with a call's own fields in place of those of the same names."""
        return serialize_headers({**_EVERY_CALL, **self.fields, **own})


_NONE: Final = PropagatedHeaders({}, serialize_headers(_EVERY_CALL))
_current: ContextVar[PropagatedHeaders] = ContextVar("propagated_headers", default=_NONE)

current_headers = _current.get
"""The propagated headers of the request at hand."""


def propagate_headers(
    headers: Mapping[str, str], incoming: RawHeaders = ()
) -> AbstractContextManager[None]:
    """Send `headers` with every call made inside the block, on top of those of an outer block.

    `incoming` are all header fields of the request, names in lower case as ASGI has them.

    Raises:
        ValueError: one of `headers` is not a header that a caller may set.
    """
    return _Propagation(validate_headers(headers), incoming)


def propagate_request(fields: dict[str, str], incoming: RawHeaders) -> AbstractContextManager[None]:
    """`propagate_headers` for fields that are valid by construction, names in lower case."""
    return _Propagation(fields, incoming)


def propagated_headers() -> Mapping[str, str]:
    """The fields that are propagated here, names in lower case."""
    return MappingProxyType(_current.get().fields)


def set_caller_token(token: str) -> None:
    """Remember the verified access token of the request at hand.

    Only calls to services with `forward_token` send it.
    """
    current = _current.get()
    if current is not _NONE:
        current.token = token


class _Propagation(AbstractContextManager[None]):
    # Entered once per request: a generator would double the cost.
    __slots__ = ("_headers", "_incoming", "_token")

    def __init__(self, headers: dict[str, str], incoming: RawHeaders) -> None:
        self._headers = headers
        self._incoming = incoming

    def __enter__(self) -> None:
        self._token: Token[PropagatedHeaders] = _current.set(
            _current.get().add(self._headers, self._incoming)
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _current.reset(self._token)
