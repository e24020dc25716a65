"""The store of tickets in the process."""

import pytest

from gateway.errors.tree import TicketsUnavailable
from gateway.tickets import store as module
from gateway.tickets.store import MemoryTicketStore
from tests.gateway.tickets.stream_app import TICKET


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    seconds = [1_000.0]
    monkeypatch.setattr(module, "monotonic", lambda: seconds[0])
    return seconds


async def test_a_ticket_is_taken_once() -> None:
    store = MemoryTicketStore()
    await store.save("a", TICKET, 30)
    assert await store.take("b") is None
    assert await store.take("a") == TICKET
    assert await store.take("a") is None


async def test_a_ticket_expires(now: list[float]) -> None:
    store = MemoryTicketStore()
    for digest in ("a", "b"):
        await store.save(digest, TICKET, 30)
    now[0] += 29.9
    assert await store.take("a") == TICKET
    now[0] += 0.1
    assert await store.take("b") is None


async def test_the_number_of_tickets_is_bounded(now: list[float]) -> None:
    store = MemoryTicketStore(max_tickets=3)
    for digest, seconds in (("a", 30), ("b", 10), ("c", 30)):
        await store.save(digest, TICKET, seconds)
    with pytest.raises(TicketsUnavailable) as caught:
        await store.save("d", TICKET, 30)
    assert caught.value.headers == {"Retry-After": "30"}
    now[0] += 10
    await store.save("d", TICKET, 30)  # in the place of the one that has expired
    for digest in ("a", "c", "d"):
        assert await store.take(digest) == TICKET
