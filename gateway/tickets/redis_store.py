"""`RedisTicketStore`: the tickets of all processes, in Redis."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.errors.tree import TicketsUnavailable
from gateway.ratelimit.redis.failures import describe_failure
from gateway.tickets.store import TicketStore
from gateway.tickets.ticket import Ticket, parse_ticket, serialize_ticket

TIMEOUT_SECONDS = 0.5
"""The bound of one command, with the connect before it and the wait for a connection."""

_RETRY_SECONDS = 1.0

T = TypeVar("T")


class RedisTicketStore(TicketStore):
    """Keeps tickets in Redis, which drops them when they expire; each key begins with `prefix`."""

    def __init__(self, redis: Redis, prefix: str, *, is_tls: bool = False) -> None:
        self._redis = redis
        self._prefix = f"{prefix}lockgate:ticket:"
        self._is_tls = is_tls

    async def save(self, digest: str, ticket: Ticket, seconds: int) -> None:
        """Store a ticket, which expires by the clock of Redis."""
        value = digest.encode() + serialize_ticket(ticket)
        await self._run(self._redis.set(self._prefix + digest, value, ex=seconds))

    async def take(self, digest: str) -> Ticket | None:
        """Return a ticket and remove it, in one command (GETDEL, Redis 6.2).

        A value that is no ticket of this version of the gateway counts as unknown.
        """
        stored = await self._run(self._redis.getdel(self._prefix + digest))
        head = digest.encode()
        # The value repeats the digest: a reply to another command can never be taken for this one.
        if not isinstance(stored, bytes) or not stored.startswith(head):
            return None
        try:
            return parse_ticket(stored[len(head) :])
        except ValueError:
            return None

    async def _run(self, command: Awaitable[T]) -> T:
        """Wait for the reply.

        Raises:
            TicketsUnavailable: Redis did not reply in time, or with an error. A ticket may have
                been stored or removed.
        """
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                return await command
        except (RedisError, OSError, TimeoutError) as error:
            explanation = describe_failure(error, is_tls=self._is_tls)
            raise TicketsUnavailable(_RETRY_SECONDS, explanation) from error
