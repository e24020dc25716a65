"""`WrongKeyLimit`: the interface of the limit on wrong API keys, which `gateway/api_keys` has."""

from abc import ABC, abstractmethod

from starlette.requests import HTTPConnection

UNKNOWN, EXPIRED, REVOKED = "unknown_api_key", "expired_api_key", "revoked_api_key"

REASONS = frozenset({UNKNOWN, EXPIRED, REVOKED})
"""Why an API key is refused, for the log; the response is the same for each."""


class WrongKeyLimit(ABC):
    """Limits the wrong API keys that one client address sends. A right key is never counted."""

    @abstractmethod
    async def charge(self, connection: HTTPConnection) -> None:
        """Charge one wrong key.

        Raises:
            QuotaExceeded: the address has sent too many.
        """
