"""`AddressLimit`: limits the wrong API keys of a client address."""

from starlette.requests import HTTPConnection

from gateway.auth.wrong_key import WrongKeyLimit
from gateway.client_ip import find_client_address
from gateway.ratelimit.limits import Demand, Limits
from gateway.ratelimit.partition import address_partition
from gateway.ratelimit.policy import RateLimit
from gateway.ratelimit.require_admission import require_admission
from gateway.ratelimit.reserved_policy_names import WRONG_API_KEYS
from gateway.request_context import RequestContext
from gateway.resources import Resources
from gateway.settings.schema import Settings
from gateway.storage.open_storage import Storage


class AddressLimit(WrongKeyLimit):
    """Counts wrong keys as other limits are counted: in Redis, or else in the process."""

    def __init__(self, limits: Limits, settings: Settings) -> None:
        self._limits = limits
        self._server = settings.server
        self._policy = RateLimit(WRONG_API_KEYS, settings.tokens.wrong_key_limit, per="address")

    async def charge(self, connection: HTTPConnection) -> None:
        """Charge one wrong key to the address of the client.

        Raises:
            QuotaExceeded: the address has sent too many.
        """
        partition = address_partition(find_client_address(connection, self._server).ip)
        context = RequestContext.of(connection.scope)
        await require_admission(self._limits, [Demand(self._policy, partition)], context)


def open_address_limit(settings: Settings, resources: Resources) -> None:
    """Open the limit into `resources`, if there is a database, so that there are API keys."""
    if Storage in resources:
        resources[WrongKeyLimit] = AddressLimit(resources[Limits], settings)
