"""The rule for each header field of a request that goes on to a service, by its name.

`docs/decisions/proxied-fields.md` has the reason for each name.
"""

import re
from enum import StrEnum

from gateway.proxy.fields.removed_request_fields import (
    CLIENT_ADDRESSES,
    IDENTITIES,
    REMOVED,
    REMOVED_BEGINNINGS,
)

_PLAIN_NAME = re.compile(rb"[a-z0-9]+(?:-+[a-z0-9]+)*")
"""A name that CGI, WSGI and their like map to a name of their own that no other name has.

They replace all other characters by `_`, so `x_user_id` and `x.user.id` would become `X-User-Id`.
"""


class RequestRule(StrEnum):
    """The treatment of a field."""

    KEEP = "it goes on as it is"
    DROP = "it is removed"
    ONCE = "it goes on, and a request that has it twice is refused"
    CONNECTION = "it is removed, and so are the fields that it names"
    VIA = "it goes on with the gateway appended"
    CLIENT = "it is removed; of a trusted proxy, it says who the client is"
    HOST = "it is read for the fields about the client, and goes on by the rule of the route"
    MAX_FORWARDS = "it is decremented, for OPTIONS"


ONCE = frozenset(
    {
        b"content-range", b"content-type", b"if-modified-since", b"if-range",
        b"if-unmodified-since", b"origin", b"range", b"referer", b"sec-websocket-key",
        b"sec-websocket-version",
    }
)  # fmt: skip
"""Fields with one value: of two, one service takes the first and another the last."""

END_TO_END = ONCE | {
    b"accept", b"accept-encoding", b"authorization", b"cache-control", b"content-encoding",
    b"content-length", b"cookie", b"dpop", b"host", b"if-match", b"if-none-match", b"via",
}  # fmt: skip
"""Fields that `Connection` must not name, besides those about the client and the caller."""

_TOKEN = frozenset({b"authorization", b"dpop"})

_SPECIAL = {
    b"connection": RequestRule.CONNECTION,
    b"host": RequestRule.HOST,
    b"max-forwards": RequestRule.MAX_FORWARDS,
    b"via": RequestRule.VIA,
    b"forwarded": RequestRule.CLIENT,
    b"x-forwarded-for": RequestRule.CLIENT,
    b"x-forwarded-host": RequestRule.CLIENT,
    b"x-forwarded-port": RequestRule.CLIENT,
    b"x-forwarded-proto": RequestRule.CLIENT,
}


def find_request_rule(name: bytes, *, forward_token: bool, forward_cookies: bool) -> RequestRule:
    """Return the rule for a field; `name` is in lower case."""
    if name in _SPECIAL:
        return _SPECIAL[name]
    if name in ONCE or (name in _TOKEN and forward_token):
        return RequestRule.ONCE
    if name == b"cookie" and forward_cookies:
        return RequestRule.KEEP
    is_dropped = (
        name in REMOVED or name.startswith(REMOVED_BEGINNINGS) or not _PLAIN_NAME.fullmatch(name)
    )
    return RequestRule.DROP if is_dropped else RequestRule.KEEP


def is_end_to_end(name: bytes) -> bool:
    """Whether no sender may list the field in `Connection` (RFC 9110, 7.6.1)."""
    return (
        name in END_TO_END
        or name in CLIENT_ADDRESSES
        or name in IDENTITIES
        or name.startswith(REMOVED_BEGINNINGS)
    )


def is_plain_name(name: str) -> bool:
    """Whether no service takes a field with this name for that of another name."""
    return _PLAIN_NAME.fullmatch(name.lower().encode(errors="replace")) is not None
