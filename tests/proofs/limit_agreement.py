"""Whether journal, table and processes agree about a live limit."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from functools import partial

from sqlalchemy import Connection

from gateway.errors.tree import DatabaseUnavailable
from gateway.ratelimit.live.limit_history import read_history
from gateway.ratelimit.live.stored_limit import read_limit, to_canonical
from gateway.storage.database import Database
from gateway.storage.verify_journal import verify_journal
from tests.proofs.limit_author import POLICY
from tests.proofs.limit_load import LimitLoad


def read_soon(database: Database, transaction: Callable[[Connection], int]) -> int:
    """Read as soon as the database responds. Blocks."""
    began = time.monotonic()
    while True:
        try:
            return database.read_now(transaction)
        except DatabaseUnavailable:
            if time.monotonic() - began > 20:
                raise
            time.sleep(0.05)


def require_agreement(connection: Connection, changed: Sequence[tuple[str, str]]) -> int:
    """Require that journal and table agree, and have each change that has returned."""
    verify_journal(connection)
    stored = read_limit(connection, POLICY)
    entries = read_history(connection, POLICY, limit=200)
    quotas = {it.version: read_quota(it.document) for it in entries}
    if entries:
        last = entries[0]
        assert (stored.version, stored.seq) == (last.version, last.seq)
        document = None if last.document is None else to_canonical(last.document)
        assert stored.document == document
    for version, quota in changed:
        assert int(version) <= stored.version
        if int(version) in quotas:
            assert quotas[int(version)] == int(quota)
    return stored.version


def read_quota(document: dict[str, str] | None) -> int:
    """Return the quota of a live document, which is a rate per minute."""
    rate = "1000000/minute" if document is None else document["rate"]
    return int(rate.partition("/")[0])


async def require_followed(loads: list[LimitLoad], database: Database) -> float:
    """Wait until each process has the value of the journal; return the seconds."""
    stored = database.read_now(partial(read_limit, policy=POLICY))
    quota = read_quota(None if stored.document is None else json.loads(stored.document))
    began = time.monotonic()
    async with asyncio.timeout(20):
        while {it.quota for it in loads} != {quota}:  # noqa: ASYNC110 - nothing sets an event
            await asyncio.sleep(0.01)
    return time.monotonic() - began
