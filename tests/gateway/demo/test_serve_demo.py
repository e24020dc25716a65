"""Starting and stopping the demo: ports, errors, and a shutdown that nothing can delay."""

import asyncio
import signal
import socket
from contextlib import AsyncExitStack

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from gateway.demo import serve_demo as serve_demo_module
from gateway.demo.identity import DevelopmentIssuer
from gateway.demo.serve_demo import ANY_PORTS, PORTS, SERVICE_PORTS, PortUnavailable, serve_demo
from tests.gateway.demo.raw_http import read_head, send_get, wait_for_counts


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


async def test_every_service_answers_once_the_urls_are_known(http: httpx.AsyncClient) -> None:
    async with serve_demo(latency_ms=0, ports=ANY_PORTS, issuer=DevelopmentIssuer()) as demo:
        healthy = {name: await http.get(f"{url}/healthz") for name, url in demo.items()}

    assert set(demo) == {*SERVICE_PORTS, "identity"}
    assert {response.status_code for response in healthy.values()} == {200}


async def test_a_service_listens_on_the_given_port(http: httpx.AsyncClient) -> None:
    port = free_port()
    async with serve_demo(latency_ms=0, ports={**ANY_PORTS, "orders": port}) as demo:
        assert demo["orders"] == f"http://127.0.0.1:{port}"
        assert (await http.get(f"{demo['orders']}/orders?user_id=7")).status_code == 200


def test_the_default_ports_include_the_identity_provider() -> None:
    assert PORTS == {**SERVICE_PORTS, "identity": 9100}


async def test_the_latency_applies_to_every_service(http: httpx.AsyncClient) -> None:
    async with serve_demo(latency_ms=3, ports=ANY_PORTS) as demo:
        dials = [(await http.get(f"{url}/_dial")).json() for url in demo.values()]

    assert [dial["latency_ms"] for dial in dials] == [3] * 5


async def test_a_port_in_use_is_reported_with_its_service() -> None:
    users_port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(PortUnavailable, match=f"'orders'.*127.0.0.1:{port}") as refused:
            async with serve_demo(
                latency_ms=0, ports={**ANY_PORTS, "users": users_port, "orders": port}
            ):
                pytest.fail("it started")

    assert (refused.value.service, refused.value.port) == ("orders", port)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", users_port)


async def test_an_unknown_service_is_an_error() -> None:
    with pytest.raises(ValueError, match="odrers"):
        async with serve_demo(latency_ms=0, ports={**ANY_PORTS, "odrers": 0}):
            pytest.fail("it started")


async def test_shutdown_does_not_wait_for_hanging_requests(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    async with AsyncExitStack() as client:
        async with asyncio.timeout(30), serve_demo(latency_ms=600_000, ports=ANY_PORTS) as demo:
            reader = await client.enter_async_context(send_get(demo["users"], "/users/7"))
            await wait_for_counts(http, demo["users"], in_flight=1)

        assert await reader.read() == b""
    assert not [record for record in caplog.records if record.name.startswith("uvicorn")]


async def test_shutdown_leaves_no_task_socket_or_signal_handler(http: httpx.AsyncClient) -> None:
    tasks, handlers = asyncio.all_tasks(), signal_handlers()
    async with serve_demo(latency_ms=0, ports=ANY_PORTS) as demo:
        await http.get(f"{demo['users']}/users/7")
        assert signal_handlers() == handlers

    assert asyncio.all_tasks() == tasks
    for url in demo.values():
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

    monkeypatch.setattr(serve_demo_module, "create_demo_services", lambda _: {"users": stubborn})
    monkeypatch.setattr(serve_demo_module, "_SHUTDOWN_SECONDS", 0.01)
    async with AsyncExitStack() as client, serve_demo(latency_ms=0, ports=ANY_PORTS) as demo:
        reader = await client.enter_async_context(send_get(demo["users"], "/users/7"))
        await read_head(reader)

    assert cancelled == ["/users/7"]


def signal_handlers() -> list[object]:
    return [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
