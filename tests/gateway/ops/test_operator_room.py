"""One token has a part of the room alone; `test_request_room.py` has the bodies of an operator."""

import asyncio
from collections.abc import Awaitable

from starlette.types import Message, Receive, Scope, Send

from gateway.ops.operator_room import MAX_PER_TOKEN, OperatorRoom


async def test_the_requests_of_one_token_are_bounded() -> None:
    entered, leave = asyncio.Semaphore(0), asyncio.Event()
    sent = list[Message]()

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        entered.release()
        await leave.wait()

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    room = OperatorRoom(serve)

    def request(token: bytes) -> Awaitable[None]:
        headers = [(b"authorization", token)]
        scope = {"type": "http", "method": "GET", "path": "/", "headers": headers}
        return room(scope, receive, send)

    running = [asyncio.ensure_future(request(b"a")) for _ in range(MAX_PER_TOKEN)]
    for _ in running:
        await entered.acquire()
    await request(b"a")
    assert sent[0]["status"] == 503
    other = asyncio.ensure_future(request(b"b"))
    await entered.acquire()
    leave.set()
    await asyncio.gather(*running, other)
    sent.clear()
    await request(b"a")
    assert sent == []
