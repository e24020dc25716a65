"""nginx, HAProxy and Caddy in front: no rule of theirs is bypassed, and no request is smuggled."""

import asyncio
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.proxied_gateway import (
    CLIENT_ADDRESS,
    PROXY_ADDRESS,
    build_get,
    issue_chain,
    read_address,
    send,
    serve_gateway,
)
from tests.e2e.proxy_process import Proxy, run_caddy, run_haproxy, run_nginx
from tests.e2e.smuggling import CASES
from tests.gateway.errors.served import Served
from tests.gateway.middleware.path_spellings import write_invalid, write_similar
from tests.gateway.transport.certificate_authority import Authority

PROTECTED = {"/readyz": b'"issuers"', "/docs": b"<html", "/openapi.json": b'"openapi"'}
"""Paths that the rules of a proxy deny, and a text that their responses have."""

NGINX_RULES = {
    "exact": "location = {path} {{ deny all; }} location / {{ proxy_pass http://gateway; }}",
    "prefix": "location {path} {{ deny all; }} location / {{ proxy_pass http://gateway; }}",
    "regex": "location ~ ^{path}$ {{ deny all; }} location / {{ proxy_pass http://gateway; }}",
    "caseless": "location ~* {path} {{ deny all; }} location / {{ proxy_pass http://gateway; }}",
    "escaped-again": (
        "location = {path} {{ deny all; }} location / {{ proxy_pass http://gateway/; }}"
    ),
    "unmerged": (
        "merge_slashes off; location = {path} {{ deny all; }}"
        " location / {{ proxy_pass http://gateway; }}"
    ),
    "below-api": (
        "location = /api{path} {{ deny all; }} location /api/ {{ proxy_pass http://gateway/; }}"
        " location = /healthz {{ proxy_pass http://gateway; }}"
    ),
    "rewritten": (
        "location = /api{path} {{ deny all; }}"
        " location /api/ {{ rewrite (?s)^/api(/.*)\\z $1 break; proxy_pass http://gateway; }}"
        " location = /healthz {{ proxy_pass http://gateway; }}"
    ),
    "only-names": (
        "location /general/names/ {{ proxy_pass http://gateway; }}"
        " location = /healthz {{ proxy_pass http://gateway; }} location / {{ deny all; }}"
    ),
}

HAPROXY_RULES = {
    "exact": "{{ path {path} }}",
    "prefix": "{{ path_beg {path} }}",
    "regex": "{{ path_reg ^{path}$ }}",
    "decoded": "{{ path,url_dec {path} }}",
}


def name_site(rule: str, path: str) -> str:
    return f"{rule}-{path[1:].partition('.')[0]}.test"


def write_nginx(gateway: int, chain: Path) -> str:
    sites = [
        f"server {{ listen 127.0.0.1:PORT0; listen 127.0.0.1:PORT1 ssl;"
        f" server_name {name_site(name, path)}; {rule.format(path=path)} }}"
        for name, rule in NGINX_RULES.items()
        for path in PROTECTED
    ]
    return f"""
        ssl_certificate {chain};
        ssl_certificate_key {chain};
        upstream gateway {{ server 127.0.0.1:{gateway}; keepalive 8; }}
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header Forwarded "for=$remote_addr;proto=$scheme";
        proxy_bind {PROXY_ADDRESS};
        {" ".join(sites)}
        server {{
            listen 127.0.0.1:PORT0 default_server;
            location / {{ proxy_pass http://gateway; }}
        }}
    """


def write_haproxy(gateway: int) -> str:
    rules = [
        f"http-request deny if {{ hdr(host) {name_site(name, path)} }} {rule.format(path=path)}"
        for name, rule in HAPROXY_RULES.items()
        for path in PROTECTED
    ]
    lines = "\n    ".join(rules)
    return f"""
frontend public
    bind 127.0.0.1:PORT0
    option forwardfor
    http-request set-header Forwarded for=%[src]
    {lines}
    default_backend gateway
backend gateway
    http-reuse always
    source {PROXY_ADDRESS}
    server one 127.0.0.1:{gateway}
"""


def write_caddy(gateway: int) -> str:
    return f"""
http://:PORT0 {{
    @denied path {" ".join(PROTECTED)}
    respond @denied 403
    reverse_proxy 127.0.0.1:{gateway} {{
        transport http {{
            local_address {PROXY_ADDRESS}
        }}
    }}
}}
"""


async def find_bypasses(
    proxy: Proxy, rules: Sequence[str], *, tls: ssl.SSLContext | None = None
) -> list[str]:
    """Send every spelling of every protected path; return those that were served."""
    port = proxy.ports[1 if tls else 0]

    async def is_served(rule: str, path: str, target: str) -> bool:
        host = name_site(rule, path)
        prefix = "/api" if rule in {"below-api", "rewritten"} else ""
        response = await send(port, build_get(prefix + target, host), tls)
        return response.startswith(b"HTTP/1.1 200 ") and PROTECTED[path] in response

    found = []
    for rule in rules:
        for path in PROTECTED:
            host = name_site(rule, path)
            alive = await send(port, build_get("/healthz", host), tls)
            assert alive.startswith(b"HTTP/1.1 200 "), (rule, alive)
            targets = [path, f"http://{host}{path}", f"http://{host}/x/..{path}%0a"]
            targets += [*write_invalid(path), *write_similar(path)]
            targets += ["/api" + path, "/api/api" + path]
            targets += [f"/general/names/{up}{path}" for up in ("../..", "..%2f..", "%2e%2e/..")]
            served = await asyncio.gather(*(is_served(rule, path, it) for it in targets))
            found += [f"{rule}: {it}" for it, bad in zip(targets, served, strict=True) if bad]
    return found


EXPECTED = {
    f"/general/names/{name}" for name in ("outer", "probe0", "probe1", "a%0aHost:x%0d%0a%0d%0ab")
}
"""The paths of the requests that are not hidden."""


async def find_smuggled(proxy: Proxy, served: Served) -> list[str]:
    """Send every request with a hidden one; return those whose hidden request had an effect."""
    found = []
    for name, case in CASES.items():
        served.log.clear()
        port, host = proxy.ports[0], name_site("exact", "/readyz")
        smuggle = asyncio.create_task(send(port, case.replace(b"HOST", host.encode())))
        await asyncio.wait([smuggle], timeout=0.05)
        probes = [
            await send(port, build_get(f"/general/names/probe{number}", host))
            for number in range(2)
        ]
        smuggle.cancel()
        await asyncio.wait([smuggle])
        is_own = all(b"probe%d" % number in probe for number, probe in enumerate(probes))
        paths = {str(line["path"]) for line in served.log.completed}
        if not is_own or paths - EXPECTED:
            found.append(f"{name}: {sorted(paths)}")
    return found


@contextmanager
def _nginx(folder: Path, gateway: int) -> Iterator[tuple[Proxy, ssl.SSLContext]]:
    authority = Authority(folder)
    with run_nginx(folder, write_nginx(gateway, issue_chain(authority, folder)), 2) as proxy:
        yield proxy, authority.make_client_context()


async def test_no_rule_of_nginx_is_bypassed(tmp_path: Path) -> None:
    async with serve_gateway() as served:
        with _nginx(tmp_path, served.port) as (nginx, tls):
            for path, text in PROTECTED.items():  # served, and known, where no rule denies it
                assert text in await send(nginx.ports[0], build_get(path, "other.test"))
            assert await find_bypasses(nginx, list(NGINX_RULES)) == []
            assert await find_bypasses(nginx, ["exact"], tls=tls) == []


async def test_no_rule_for_a_path_below_a_prefix_is_bypassed(tmp_path: Path) -> None:
    rules = ["below-api", "rewritten"]
    async with serve_gateway(root_path="/api", root_path_is_stripped=True) as served:
        with _nginx(tmp_path, served.port) as (nginx, _):
            port = nginx.ports[0]
            for rule in rules:
                host = name_site(rule, "/readyz")
                value = await send(port, build_get("/api/general/names/a", host))
                assert b'["a"]' in value
            assert await find_bypasses(nginx, rules) == []


async def test_no_request_is_smuggled_through_nginx(tmp_path: Path) -> None:
    async with serve_gateway() as served:
        with _nginx(tmp_path, served.port) as (nginx, _):
            assert await find_smuggled(nginx, served) == []


async def test_nginx_forwards_the_address_of_the_client(tmp_path: Path) -> None:
    forged = [
        "X-Forwarded-For: 203.0.113.9",
        "Forwarded: for=203.0.113.9",
        "X-Real-IP: 203.0.113.9",
    ]
    async with serve_gateway() as served:
        with _nginx(tmp_path, served.port) as (nginx, _):
            assert await read_address(nginx.ports[0]) == CLIENT_ADDRESS
            assert await read_address(nginx.ports[0], *forged) == CLIENT_ADDRESS


async def test_no_rule_of_haproxy_is_bypassed(tmp_path: Path) -> None:
    async with serve_gateway() as served:
        with run_haproxy(tmp_path, write_haproxy(served.port)) as haproxy:
            assert await find_bypasses(haproxy, list(HAPROXY_RULES)) == []
            assert await find_smuggled(haproxy, served) == []
            forged = ["X-Forwarded-For: 203.0.113.9", "Forwarded: for=203.0.113.9"]
            assert await read_address(haproxy.ports[0], *forged) == CLIENT_ADDRESS


async def test_no_rule_of_caddy_is_bypassed(tmp_path: Path) -> None:
    async with serve_gateway() as served:
        with run_caddy(tmp_path, write_caddy(served.port)) as caddy:
            assert await find_bypasses(caddy, ["exact"]) == []
            assert await find_smuggled(caddy, served) == []
            assert await read_address(caddy.ports[0], "Forwarded: proto=https") == CLIENT_ADDRESS


async def test_no_request_is_smuggled_without_a_proxy() -> None:
    async with serve_gateway() as served:
        assert await find_smuggled(Proxy((served.port,)), served) == []
