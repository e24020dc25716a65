"""Trailer fields of proxied bodies: which of them are passed on (RFC 9110, 6.5)."""

from functools import lru_cache

from gateway.http1_grammar import FieldList, Fields
from gateway.proxy.request_field_rules import RequestRule, find_request_rule
from gateway.proxy.response_field_rules import ResponseRule, find_response_rule

_ONLY_IN_HEADS = frozenset(
    {
        b"age", b"content-encoding", b"content-length", b"content-range", b"content-type",
        b"expires", b"pragma", b"range", b"retry-after", b"vary",
    }
)  # fmt: skip
"""Fields that say how to read the message, and must be known before its body."""


def filter_request_trailers(fields: Fields) -> FieldList:
    """Return the trailers of a caller that may go on: no identity, no route, no framing."""
    return [field for field in fields if _may_go_on(field[0].lower())]


def filter_response_trailers(fields: Fields) -> FieldList:
    """Return the trailers of a service that may go back."""
    return [field for field in fields if _may_go_back(field[0].lower())]


@lru_cache(maxsize=256)
def _may_go_on(name: bytes) -> bool:
    rule = find_request_rule(name, forward_token=False, forward_cookies=False)
    return rule is RequestRule.KEEP and name not in _ONLY_IN_HEADS


@lru_cache(maxsize=256)
def _may_go_back(name: bytes) -> bool:
    return find_response_rule(name) is ResponseRule.KEEP and name not in _ONLY_IN_HEADS
