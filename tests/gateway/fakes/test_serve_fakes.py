"""Starting and stopping fakes: ports, errors, and a shutdown that nothing can delay."""

import asyncio
import signal
import socket
from contextlib import AsyncExitStack

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from gateway.fakes import serve_fakes as serve_fakes_module
from gateway.fakes.identity_provider import DevelopmentIssuer
from gateway.fakes.serve_fakes import PortUnavailable, serve_fakes
from tests.gateway.fakes.raw_http import read_head, send_get, wait_for_counts
from tests.gateway.fakes.sample_fakes import serve_sample_fakes


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


async def test_every_service_answers_once_the_urls_are_known(http: httpx.AsyncClient) -> None:
    async with serve_sample_fakes(issuer=DevelopmentIssuer()) as fakes:
        healthy = {name: await http.get(f"{url}/healthz") for name, url in fakes.items()}

    assert set(fakes) == {"users", "orders", "identity"}
    assert {response.status_code for response in healthy.values()} == {200}


async def test_a_service_listens_on_the_given_port(http: httpx.AsyncClient) -> None:
    port = free_port()
    async with serve_sample_fakes(ports={"orders": port}) as fakes:
        assert fakes["orders"] == f"http://127.0.0.1:{port}"
        assert (await http.get(f"{fakes['orders']}/orders?user_id=7")).status_code == 200


async def test_the_latency_applies_to_every_service(http: httpx.AsyncClient) -> None:
    async with serve_sample_fakes(latency_ms=3) as fakes:
        dials = [(await http.get(f"{url}/_dial")).json() for url in fakes.values()]

    assert [dial["latency_ms"] for dial in dials] == [3, 3]


async def test_a_port_in_use_is_reported_with_its_service() -> None:
    users_port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        apps = {"users": refuse, "orders": refuse}
        with pytest.raises(PortUnavailable, match=f"'orders'.*127.0.0.1:{port}") as refused:
            async with serve_fakes(apps, ports={"users": users_port, "orders": port}):
                pytest.fail("it started")

    assert (refused.value.service, refused.value.port) == ("orders", port)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", users_port)


async def test_shutdown_does_not_wait_for_hanging_requests(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    async with AsyncExitStack() as client:
        async with asyncio.timeout(30), serve_sample_fakes(latency_ms=600_000) as fakes:
            reader = await client.enter_async_context(send_get(fakes["users"], "/users/7"))
            await wait_for_counts(http, fakes["users"], in_flight=1)

        assert await reader.read() == b""
    assert not [record for record in caplog.records if record.name.startswith("uvicorn")]


async def test_shutdown_leaves_no_task_socket_or_signal_handler(http: httpx.AsyncClient) -> None:
    tasks, handlers = asyncio.all_tasks(), signal_handlers()
    async with serve_sample_fakes() as fakes:
        await http.get(f"{fakes['users']}/users/7")
        assert signal_handlers() == handlers

    assert asyncio.all_tasks() == tasks
    for url in fakes.values():
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", httpx.URL(url).port)


async def test_an_app_that_ignores_the_disconnect_is_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cancelled = []

    async def stubborn(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await asyncio.Event().wait()
        finally:
            cancelled.append(scope["path"])

    monkeypatch.setattr(serve_fakes_module, "_SHUTDOWN_SECONDS", 0.01)
    async with AsyncExitStack() as client, serve_fakes({"users": stubborn}, ports={}) as fakes:
        reader = await client.enter_async_context(send_get(fakes["users"], "/users/7"))
        await read_head(reader)

    assert cancelled == ["/users/7"]


async def refuse(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise AssertionError("no request is sent")


def signal_handlers() -> list[object]:
    return [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
