"""Operators take turns, whatever number of tasks each has."""

import asyncio

from gateway.ops.turns import Turns


async def test_one_operator_delays_another_by_one_simulation() -> None:
    turns, order = Turns(), list[str]()

    async def run(operator: str) -> None:
        async with turns.take(operator):
            order.append(operator)
            await asyncio.sleep(0)

    tasks = [asyncio.create_task(run(it)) for it in ("a", "a", "a", "a", "b", "c")]
    await asyncio.sleep(0)
    tasks[2].cancel()
    await asyncio.wait(tasks)
    assert order == ["a", "a", "b", "c", "a"]
    await run("d")
    assert order[-1] == "d"


async def test_a_turn_that_comes_with_its_cancellation_is_passed_on() -> None:
    turns = Turns()
    async with asyncio.timeout(5):
        for by_future in (True, False):
            waiting = [asyncio.create_task(_take(turns, name)) for name in "ab"]
            async with turns.take("holder"):
                await asyncio.sleep(0)
                if by_future:
                    waiting[0].cancel()
            waiting[0].cancel()
            await asyncio.wait(waiting)
            assert waiting[0].cancelled()
            assert not waiting[1].cancelled()


async def _take(turns: Turns, operator: str) -> None:
    await asyncio.sleep(0)
    async with turns.take(operator):
        pass
