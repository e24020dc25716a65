"""The configurations of run-behind-a-proxy.md, run by the proxies themselves."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from gateway.proxy import Proxy as ProxiedRoute
from tests.docs.blocks import parse_blocks
from tests.docs.project import ROOT
from tests.e2e.long_exchanges import SHORT_DEFAULTS, UPLOAD, LongExchanges, exchange_all
from tests.e2e.proxied_gateway import (
    CLIENT_ADDRESS,
    TLS_NAME,
    build_get,
    issue_chain,
    read_address,
    send,
    serve_gateway,
)
from tests.e2e.proxy_process import Proxy, run_caddy, run_haproxy, run_nginx
from tests.gateway.middleware.path_spellings import write_invalid
from tests.gateway.proxy.websocket.open_tunnel import open_raw_tunnels
from tests.gateway.transport.certificate_authority import Authority

PAGE = ROOT / "docs" / "how-to" / "run-behind-a-proxy.md"
BLOCKS = {block.language: block.text for block in parse_blocks(PAGE)}
FORGED = ("X-Forwarded-For: 203.0.113.9", "Forwarded: for=203.0.113.9")

Run = Callable[[Path, str], AbstractContextManager[Proxy]]


CASES = pytest.mark.parametrize(
    ("language", "run", "changes", "header"),
    [
        ("nginx", run_nginx, {"443 ssl": "127.0.0.1:PORT0 ssl"}, None),
        ("caddy", run_caddy, {"com {": "com:PORT0 {\ntls CHAIN CHAIN"}, "x-forwarded-for"),
        ("haproxy", run_haproxy, {":443": "127.0.0.1:PORT0"}, None),
    ],
)


def fill(language: str, port: int, changes: dict[str, str], chain: Path) -> str:
    """Return the configuration of the page for a gateway at this port."""
    text = BLOCKS[language].replace("127.0.0.1:8000", f"127.0.0.1:{port}")
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new, 1)
    return text.replace("/etc/ssl/api.pem", str(chain)).replace("CHAIN", str(chain))


@CASES
async def test_the_configuration_of_the_page(
    tmp_path: Path, language: str, run: Run, changes: dict[str, str], header: str | None
) -> None:
    authority = Authority(tmp_path)
    tls = authority.make_client_context()
    chain = issue_chain(authority, tmp_path)
    async with serve_gateway("127.0.0.1", client_address_header=header) as served:
        text = fill(language, served.port, changes, chain)
        with run(tmp_path, text) as proxy:
            port = proxy.ports[0]
            assert await read_address(port, *FORGED, host=TLS_NAME, tls=tls) == CLIENT_ADDRESS
            value = await send(port, build_get("/general/names/a%2Fb%20c", TLS_NAME), tls)
            assert b'{"values":["a/b c"]}' in value
            for target in ["/readyz", "/healthz", *write_invalid("/readyz")]:
                response = await send(port, build_get(target, TLS_NAME), tls)
                assert b"HTTP/1.1 200 " not in response, target


def test_the_timeouts_are_longer_than_a_stream_may_be_quiet() -> None:
    default = ProxiedRoute("/a/{path:path}", to="a", requires=()).idle_timeout
    names = r"(?:proxy_read_timeout|proxy_send_timeout|timeout client|timeout server) (\d+)s"
    found = re.findall(names, BLOCKS["nginx"] + BLOCKS["haproxy"])
    assert len(found) == 4
    assert all(int(seconds) > default for seconds in found)


@CASES
async def test_uploads_quiet_streams_and_websockets_of_proxied_routes(
    tmp_path: Path, language: str, run: Run, changes: dict[str, str], header: str | None
) -> None:
    authority = Authority(tmp_path)
    tls = authority.make_client_context()
    chain, service = issue_chain(authority, tmp_path), LongExchanges()
    server = {"trusted_proxies": ["127.0.0.1"], "client_address_header": header}
    async with open_raw_tunnels(
        service, server=server, path="/chat/{path:path}", max_body_bytes=UPLOAD
    ) as served:
        text = fill(language, served.port, changes, chain)
        text += SHORT_DEFAULTS if language == "nginx" else ""
        with run(tmp_path, text) as proxy:
            await exchange_all(service, proxy.ports[0], b"/chat/1", b"", tls)
