"""`Via`: names the gateway in both directions, and finds a request that it has sent itself.

RFC 9110, section 7.6.3; RFC 5842, section 7.2, for the 508.
"""

from collections.abc import Sequence
from random import getrandbits

from starlette.exceptions import HTTPException
from starlette.types import Scope

from gateway.request_context import RequestContext

PSEUDONYM = b"lockgate-%08x" % getrandbits(32)
"""The name of this process: two gateways, one behind the other, are not a loop.

A loop through several processes of one gateway ends when a request meets one of them again.
"""

_OWN = {version: b"%b %b" % (version.encode(), PSEUDONYM) for version in ("1.0", "1.1", "2", "3")}

RESPONSE_VIA = _OWN["1.1"]

_LOOP = "The request has come back to the gateway: the address of the service leads to it again."


def build_via(received: Sequence[tuple[bytes, bytes]], scope: Scope) -> bytes:
    """Return the `Via` of a request that goes on: the hops that it had, and the gateway.

    Raises:
        HTTPException: 508, this process has sent the request before.
    """
    own = _OWN[scope["http_version"]]
    if not received:
        return own
    hops = b", ".join(value for _, value in received)
    if PSEUDONYM in hops:
        RequestContext.of(scope).log_fields["error"] = _LOOP
        raise HTTPException(508, _LOOP)
    return b"%b, %b" % (hops, own)
