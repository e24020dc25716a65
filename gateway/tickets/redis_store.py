"""`RedisTicketStore`: the tickets of all processes, in Redis."""

from collections.abc import Awaitable
from typing import TypeVar

from gateway.errors.tree import TicketRefused, TicketsUnavailable
from gateway.ratelimit.redis.commands import RedisCommandFailed, RedisCommands
from gateway.tickets.signed_tickets import InvalidTicket, SignedTickets
from gateway.tickets.store import TicketStore
from gateway.tickets.ticket import Ticket

_RETRY_SECONDS = 1.0

T = TypeVar("T")


class RedisTicketStore(TicketStore):
    """Keeps signed tickets in Redis, which drops them when they expire."""

    def __init__(self, commands: RedisCommands, signed: SignedTickets) -> None:
        self._commands = commands
        self._redis = commands.redis
        self._prefix = f"{commands.prefix}lockgate:ticket:"
        self._signed = signed

    async def save(self, digest: str, ticket: Ticket, seconds: int) -> None:
        """Store a ticket, which expires by the clock of Redis, and by that of this machine."""
        value = self._signed.sign(digest, ticket, seconds)
        await self._run(self._redis.set(self._prefix + digest, value, ex=seconds))

    async def take(self, digest: str) -> Ticket | None:
        """Return a ticket and remove it, in one command (GETDEL, Redis 6.2).

        Raises:
            TicketRefused: Redis has something other than a ticket of this gateway. The reply to
                another command would be that, too.
        """
        stored = await self._run(self._redis.getdel(self._prefix + digest))
        if stored is None:
            return None
        try:
            return self._signed.parse(digest, stored if isinstance(stored, bytes) else b"")
        except InvalidTicket as error:
            raise TicketRefused("ticket_signature", f"what Redis has: {error}") from None

    async def _run(self, command: Awaitable[T]) -> T:
        """Wait for the reply.

        Raises:
            TicketsUnavailable: Redis did not reply in time, or with an error. A ticket may have
                been stored or removed.
        """
        try:
            return await self._commands.run(command)
        except RedisCommandFailed as error:
            raise TicketsUnavailable(_RETRY_SECONDS, str(error)) from error
