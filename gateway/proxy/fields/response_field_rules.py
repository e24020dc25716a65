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


SHARED_CACHE_BEGINNINGS = (
    b"akamai-", b"cdn-", b"cloudflare-", b"edge-", b"fastly-", b"netlify-", b"surrogate-",
    b"vercel-", b"x-accel-expires", b"x-akamai-", b"x-edge-", b"x-esi",
    b"x-fastly-", b"x-litespeed-", b"x-lscache", b"x-surrogate-", b"x-ttl", b"x-varnish-",
    b"x-vercel-",
)  # fmt: skip
"""Beginnings of fields by which a service tells a cache in front what to store, and for how long.

Such caches prefer them to `Cache-Control`: nginx stores by `X-Accel-Expires` what is `private`.
"""

SHARED_CACHE_ENDS = (b"-cache-control", b"-cache-ttl", b"-surrogate-control")

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
}


def find_response_rule(name: bytes) -> ResponseRule:
    """Return the rule for a field; `name` is in lower case."""
    if name in _SPECIAL:
        return _SPECIAL[name]
    if name.startswith(SHARED_CACHE_BEGINNINGS) or name.endswith(SHARED_CACHE_ENDS):
        return ResponseRule.SHARED_CACHE
    is_dropped = name in REMOVED or name.startswith(REMOVED_BEGINNINGS)
    return ResponseRule.DROP if is_dropped else ResponseRule.KEEP
