"""`Via`: names the gateway in both directions, and finds a request that it has sent itself.

RFC 9110, section 7.6.3; RFC 5842, section 7.2, for the 508.
"""

from collections.abc import Sequence
from random import getrandbits

from starlette.exceptions import HTTPException
from starlette.types import Scope

from gateway.request_context import RequestContext

PSEUDONYM = b"lockgate-%08x" % getrandbits(32)
"""The name of this process: two gateways, one behind the other, are no loop.

A loop through several processes of one gateway ends when a request meets one of them again.
"""

RESPONSE_VIA = b"1.1 " + PSEUDONYM

_LOOP = "The request has come back to the gateway: the address of the service leads to it again."


def build_via(received: Sequence[bytes], scope: Scope) -> bytes:
    """Return the `Via` of a request that goes on, with the hops that it had.

    Raises:
        HTTPException: 508, this process has sent the request before.
    """
    hops = b", ".join(received)
    if PSEUDONYM in hops:
        RequestContext.of(scope).log_fields["error"] = _LOOP
        raise HTTPException(508, _LOOP)
    own = b"%b %b" % (scope["http_version"].encode(), PSEUDONYM)
    return b"%b, %b" % (hops, own) if hops else own
