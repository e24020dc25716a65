"""`AttemptLimit`: limits the attempts to authenticate as a client."""

from starlette.requests import Request

from gateway.client_ip import find_client_address
from gateway.ratelimit.limiter import Charge, RateLimiter
from gateway.ratelimit.partition import address_partition, digest, make_key
from gateway.ratelimit.policy import RateLimit
from gateway.ratelimit.require_admission import require_admission
from gateway.request_context import RequestContext
from gateway.settings.schema import Settings


class AttemptLimit:
    """Counts attempts per client address and per client id, whether or not the id is known."""

    def __init__(self, limiter: RateLimiter, settings: Settings) -> None:
        oauth = settings.oauth
        self._limiter = limiter
        self._server = settings.server
        self._per_address = RateLimit("oauth_addresses", oauth.address_limit, per="address")
        self._per_client = RateLimit("oauth_clients", oauth.client_limit, per="service")

    async def charge(self, request: Request, client_id: str) -> None:
        """Charge one attempt to both.

        Raises:
            QuotaExceeded: there were too many.
        """
        address = find_client_address(request, self._server).ip
        charges = [
            Charge(self._per_address, make_key(self._per_address, address_partition(address))),
            Charge(self._per_client, make_key(self._per_client, f"client:{digest(client_id)}")),
        ]
        await require_admission(self._limiter, charges, RequestContext.of(request.scope))
