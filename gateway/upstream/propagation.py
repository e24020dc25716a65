"""Header propagation: the header fields of a request that its upstream calls send along.

These are the request id and the trace context (https://www.w3.org/TR/trace-context/, version 00).
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from random import getrandbits
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

TRACEPARENT = b"traceparent"
TRACESTATE = b"tracestate"

_TRACEPARENT = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)
_TRACE_ID = re.compile(r"[0-9a-f]{32}")
_NO_TRACE_ID = "0" * 32
_MAX_TRACESTATE = 512


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


def trace_headers(
    traceparent: bytes | None, tracestate: bytes | None, request_id: str
) -> dict[str, str]:
    """The trace fields for the calls of a request.

    A valid `traceparent` of the caller is passed on as it came: the gateway reports no spans of
    its own, so that a new parent id would name a span that nobody knows (section 4.3, "pass
    through"). Otherwise a trace begins here, not sampled. Its id is the request id where that
    is 32 hexadecimal digits, so that logs and traces can be joined.
    """
    if traceparent is not None and _TRACEPARENT.fullmatch(traceparent):
        fields = {"traceparent": traceparent.decode("ascii")}
        if tracestate and len(tracestate) <= _MAX_TRACESTATE and tracestate.isascii():
            state = tracestate.decode("ascii")
            if state.isprintable():
                fields["tracestate"] = state
        return fields
    trace_id = request_id
    if not _TRACE_ID.fullmatch(request_id) or request_id == _NO_TRACE_ID:
        trace_id = _random_id(16)
    return {"traceparent": f"00-{trace_id}-{_random_id(8)}-00"}


def _random_id(size: int) -> str:
    """An id of so many bytes; the lowest bit is set, as an id of zeros is invalid."""
    return (getrandbits(size * 8) | 1).to_bytes(size).hex()
