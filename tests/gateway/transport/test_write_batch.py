"""Requests of one turn of the loop leave together and in order, and none waits long."""

import asyncio

from gateway.transport.write_batch import MAX_BATCH, WriteBatcher


async def test_what_one_turn_brings_leaves_at_its_end_in_order() -> None:
    batcher, sent = WriteBatcher(asyncio.get_running_loop()), list[bytes]()
    batcher.add(sent.append, b"first")
    batcher.add(sent.append, b"second")
    assert sent == []
    await asyncio.sleep(0)
    assert sent == [b"first", b"second"]


async def test_what_is_put_while_it_sends_leaves_one_turn_later() -> None:
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


async def test_many_do_not_wait_for_the_end_of_the_turn() -> None:
    batcher, sent = WriteBatcher(asyncio.get_running_loop()), list[bytes]()
    letters = [b"%d" % number for number in range(2 * MAX_BATCH + 3)]
    for letter in letters:
        batcher.add(sent.append, letter)
    assert sent == letters[: 2 * MAX_BATCH]
    await asyncio.sleep(0)
    assert sent == letters
