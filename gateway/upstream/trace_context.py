"""W3C Trace Context: the `traceparent` and `tracestate` that calls send to services.

https://www.w3.org/TR/trace-context/, version 00.
"""

import re
from random import getrandbits

_TRACEPARENT = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)
_REQUEST_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")
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
    is_trace_id = _REQUEST_ID.fullmatch(request_id)
    trace_id = request_id if is_trace_id else f"{getrandbits(128) | 1:032x}"
    return {"traceparent": f"00-{trace_id}-{getrandbits(64) | 1:016x}-00"}
