"""Verifies secrets of clients off the event loop, bounded; the hash is in `client_secret.py`."""

import asyncio
import hmac
import os
import sys
from collections import Counter, OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from gateway.errors.tree import Overloaded
from gateway.oauth.client import ClientSecret
from gateway.oauth.client_secret import SecretHash, generate_secret, hash_secret

THREADS = 1
MAX_WAITING = 20
"""The most checks at a time, at about 50 ms each; above that, clients get 503.

A client address may have as many as places are left: half of all, if no other has any. So one
address alone cannot fill the queue.
"""

_MAX_KNOWN = 1_000
_RETRY_SECONDS = 1.0
_NICENESS = 10


class SecretVerifier:
    """Compares a secret with the hashes of a client.

    A secret that has been right is known by a keyed digest, so that a client pays for the slow hash
    once in the life of a process. A wrong secret, and any secret of an unknown client, always cost
    one slow hash, as the secrets of a client share a salt: the time tells nothing about the client.
    """

    # Invariants:
    # - `_known` has keyed digests of pairs of a hash and a secret, never a secret. The key is of
    #   this process alone.
    # - `_waiting` counts the checks that wait for a thread or run in one, by client address. It has
    #   no address without one.

    def __init__(self) -> None:
        self._key = os.urandom(32)
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._executor = ThreadPoolExecutor(
            THREADS, thread_name_prefix="client secrets", initializer=_lower_priority
        )
        self._waiting = Counter[str]()
        self._decoy: SecretHash | None = None

    def __repr__(self) -> str:
        waiting = self._waiting.total()
        return f"<{type(self).__name__} known={len(self._known)} waiting={waiting}>"

    def close(self) -> None:
        """Stop the thread after the check that it runs."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def is_known(self, secret: str, stored: Sequence[ClientSecret], now: float) -> bool:
        """Whether a secret has been right before, and still is: no slow hash is needed."""
        for one in _list_hashes(stored, now):
            if (digest := self._compute_digest(one, secret)) in self._known:
                self._known.move_to_end(digest)
                return True
        return False

    async def is_valid(
        self, secret: str, stored: Sequence[ClientSecret], now: float, address: str
    ) -> bool:
        """Whether a secret is one of those that are stored and have not expired.

        `stored` is empty for an unknown client. `address` is that of the client.

        Raises:
            Overloaded: too many checks wait already, of all addresses or of this one.
        """
        if self.is_known(secret, stored, now):
            return True
        if self._waiting[address] >= MAX_WAITING - self._waiting.total():
            raise Overloaded(_RETRY_SECONDS)
        found = await self._start(secret, _list_hashes(stored, now), address)
        if found is None:
            return False
        self._remember(self._compute_digest(found, secret))
        return True

    def _start(
        self, secret: str, hashes: Sequence[SecretHash], address: str
    ) -> asyncio.Future[SecretHash | None]:
        """Start a check, which counts until it ends, also if its caller goes away."""
        self._waiting[address] += 1
        loop = asyncio.get_running_loop()
        checking = loop.run_in_executor(self._executor, self._find, secret, hashes)
        checking.add_done_callback(partial(self._count_end, address))
        return asyncio.shield(checking)

    def _count_end(self, address: str, checking: "asyncio.Future[SecretHash | None]") -> None:
        self._waiting[address] -= 1
        if not self._waiting[address]:
            del self._waiting[address]
        if not checking.cancelled():
            checking.exception()  # asyncio would log one whose caller has gone

    def _find(self, secret: str, hashes: Sequence[SecretHash]) -> SecretHash | None:
        """Return the hash of the secret; one is computed for each salt, at least one. Blocks."""
        if not hashes:
            if self._decoy is None:
                self._decoy = hash_secret(generate_secret())
            self._decoy.compute(secret)
            return None
        different = {one.parameters: one for one in hashes}
        computed = {parameters: one.compute(secret) for parameters, one in different.items()}
        matching = [one for one in hashes if one.is_equal(computed[one.parameters])]
        return matching[0] if matching else None

    def _compute_digest(self, stored: SecretHash, secret: str) -> bytes:
        # The salt has a fixed length, so no other pair has the same bytes.
        data = stored.salt + stored.hash + secret.encode()
        return hmac.digest(self._key, data, "sha256")

    def _remember(self, digest: bytes) -> None:
        self._known[digest] = None
        if len(self._known) > _MAX_KNOWN:
            self._known.popitem(last=False)


def _lower_priority() -> None:
    """Let the event loop have the core first. Only on Linux has a thread a priority of its own."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)


def _list_hashes(stored: Sequence[ClientSecret], now: float) -> list[SecretHash]:
    """Return the hashes of the secrets that have not expired."""
    return [it.hash for it in stored if it.expires_at is None or now < it.expires_at]
