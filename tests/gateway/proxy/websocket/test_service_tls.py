"""WebSockets to a service with TLS: the checks of its certificate are those of requests."""

import os
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from tests.gateway.proxy.websocket.open_tunnel import HANDSHAKE, echo, open_tunnels
from tests.gateway.transport.certificate_authority import Authority

GET = b"GET /service/x HTTP/1.1\r\nHost: gateway\r\n\r\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


async def test_a_websocket_passes_over_tls_and_closes(no_leaks: None, authority: Authority) -> None:
    options: dict[str, Any] = {"ssl": authority.make_server_context("127.0.0.1"), "max_size": None}
    trusting = {"tls": {"ca_file": authority.certificate_file}}
    large = os.urandom(3_000_000)
    async with open_tunnels(echo, options=options, service=trusting) as served:
        async with served.connect(max_size=None) as client:
            for message in ("hello", large):
                await client.send(message)
                assert await client.recv() == message
            await client.close(4000, "done")
        assert client.close_code == 4000
        left = await served.connect()
        await left.send("hello")
        await left.recv()
        served.shutdown()
        with pytest.raises(ConnectionClosed):
            await left.recv()
        assert left.close_code == 1001
        await served.wait_for_end()


async def test_a_service_without_a_valid_certificate_gets_no_handshake(
    no_leaks: None, authority: Authority, tmp_path: Path
) -> None:
    tls = authority.certificate_file
    other = Authority(tmp_path).certificate_file
    for context, ca_file in (
        (authority.make_server_context("service.test"), tls),
        (authority.make_server_context("127.0.0.1", days=0), tls),
        (authority.make_server_context("127.0.0.1"), other),
        (authority.make_server_context("127.0.0.1"), None),
    ):
        service = {"tls": {"ca_file": ca_file}}
        async with open_tunnels(echo, options={"ssl": context}, service=service) as served:
            for request in (HANDSHAKE, GET):
                side = await served.open_raw(request)
                assert (await side.read_head()).startswith(b"HTTP/1.1 503 ")
                side.writer.close()
            assert served.pool.is_empty
            await served.wait_for_end()
