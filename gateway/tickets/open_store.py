"""`open_ticket_store`: opens the store that the settings ask for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from gateway.identity.internal_tokens import InternalTokens
from gateway.ratelimit.redis.redis_url import create_blocking_pool, is_tls
from gateway.settings.schema import Settings
from gateway.tickets.redis_store import TIMEOUT_SECONDS, RedisTicketStore
from gateway.tickets.signed_tickets import SignedTickets
from gateway.tickets.store import MemoryTicketStore, TicketStore

_MAX_CONNECTIONS = 4


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
    url = str(settings.redis_url)
    pool = create_blocking_pool(
        url,
        settings.tls.ca_file,
        max_connections=_MAX_CONNECTIONS,
        timeout=TIMEOUT_SECONDS,
    )
    async with Redis.from_pool(pool) as redis:
        signed = SignedTickets(tokens, settings.issuers)
        prefix = settings.counters.key_prefix
        yield RedisTicketStore(redis, prefix, signed, is_tls=is_tls(url))
