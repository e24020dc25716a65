"""Trailer fields of proxied responses: which of them are passed on (RFC 9110, 6.5).

Those of requests are selected by `RequestFields`, because the settings of a service name fields
that no caller may send.
"""

from functools import lru_cache

from gateway.http1_grammar import FieldList, Fields
from gateway.proxy.fields.response_field_rules import ResponseRule, find_response_rule

_ONLY_IN_HEADS = frozenset(
    {
        b"age", b"content-encoding", b"content-length", b"content-range", b"content-type",
        b"expires", b"pragma", b"retry-after", b"vary",
    }
)  # fmt: skip
"""Fields that say how to read the message, and must be known before its body."""


def filter_response_trailers(fields: Fields) -> FieldList:
    """Return the trailers of a service that may go back."""
    return [field for field in fields if _may_go_back(field[0].lower())]


@lru_cache(maxsize=256)
def _may_go_back(name: bytes) -> bool:
    return find_response_rule(name) is ResponseRule.KEEP and name not in _ONLY_IN_HEADS
