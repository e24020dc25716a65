"""Header propagation from an incoming request to its upstream calls.

The propagated fields are the request id and the trace context
(https://www.w3.org/TR/trace-context/, version 00).
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from random import getrandbits
from types import MappingProxyType, TracebackType
from typing import Any, Final

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

_IDS = rb"-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-"
_TRACEPARENT = re.compile(rb"00" + _IDS + rb"[0-9a-f]{2}")
_LATER_TRACEPARENT = re.compile(rb"(?!00|ff)[0-9a-f]{2}(" + _IDS + rb")([0-9a-f]{2})(?:-.*)?")
_SAMPLED = 0x01  # the only flag of version 00
_TRACE_ID = re.compile(r"[0-9a-f]{32}")
_NO_TRACE_ID = "0" * 32
_MAX_TRACESTATE = 512


RawHeaders = Sequence[tuple[bytes, bytes]]
Scope = Mapping[str, Any]


@dataclass(slots=True)
class PropagatedHeaders:
    """The header fields of every call made for one request.

    `fields` are propagated to every service. `lines` are the serialized `fields` and the constant
    fields of every call. `incoming` and `token` are the header fields and the verified access
    token of the request, for services whose settings forward them. Only `token` is set later.
    `scope` is the ASGI scope of the request; None outside a request.
    """

    fields: dict[str, str]
    lines: str = field(repr=False)
    incoming: RawHeaders = field(default=(), repr=False)
    token: str | None = field(default=None, repr=False)
    scope: Scope | None = field(default=None, repr=False)

    def add(
        self, fields: dict[str, str], incoming: RawHeaders, scope: Scope | None
    ) -> "PropagatedHeaders":
        """Return a copy with more fields; they override existing fields of the same names."""
        known = self.fields
        added = {**known, **fields} if known else fields
        if len(added) == len(known) + len(fields) and _EVERY_CALL_NAMES.isdisjoint(fields):
            lines = self.lines + serialize_headers(fields)
        else:
            lines = serialize_headers({**_EVERY_CALL, **added})
        return PropagatedHeaders(
            added, lines, incoming or self.incoming, self.token, scope or self.scope
        )

    def serialize_with(self, own: Mapping[str, str]) -> str:
        """Serialize with the fields of a call, which override propagated ones of the same names."""
        return serialize_headers({**_EVERY_CALL, **self.fields, **own})


_NONE: Final = PropagatedHeaders({}, serialize_headers(_EVERY_CALL))
_current: ContextVar[PropagatedHeaders] = ContextVar("propagated_headers", default=_NONE)

current_headers = _current.get
"""Return the propagated headers of the current request."""


def propagate_headers(
    headers: Mapping[str, str], incoming: RawHeaders = ()
) -> AbstractContextManager[None]:
    """Send `headers` with every call inside the block, in addition to those of an outer block.

    `incoming` are all header fields of the request, with names in lower case as in ASGI.

    Raises:
        ValueError: one of `headers` is not a header that a caller may set.
    """
    return _Propagation(validate_headers(headers), incoming)


def propagate_request(fields: dict[str, str], scope: Scope) -> AbstractContextManager[None]:
    """Propagate `fields` without validation; they are valid and their names are in lower case.

    `scope` is the ASGI scope of the request.
    """
    return _Propagation(fields, scope["headers"], scope)


def set_caller_token(token: str) -> None:
    """Store the verified access token of the current request.

    Only calls to services with `forward_token` send the token.
    """
    current = _current.get()
    if current is not _NONE:
        current.token = token


class _Propagation(AbstractContextManager[None]):
    # Entered once per request: a generator would double the cost.
    __slots__ = ("_headers", "_incoming", "_scope", "_token")

    def __init__(
        self, headers: dict[str, str], incoming: RawHeaders, scope: Scope | None = None
    ) -> None:
        self._headers = headers
        self._incoming = incoming
        self._scope = scope

    def __enter__(self) -> None:
        self._token: Token[PropagatedHeaders] = _current.set(
            _current.get().add(self._headers, self._incoming, self._scope)
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _current.reset(self._token)


def build_trace_headers(
    traceparent: bytes | None, tracestate: bytes | None, request_id: str
) -> dict[str, str]:
    """Return the trace fields for the calls of a request.

    A valid `traceparent` of the caller is passed through unchanged: the gateway reports no spans,
    so a new parent id would refer to a span that does not exist (section 4.3, "pass through").
    Otherwise the gateway starts a new trace, not sampled. The trace id is the request id if that
    is 32 hexadecimal digits, to correlate logs and traces.
    """
    parent = _parse_traceparent(traceparent) if traceparent else None
    if parent is not None:
        fields = {"traceparent": parent.decode("ascii")}
        if tracestate and len(tracestate) <= _MAX_TRACESTATE and tracestate.isascii():
            state = tracestate.decode("ascii")
            if state.isprintable():
                fields["tracestate"] = state
        return fields
    trace_id = request_id
    if not _TRACE_ID.fullmatch(request_id) or request_id == _NO_TRACE_ID:
        trace_id = _generate_id(16)
    return {"traceparent": f"00-{trace_id}-{_generate_id(8)}-00"}


def _parse_traceparent(value: bytes) -> bytes | None:
    """Return a valid `traceparent`, or None.

    Of a later version, the fields of version 00 are taken (section 4.3, "versioning").
    """
    if _TRACEPARENT.fullmatch(value):
        return value
    later = _LATER_TRACEPARENT.fullmatch(value)
    return b"00%b%02x" % (later[1], int(later[2], 16) & _SAMPLED) if later else None


def _generate_id(size: int) -> str:
    """Return a random id of `size` bytes; its lowest bit is set, as an id of zeros is invalid."""
    return (getrandbits(size * 8) | 1).to_bytes(size).hex()
