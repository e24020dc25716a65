"""`open_ticket_store`: opens the store that the settings ask for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.identity.internal_tokens import InternalTokens
from gateway.ratelimit.redis.commands import open_commands
from gateway.settings.schema import Settings
from gateway.tickets.redis_store import RedisTicketStore
from gateway.tickets.signed_tickets import SignedTickets
from gateway.tickets.store import MemoryTicketStore, TicketStore


@asynccontextmanager
async def open_ticket_store(
    settings: Settings, tokens: InternalTokens | None
) -> AsyncIterator[TicketStore]:
    """Open the store of this process: in Redis, or in the process if no URL is set.

    It connects to Redis with the first ticket. Its connections are not those of the rate limits.
    Without `tokens`, nothing can be signed, and `find_ticket_errors` has refused all routes that
    would need the store in Redis.
    """
    if settings.redis_url is None or tokens is None:
        yield MemoryTicketStore()
        return
    async with open_commands(settings) as commands:
        yield RedisTicketStore(commands, SignedTickets(tokens, settings.issuers))
