"""nginx with a cache in front: it stores no response of a service that needs a token."""

from pathlib import Path

import pytest

from gateway.auth.verifier import TokenVerifier
from gateway.proxy import Proxy
from tests.e2e.proxied_gateway import build_get, send
from tests.e2e.proxy_process import run_nginx
from tests.gateway.auth.fake_verifier import FakeVerifier
from tests.gateway.proxy.serve_proxy import serve_proxy
from tests.gateway.transport.scripted_server import OK, Peer

PROXIES = (
    Proxy("/public/{path:path}", to="service", public="a test"),
    Proxy("/guarded/{path:path}", to="service", requires="a", identity="none"),
)
TOKEN = "Authorization: Bearer u1-a"


def write_cache(gateway: int) -> str:
    """Cache what `Cache-Control`, `Expires` and `X-Accel-Expires` allow, as nginx does."""
    return f"""
        proxy_cache_path cache keys_zone=cache:1m;
        server {{
            listen 127.0.0.1:PORT0;
            location / {{ proxy_pass http://127.0.0.1:{gateway}; proxy_cache cache; }}
        }}
    """


@pytest.mark.parametrize(
    "fields",
    [
        [b"X-Accel-Expires: 100"],
        [b"X-Accel-Expires: @4102444800"],
        [b"Cache-Control: public, max-age=100"],
        [b"Cache-Control: s-maxage=100"],
        [b"Expires: Fri, 01 Jan 2100 00:00:00 GMT"],
        [b"X-Accel-Expires: 100", b"Cache-Control: public, max-age=100"],
    ],
)
async def test_nginx_stores_no_response_that_needs_a_token(
    fields: list[bytes], tmp_path: Path
) -> None:
    requests = []

    async def script(peer: Peer) -> None:
        while True:
            requests.append(await peer.read_request())
            head = b"\r\n".join([OK[:-2], *fields, b"Content-Length: 5"])
            peer.send(head + b"\r\n\r\nhello")

    async with serve_proxy(script, *PROXIES) as proxy:
        proxy.app.state.resources[TokenVerifier] = FakeVerifier()
        port = int(proxy.server.url.rpartition(":")[2])
        with run_nginx(tmp_path, write_cache(port)) as nginx:
            (front,) = nginx.ports
            assert b"hello" in await send(front, build_get("/guarded/a", "x", TOKEN))
            refused = await send(front, build_get("/guarded/a", "x"))
            assert refused.startswith(b"HTTP/1.1 401 ")
            assert len(requests) == 1
            for _ in range(2):
                assert b"hello" in await send(front, build_get("/public/a", "x"))
            assert len(requests) == 2  # of a public route, the second response is the cache's
