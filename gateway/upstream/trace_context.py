"""W3C Trace Context: the `traceparent` and `tracestate` that calls send to services.

https://www.w3.org/TR/trace-context/, version 00.
"""

import re
from random import getrandbits

_TRACEPARENT = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)
_TRACE_ID = re.compile(r"[0-9a-f]{32}")
_NO_TRACE_ID = "0" * 32
_MAX_TRACESTATE = 512

TRACEPARENT = b"traceparent"
TRACESTATE = b"tracestate"


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
