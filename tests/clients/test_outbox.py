"""Requests of one turn of the loop leave together, at its end, in the order they came in."""

import asyncio

from clients.outbox import Outbox


async def test_what_one_turn_brings_leaves_at_its_end_in_order() -> None:
    outbox, sent = Outbox(asyncio.get_running_loop()), list[bytes]()
    outbox.put(sent.append, b"first")
    outbox.put(sent.append, b"second")
    assert sent == []
    await asyncio.sleep(0)
    assert sent == [b"first", b"second"]


async def test_what_is_put_while_it_sends_leaves_one_turn_later() -> None:
    outbox, sent = Outbox(asyncio.get_running_loop()), list[bytes]()

    def write(data: bytes) -> None:
        sent.append(data)
        if data == b"first":
            outbox.put(write, b"later")

    outbox.put(write, b"first")
    outbox.put(write, b"second")
    await asyncio.sleep(0)
    assert sent == [b"first", b"second"]
    await asyncio.sleep(0)
    assert sent == [b"first", b"second", b"later"]
