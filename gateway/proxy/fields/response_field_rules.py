"""The rule for each header field of a response that goes back to the caller, by its name.

`docs/decisions/proxied-fields.md` has the reason for each name.
"""

from enum import StrEnum

from gateway.proxy.fields.removed_response_fields import REMOVED, REMOVED_BEGINNINGS


class ResponseRule(StrEnum):
    """The treatment of a field."""

    KEEP = "it goes back as it is"
    DROP = "it is removed"
    CONNECTION = "it is removed, and so are the fields that it names"
    VIA = "it goes back with the gateway appended"
    REFERENCE = "a reference to the service becomes one to the gateway"
    COOKIE = "it goes back with the path of the gateway, if the route forwards cookies"
    CHALLENGE = "it goes back if the route forwards the token that it asks for"
    CACHE_CONTROL = "it goes back, but a shared cache must not store what needs a token"
    SHARED_CACHE = "it goes back if the route is public"


_SPECIAL = {
    b"connection": ResponseRule.CONNECTION,
    b"via": ResponseRule.VIA,
    b"location": ResponseRule.REFERENCE,
    b"content-location": ResponseRule.REFERENCE,
    b"refresh": ResponseRule.REFERENCE,
    b"link": ResponseRule.REFERENCE,
    b"set-cookie": ResponseRule.COOKIE,
    b"www-authenticate": ResponseRule.CHALLENGE,
    b"authentication-info": ResponseRule.CHALLENGE,
    b"cache-control": ResponseRule.CACHE_CONTROL,
    b"surrogate-control": ResponseRule.SHARED_CACHE,
}


def find_response_rule(name: bytes) -> ResponseRule:
    """Return the rule for a field; `name` is in lower case."""
    if name in _SPECIAL:
        return _SPECIAL[name]
    if name.endswith(b"cdn-cache-control"):
        return ResponseRule.SHARED_CACHE
    is_dropped = name in REMOVED or name.startswith(REMOVED_BEGINNINGS)
    return ResponseRule.DROP if is_dropped else ResponseRule.KEEP
