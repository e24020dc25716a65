"""The configurations of run-behind-a-proxy.md, run by the proxies themselves."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.docs.blocks import parse_blocks
from tests.docs.project import ROOT
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
from tests.gateway.transport.certificate_authority import Authority

PAGE = ROOT / "docs" / "how-to" / "run-behind-a-proxy.md"
BLOCKS = {block.language: block.text for block in parse_blocks(PAGE)}
FORGED = ("X-Forwarded-For: 203.0.113.9", "Forwarded: for=203.0.113.9")

Run = Callable[[Path, str], AbstractContextManager[Proxy]]


@pytest.mark.parametrize(
    ("language", "run", "changes", "header"),
    [
        ("nginx", run_nginx, {"443 ssl": "127.0.0.1:PORT0 ssl"}, None),
        ("caddy", run_caddy, {"com {": "com:PORT0 {\ntls CHAIN CHAIN"}, "x-forwarded-for"),
        ("haproxy", run_haproxy, {":443": "127.0.0.1:PORT0"}, None),
    ],
)
async def test_the_configuration_of_the_page(
    tmp_path: Path, language: str, run: Run, changes: dict[str, str], header: str | None
) -> None:
    authority = Authority(tmp_path)
    tls = authority.make_client_context()
    chain = str(issue_chain(authority, tmp_path))
    async with serve_gateway("127.0.0.1", client_address_header=header) as served:
        text = BLOCKS[language].replace("127.0.0.1:8000", f"127.0.0.1:{served.port}")
        for old, new in changes.items():
            assert old in text
            text = text.replace(old, new, 1)
        text = text.replace("/etc/ssl/api.pem", chain).replace("CHAIN", chain)
        with run(tmp_path, text) as proxy:
            port = proxy.ports[0]
            assert await read_address(port, *FORGED, host=TLS_NAME, tls=tls) == CLIENT_ADDRESS
            value = await send(port, build_get("/general/names/a%2Fb%20c", TLS_NAME), tls)
            assert b'{"values":["a/b c"]}' in value
            for target in ["/readyz", "/healthz", *write_invalid("/readyz")]:
                response = await send(port, build_get(target, TLS_NAME), tls)
                assert b"HTTP/1.1 200 " not in response, target
            for target in ["/auth/verify", "/auth/verify/", "/auth/verify/general/names/a"]:
                response = await send(port, build_get(target, TLS_NAME), tls)
                assert response.startswith(b"HTTP/1.1 403 "), target
                assert b"x-request-id" not in response.lower(), "the gateway has responded"
