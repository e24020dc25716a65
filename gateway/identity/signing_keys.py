"""Which key signs, and which keys are published: decided from the times at which keys were created.

All processes that read one key file agree without a word to each other. A key

1. is published from its creation on;
2. signs from `SIGNING_DELAY` after its creation on, until the next key does. By then, each process
   has read the file, and each service that caches the key set for `KEY_SET_MAX_AGE` has the key;
3. is published for `RETIREMENT` more, until its last token has expired.

The oldest key signs from the beginning: there is no other.
"""

from collections.abc import Iterator, Sequence

from gateway.identity.signing_key import SigningKey

TOKEN_SECONDS = 60
"""The lifetime of an internal token."""

KEY_SET_MAX_AGE = 300
"""The seconds for which a service may cache the published key set."""

SIGNING_DELAY = 2 * KEY_SET_MAX_AGE
"""Once for the file to reach every process, and once for the caches of the services."""

RETIREMENT = 2 * TOKEN_SECONDS
"""Once for the last token of a key, and once for the clock tolerance of the services."""


class SigningKeys:
    """The keys of one file, the oldest first. There is at least one."""

    def __init__(self, keys: Sequence[SigningKey]) -> None:
        self._keys = tuple(sorted(keys, key=lambda key: key.created_at))

    def __repr__(self) -> str:
        return f"<SigningKeys {', '.join(key.key_id for key in self._keys)}>"

    def __iter__(self) -> Iterator[SigningKey]:
        """Iterate over the keys, the oldest first."""
        return iter(self._keys)

    def get_signing_key(self, now: float) -> SigningKey:
        """Return the key that signs at `now`, in seconds since the epoch."""
        for key in reversed(self._keys):
            if key.created_at + SIGNING_DELAY <= now:
                return key
        return self._keys[0]

    def list_published(self, now: float) -> list[SigningKey]:
        """Return the keys that a service needs at `now` or soon, the oldest first."""
        followers = (*self._keys[1:], None)
        return [
            key
            for key, follower in zip(self._keys, followers, strict=True)
            if follower is None or now < follower.created_at + SIGNING_DELAY + RETIREMENT
        ]
