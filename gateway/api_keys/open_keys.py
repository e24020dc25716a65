"""`open_keys`: lets the verifier accept API keys, if there is a database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

from gateway.api_keys.api_key import PREFIX
from gateway.api_keys.key_table import record_use
from gateway.api_keys.key_verifier import KeyVerifier
from gateway.auth.clock import Clock
from gateway.auth.verifier import JwtVerifier
from gateway.background_tasks import run_in_background
from gateway.errors.tree import DatabaseUnavailable
from gateway.resources import Resources
from gateway.storage.database import Database
from gateway.storage.open_storage import Storage

USE_SECONDS = 60.0
"""The time of the last use of a key is stored this often."""


@asynccontextmanager
async def open_keys(
    resources: Resources, verifier: JwtVerifier, *, clock: Clock | None = None
) -> AsyncIterator[None]:
    """Follow the keys in the database, and store when they are used, until the end of the block.

    Nothing is done without a database. Until the keys have been read, each gets a 503.
    """
    storage: Storage | None = resources.get(Storage)
    if storage is None:
        yield
        return
    clock = clock or Clock()
    keys = KeyVerifier(clock)
    storage.feed.add(keys, "API keys")
    verifier.accept_keys(PREFIX, keys.verify)
    store_often = partial(_store_often, storage.database, keys, clock)
    try:
        async with run_in_background("use of API keys", store_often):
            yield
    finally:
        await _store_use(storage.database, keys)


async def _store_often(database: Database, keys: KeyVerifier, clock: Clock) -> None:
    while True:
        await clock.sleep(USE_SECONDS)
        await _store_use(database, keys)


async def _store_use(database: Database, keys: KeyVerifier) -> None:
    """Store the uses since the last time; those of a minute without the database are lost."""
    used_at = keys.take_used_at()
    if used_at:
        with suppress(DatabaseUnavailable):
            await database.write(partial(record_use, used_at=used_at))
