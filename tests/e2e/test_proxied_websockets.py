"""WebSockets through nginx and HAProxy in front of the gateway, as their users configure them."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.e2e.proxy_process import Proxy, run_haproxy, run_nginx
from tests.gateway.proxy.websocket.open_tunnel import echo, open_tunnels

HOST = "app.example"
ORIGIN = f"https://{HOST}"
TRUSTED = {"trusted_proxies": ["127.0.0.0/8"]}

NGINX = """
    map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
    server {{
        listen 127.0.0.1:PORT0;
        location / {{
            proxy_pass http://127.0.0.1:{gateway};
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-Proto https;
        }}
    }}
"""
HAPROXY = """
frontend public
    bind 127.0.0.1:PORT0
    http-request set-header X-Forwarded-Proto https
    default_backend gateway
backend gateway
    timeout tunnel 1h
    server one 127.0.0.1:{gateway}
"""

Run = Callable[[Path, str], AbstractContextManager[Proxy]]


def open_client(proxy: Proxy, **options: Any) -> connect:
    host, port = "127.0.0.1", proxy.ports[0]
    return connect(f"ws://{HOST}/service/chat", host=host, port=port, proxy=None, **options)


@pytest.mark.parametrize(
    ("run", "text"), [(run_nginx, NGINX), (run_haproxy, HAPROXY)], ids=["nginx", "haproxy"]
)
async def test_websockets_pass_and_close_through_a_proxy(
    tmp_path: Path, run: Run, text: str
) -> None:
    async with open_tunnels(echo, server=TRUSTED) as served:
        with run(tmp_path, text.format(gateway=served.port)) as proxy:
            async with open_client(proxy, origin=ORIGIN) as client:
                for message in ("hi", "x" * 100_000, b"\x00\xff"):
                    await client.send(message)
                    assert await client.recv() == message
                await (await client.ping())
                await client.close(4000, "done")
            assert client.close_code == 4000
            with pytest.raises(InvalidStatus) as refused:
                await open_client(proxy, origin="https://evil.example")
            assert refused.value.response.status_code == 403
            left = await open_client(proxy)
            await left.send("hi")
            await left.recv()
            served.shutdown()
            with pytest.raises(ConnectionClosed):
                await left.recv()
            assert left.close_code == 1001
