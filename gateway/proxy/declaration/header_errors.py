"""Checks the options that set and remove header fields of a proxied route.

`docs/decisions/proxied-fields.md` says why some fields can be neither set nor removed.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from gateway.http1_grammar import FIELD_VALUE, TOKEN
from gateway.proxy.fields import removed_request_fields as request
from gateway.proxy.fields import removed_response_fields as response
from gateway.proxy.fields.cache_control import restrict_to_caller
from gateway.proxy.fields.response_field_rules import ResponseRule, find_response_rule

_PLAIN_NAME = re.compile(r"[a-z0-9]+(?:-+[a-z0-9]+)*")
_CORS = b"access-control-"
_PER_CLIENT = (b"sec-websocket-", b"x-forwarded-")
_BODY = frozenset({b"content-encoding", b"content-range"})

_SETS_ITSELF = "the gateway sets itself"
_OF_THE_CONNECTION = "is for one connection, whose fields the gateway sets itself"
_OF_THE_BODY = "describes the body, which goes through unchanged"


class Reserved(NamedTuple):
    """Fields that an option must not name, and the reason after `which`."""

    reason: str
    names: frozenset[str]
    beginnings: tuple[str, ...]


def _reserve(reason: str, names: Iterable[bytes], *beginnings: bytes) -> Reserved:
    texts = tuple(beginning.decode() for beginning in beginnings)
    return Reserved(reason, frozenset(name.decode() for name in names), texts)


NOT_SET_IN_REQUESTS = (
    _reserve(
        "is a credential; set it in upstreams.NAME.headers, which keeps it out of the code",
        request.CREDENTIALS,
    ),
    _reserve("says who the caller is; see the option identity", (), b"x-user-"),
    _reserve(
        "is the host of upstreams.NAME.url, or that of the caller with preserve_host", {b"host"}
    ),
    _reserve(_OF_THE_CONNECTION, request.HOP_BY_HOP | {b"connection"}),
    _reserve(_SETS_ITSELF, request.GATEWAY_SETS | {b"max-forwards", b"via"}),
    _reserve(
        "depends on the client of each request",
        request.CLIENT_ADDRESSES,
        *_PER_CLIENT,
    ),
    _reserve(_OF_THE_BODY, _BODY),
)
_NOT_REMOVED_FROM_REQUESTS = (
    _reserve(
        "the gateway reads, and sets itself",
        {b"connection", b"content-length", b"forwarded", b"host", b"transfer-encoding", b"via"},
        *_PER_CLIENT,
    ),
)
NEITHER_IN_RESPONSES = (
    _reserve(_OF_THE_CONNECTION, response.HOP_BY_HOP | {b"connection", b"content-length"}),
    _reserve("the gateway sets by server.cors_origins", (), _CORS),
    _reserve(
        _SETS_ITSELF,
        response.GATEWAY_SETS | {b"via"},
        *(it for it in response.REMOVED_BEGINNINGS if it != _CORS),
    ),
    _reserve("belongs to the handshake of a WebSocket", (), b"sec-websocket-"),
    _reserve(_OF_THE_BODY, _BODY),
)
ONLY_NOT_SET_IN_RESPONSES = _reserve(
    "would be the same for all callers, in place of the cookies of the service", {b"set-cookie"}
)
ONLY_NOT_REMOVED_FROM_RESPONSES = _reserve(
    "the gateway adds to a response in any case", {b"server-timing", b"x-content-type-options"}
)
_MAY_BE_SET = frozenset({"x-forwarded-prefix"})
"""A name that is the same for all clients, in spite of its beginning."""


def find_header_errors(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield the errors of the options that set or remove fields, in requests and in responses.

    No error quotes a value.
    """
    for option in ("set_headers", "set_response_headers"):
        for name in values[option]:
            if not isinstance(name, str):
                yield f"{option} has the name {name!r:.80}, which is not a text"
    fields, response_fields = map(
        _select_text_names, (values["set_headers"], values["set_response_headers"])
    )
    yield from _find_request_errors(
        fields, values["remove_headers"], forward_token=values["forward_token"]
    )
    yield from _find_response_errors(response_fields, values["remove_response_headers"])
    if values["public"] is None:
        yield from _find_cache_errors(response_fields)


def _select_text_names(fields: Mapping[object, object]) -> Mapping[str, object]:
    return {name: value for name, value in fields.items() if isinstance(name, str)}


def _find_request_errors(
    fields: Mapping[str, object], removed: Sequence[str], *, forward_token: bool
) -> Iterator[str]:
    for name in fields:
        if not _PLAIN_NAME.fullmatch(name.lower()):
            yield f"set_headers has {name!r:.80}; a name has letters, digits and hyphens alone"
    for name in removed:
        if not _PLAIN_NAME.fullmatch(name.lower()):
            yield (
                f"remove_headers has {name!r:.80}; a name has letters, digits and hyphens alone "
                "(fields with other names are removed in any case)"
            )
        elif name.lower() == "authorization" and forward_token:
            yield "remove_headers has authorization, which forward_token sends"
    yield from _find_reserved("set_headers", fields, NOT_SET_IN_REQUESTS)
    yield from _find_reserved("remove_headers", removed, _NOT_REMOVED_FROM_REQUESTS)
    yield from _find_pair_errors("set_headers", fields, "remove_headers", removed)


def _find_response_errors(fields: Mapping[str, object], removed: Sequence[str]) -> Iterator[str]:
    to_set, to_remove = "set_response_headers", "remove_response_headers"
    for option, names in ((to_set, [*fields]), (to_remove, removed)):
        for name in names:
            if not (name.isascii() and TOKEN.fullmatch(name.encode())):
                yield f"{option} has {name!r:.80}, which is not the name of a header field"
    not_set = [*NEITHER_IN_RESPONSES, ONLY_NOT_SET_IN_RESPONSES]
    yield from _find_reserved(to_set, fields, not_set)
    not_removed = [*NEITHER_IN_RESPONSES, ONLY_NOT_REMOVED_FROM_RESPONSES]
    yield from _find_reserved(to_remove, removed, not_removed)
    yield from _find_pair_errors(to_set, fields, to_remove, removed)


def _find_reserved(
    option: str, names: Iterable[str], reserved: Sequence[Reserved]
) -> Iterator[str]:
    for name in names:
        lower = name.lower()
        for group in reserved:
            is_reserved = lower in group.names or lower.startswith(group.beginnings)
            if is_reserved and lower not in _MAY_BE_SET:
                yield f"{option} has {name}, which {group.reason}"
                break


def _find_pair_errors(
    set_option: str, fields: Mapping[str, object], remove_option: str, removed: Sequence[str]
) -> Iterator[str]:
    """Yield the errors of values, and of names that are in one or both options twice."""
    for name, value in fields.items():
        if error := _find_value_error(value, remove_option):
            yield f"{set_option} has {name!r:.80} with a value that {error}"
    for option, names in ((set_option, [*fields]), (remove_option, [*removed])):
        if len({name.lower() for name in names}) < len(names):
            yield f"{option} has a name twice: {', '.join(names)}"
    for name in {name.lower() for name in fields} & {name.lower() for name in removed}:
        yield (
            f"{set_option} and {remove_option} both have {name}; a field that is set replaces "
            "any other, so remove it from the second"
        )


def _find_value_error(value: object, remove_option: str) -> str:
    """Return what is wrong with a value, without the value; "" if nothing is."""
    if not isinstance(value, str):
        return "is not a text"
    if not value:
        return f"is empty; to remove a field, name it in {remove_option}"
    if not (value.isascii() and FIELD_VALUE.fullmatch(value.encode())):
        return "has characters that a header field cannot have; use printable ASCII"
    return "" if value == value.strip() else "begins or ends with a space"


def _find_cache_errors(fields: Mapping[str, object]) -> Iterator[str]:
    """Yield the errors of fields that would let a shared cache store what needs a token."""
    for name, value in fields.items():
        rule = find_response_rule(name.lower().encode())
        if rule is ResponseRule.SHARED_CACHE:
            yield (
                f"set_response_headers has {name}, which is for shared caches: they would serve "
                "the response to callers without a token"
            )
        elif rule is ResponseRule.CACHE_CONTROL and not _is_private(str(value)):
            yield (
                f"set_response_headers has {name} without private or no-store: a shared cache "
                'would serve the response to callers without a token; write "private, …"'
            )


def _is_private(value: str) -> bool:
    """Whether no shared cache stores a response with this `Cache-Control`."""
    text = value.encode("ascii", errors="replace")
    return restrict_to_caller(text) == text
