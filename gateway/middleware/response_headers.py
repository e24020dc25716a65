"""Completes the head of a response: the fields of the `RequestContext`, and safe defaults."""

import re
from collections.abc import Iterable

from starlette.types import Message

from gateway.http1_grammar import Fields
from gateway.middleware.compression import VARY_BY_CODING, find_encodable_length
from gateway.request_context import NO_TRANSFORM, RequestContext

REQUEST_ID = b"x-request-id"

_CACHE_CONTROL, _CONTENT_TYPE_OPTIONS, _VARY = b"cache-control", b"x-content-type-options", b"vary"
_CONTENT_LENGTH, _CONTENT_TYPE = b"content-length", b"content-type"
_BUFFERING = b"x-accel-buffering"
_NO_STORE = (_CACHE_CONTROL, b"no-store")
_NO_SNIFF = (_CONTENT_TYPE_OPTIONS, b"nosniff")
_NO_BUFFERING = (_BUFFERING, b"no")
_EVENT_STREAM = re.compile(rb"text/event-stream[ \t]*(?:;.*)?", re.IGNORECASE)


def complete_head(message: Message, context: RequestContext, *, may_compress: bool) -> None:
    """Add to the head of a response what the context has gathered; log its `Server-Timing`.

    A browser or a proxy must not store a private response, nor guess the type of any; a field that
    the application has set itself is kept. A response that the gateway `may_compress` depends on
    `Accept-Encoding`. Several `Vary` become one, because some caches read the first one only.
    nginx would hold the events of an event stream back without `X-Accel-Buffering: no`.
    """
    sent = message.get("headers", ())
    names = dict(sent)
    headers = [*sent, (REQUEST_ID, context.request_id.encode()), *context.response_headers]
    if context.server_timing:
        metrics = [f"{name};dur={seconds * 1000:.1f}" for name, seconds in context.server_timing]
        timing = ", ".join(metrics)
        headers.append((b"server-timing", timing.encode()))
        context.log_fields["server_timing"] = timing
    if _CONTENT_TYPE_OPTIONS not in names:
        headers.append(_NO_SNIFF)
    may_compress = may_compress and NO_TRANSFORM not in message
    if _CONTENT_LENGTH not in names and _BUFFERING not in names and _is_event_stream(sent):
        headers.append(_NO_BUFFERING)
    if context.is_private:
        if _CACHE_CONTROL not in names:
            headers.append(_NO_STORE)
    elif may_compress and find_encodable_length(message) is not None:
        headers.append(VARY_BY_CODING)
        names[_VARY] = b""
    message["headers"] = [*_merge_vary(headers)] if _VARY in names else headers


def _is_event_stream(fields: Fields) -> bool:
    return any(name == _CONTENT_TYPE and _EVENT_STREAM.fullmatch(value) for name, value in fields)


def _merge_vary(headers: Fields) -> Iterable[tuple[bytes, bytes]]:
    """Yield the fields with one `Vary`; `*` contains all names (RFC 9110, 12.5.5)."""
    listed: dict[bytes, bytes] = {}
    for name, value in headers:
        if name == _VARY:
            for item in value.split(b","):
                listed.setdefault(item.strip().lower(), item.strip())
        else:
            yield name, value
    listed.pop(b"", None)
    yield _VARY, b"*" if b"*" in listed else b", ".join(listed.values())
