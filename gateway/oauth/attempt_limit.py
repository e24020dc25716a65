"""`AttemptLimit`: limits the failed attempts to authenticate as a client."""

from starlette.requests import Request

from gateway.client_ip import find_client_address
from gateway.ratelimit.limits import Demand, Limits
from gateway.ratelimit.partition import address_partition, digest
from gateway.ratelimit.policy import RateLimit
from gateway.ratelimit.require_admission import require_admission, require_remaining
from gateway.ratelimit.reserved_policy_names import OAUTH_ADDRESSES, OAUTH_CLIENTS
from gateway.request_context import RequestContext
from gateway.settings.schema import Settings


class AttemptLimit:
    """Counts attempts per client address, and per client id at an address.

    An id is counted whether or not it is known. The attempts of one address count for no other, so
    that a client is not locked out by the wrong secrets that others send for its id.
    """

    def __init__(self, limits: Limits, settings: Settings) -> None:
        oauth = settings.oauth
        self._limits = limits
        self._server = settings.server
        self._per_address = RateLimit(OAUTH_ADDRESSES, oauth.address_limit, per="address")
        self._per_client = RateLimit(OAUTH_CLIENTS, oauth.client_limit, per="service")

    def find_address(self, request: Request) -> str:
        """Return what is counted as one address: an IPv4 address, or an IPv6 network of 64 bits."""
        return address_partition(find_client_address(request, self._server).ip)

    async def charge(self, request: Request, client_id: str | None) -> None:
        """Charge one attempt: to its address, and to the id if it names one.

        Raises:
            QuotaExceeded: there were too many.
        """
        demands = self._list_demands(request, client_id)
        await require_admission(self._limits, demands, RequestContext.of(request.scope))

    async def check(self, request: Request, client_id: str) -> None:
        """Refuse an attempt that could not be charged. Nothing is charged.

        Raises:
            QuotaExceeded: there were too many.
        """
        demands = self._list_demands(request, client_id)
        await require_remaining(self._limits, demands, RequestContext.of(request.scope))

    def _list_demands(self, request: Request, client_id: str | None) -> list[Demand]:
        address = self.find_address(request)
        demands = [Demand(self._per_address, address)]
        if client_id is not None:
            demands.append(Demand(self._per_client, f"client:{digest(client_id, address)}"))
        return demands
