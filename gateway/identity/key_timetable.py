"""The timetable of signing keys: which key signs, and which keys are published.

The times of creation alone decide, so all processes with the same keys agree. A key

1. is published from its creation on;
2. signs from `SIGNING_DELAY` after its creation on, until the next key does. By then, each process
   has read the key, and each service that caches the key set for `KEY_SET_MAX_AGE` has the key;
3. is published for `RETIREMENT` more, until its last token has expired.

The oldest key signs from the beginning: there is no other.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from gateway.identity.signing_key import SigningKey
from gateway.settings.schema import MAX_TOKEN_SECONDS

TOKEN_SECONDS = 60
"""The lifetime of an internal token."""

KEY_SET_MAX_AGE = 300
"""The seconds for which a service may cache the published key set."""

SIGNING_DELAY = 2 * KEY_SET_MAX_AGE
"""Once for the key to reach every process, and once for the caches of the services."""

RETIREMENT = MAX_TOKEN_SECONDS + 60
"""For the last access token of a key, and for the clock tolerance of those who verify it."""


class KeyPeriods(NamedTuple):
    """A key with its times, in seconds since the epoch; the newest key has no end (infinity)."""

    key: SigningKey
    signs_from: float
    signs_until: float
    published_until: float


class SigningKeys:
    """The keys of a file or of the database, the oldest first. There is at least one."""

    def __init__(self, keys: Sequence[SigningKey]) -> None:
        ordered = sorted(keys, key=lambda key: key.created_at)
        starts = [
            ordered[0].created_at,
            *(key.created_at + SIGNING_DELAY for key in ordered[1:]),
        ]
        ends = [*starts[1:], math.inf]
        self.periods = tuple(
            KeyPeriods(key, start, end, end + RETIREMENT)
            for key, start, end in zip(ordered, starts, ends, strict=True)
        )

    def __repr__(self) -> str:
        return f"<SigningKeys {', '.join(self.ids)}>"

    @property
    def ids(self) -> list[str]:
        """The ids of the keys, the oldest first."""
        return [period.key.key_id for period in self.periods]

    def get_signing_key(self, now: float) -> SigningKey:
        """Return the key that signs at `now`, in seconds since the epoch."""
        for period in reversed(self.periods):
            if period.signs_from <= now:
                return period.key
        return self.periods[0].key

    def list_published(self, now: float) -> list[SigningKey]:
        """Return the keys that a service needs at `now` or soon, the oldest first."""
        return [period.key for period in self.periods if now < period.published_until]

    def list_dropped(self, others: "SigningKeys", now: float) -> list[str]:
        """Return the ids of the keys that have signed, are needed, and are not in `others`.

        Services refuse the last tokens of such a key, and those that other processes sign with it.
        """
        kept = [key.public_jwk for key in others.list_published(now)]
        return [
            period.key.key_id
            for period in self.periods
            if period.signs_from <= now < period.published_until
            and period.key.public_jwk not in kept
        ]
