"""`Turns`: lets one task run at a time, and the operators one after the other."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """A lock that passes from operator to operator (round robin), not from task to task.

    So an operator with many tasks delays those of another one by one task at most, for each
    other operator.
    """

    # Invariants:
    # - `_waiting` has the waiters of each operator that has any; the operator whose turn is next
    #   comes first. It is empty unless `_is_taken`.
    # - A waiter whose future has a result holds the lock.

    def __init__(self) -> None:
        self._is_taken = False
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def take(self, operator: str) -> AsyncIterator[None]:
        """Wait for the turn of the operator, and keep it for the length of the block."""
        if self._is_taken:
            await self._wait(operator)
        self._is_taken = True
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, operator: str) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(operator, deque()).append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.cancelled():
                self._remove(operator, waiter)
            else:
                self._pass_on()  # it has got its turn just before
            raise

    def _remove(self, operator: str, waiter: asyncio.Future[None]) -> None:
        waiters = self._waiting.get(operator, deque())
        if waiter in waiters:
            waiters.remove(waiter)
            if not waiters:
                del self._waiting[operator]

    def _pass_on(self) -> None:
        """Give the turn to the first waiter of the next operator, who then comes last."""
        self._is_taken = bool(self._waiting)
        if not self._waiting:
            return
        operator, waiters = self._waiting.popitem(last=False)
        next_waiter = waiters.popleft()
        if waiters:
            self._waiting[operator] = waiters
        if next_waiter.done():
            self._pass_on()  # it was cancelled, and has not run since
        else:
            next_waiter.set_result(None)
