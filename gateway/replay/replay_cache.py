"""`ReplayCache`: the interface of the caches."""

import hashlib
from typing import Protocol


class ReplayCache(Protocol):
    """Remembers which values have been used, of several kinds. It forgets none too early."""

    async def remember(self, kind: str, value: str, seconds: float) -> bool:
        """Return True the first time, and False if the value was used within its `seconds`.

        Of several calls at once, one returns True, whichever process makes them.

        Raises:
            ReplayCacheUnavailable, DatabaseUnavailable: it is not known whether the value was
                used. It may be remembered all the same.
        """


def hash_value(kind: str, value: str) -> bytes:
    """Return the SHA-256 of a value, which is all that a cache keeps of it."""
    return hashlib.sha256(f"{kind} {value}".encode()).digest()
