"""Requests of one turn of the loop are written together, in order and soon."""

import asyncio

from gateway.transport.write_batch import MAX_BATCH, WriteBatcher


async def test_requests_of_one_turn_leave_at_its_end_in_order() -> None:
    batcher, sent = WriteBatcher(asyncio.get_running_loop()), list[bytes]()
    batcher.add(sent.append, b"first")
    batcher.add(sent.append, b"second")
    assert sent == []
    await asyncio.sleep(0)
    assert sent == [b"first", b"second"]


async def test_a_request_added_during_the_flush_leaves_one_turn_later() -> None:
    batcher, sent = WriteBatcher(asyncio.get_running_loop()), list[bytes]()

    def write(data: bytes) -> None:
        sent.append(data)
        if data == b"first":
            batcher.add(write, b"later")

    batcher.add(write, b"first")
    batcher.add(write, b"second")
    await asyncio.sleep(0)
    assert sent == [b"first", b"second"]
    await asyncio.sleep(0)
    assert sent == [b"first", b"second", b"later"]


async def test_a_full_batch_leaves_at_once() -> None:
    batcher, sent = WriteBatcher(asyncio.get_running_loop()), list[bytes]()
    letters = [b"%d" % number for number in range(2 * MAX_BATCH + 3)]
    for letter in letters:
        batcher.add(sent.append, letter)
    assert sent == letters[: 2 * MAX_BATCH]
    await asyncio.sleep(0)
    assert sent == letters
