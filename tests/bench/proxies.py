"""The contenders of section proxy: Lockgate and other proxies, and how each is started.

Each verifies an RS256 token and its scope, passes the request on with the identity of the caller,
and writes its usual access log. nginx verifies no token: it is the floor of a proxy in C.
"""

import json
import sys
from collections.abc import Mapping
from string import Template

from tests.bench.contenders import (
    Backends,
    Contender,
    Start,
    make_node_command,
    make_usual_command,
)
from tests.bench.environments import PEERS
from tests.bench.paths import ROOT, make_cache_path
from tests.bench.processes import Command

# By default nginx moves a body through a buffer of 4 or 8 kB, which takes a system call each time.
_LARGE_BUFFERS = (
    "proxy_buffer_size 256k; proxy_buffers 8 256k; proxy_busy_buffers_size 256k; "
    "client_body_buffer_size 256k;"
)

SMALL_PATH = "/catalog/products?sku=BEA-1001&sku=TEA-2004&sku=GRI-4001&sku=CUP-5003"


def _make_lockgate_command(backends: Backends, port: int) -> Command:
    issuer = {
        "issuer": backends.identity.issuer,
        "audience": backends.identity.audience,
        "jwks_file": str(backends.identity.jwks),
    }
    environment = {
        "LOCKGATE_APP__PACKAGE": "tests.bench.proxied",
        "LOCKGATE_ISSUERS": json.dumps([issuer]),
        "LOCKGATE_SERVER__HOST": "127.0.0.1",
        "LOCKGATE_SERVER__PORT": str(port),
        "LOCKGATE_UPSTREAMS__CATALOG__URL": backends.upstream.urls["catalog"],
        "LOCKGATE_UPSTREAMS__FILES__URL": backends.files_url or backends.upstream.urls["catalog"],
        "LOCKGATE_IDENTITY__ISSUER": f"http://127.0.0.1:{port}",
        "LOCKGATE_IDENTITY__SIGNING_KEY_FILE": str(backends.identity.signing_key),
    }
    return Command([sys.executable, "-m", "gateway.cli", "serve"], environment, ROOT)


def _make_nginx_command(name: str, buffers: str = "") -> Start:
    def command(backends: Backends, port: int) -> Command:
        template = Template((PEERS / "nginx" / "nginx.conf").read_text())
        path = make_cache_path(name, "nginx.conf")
        path.write_text(
            template.substitute(
                PORT=port,
                CATALOG=backends.upstream.urls["catalog"].removeprefix("http://"),
                FILES=backends.files_url.removeprefix("http://"),
                BUFFERS=buffers,
            )
        )
        return Command(["nginx", "-p", str(path.parent), "-c", str(path)], folder=path.parent)

    return command


_NODE = make_node_command("proxy.js", token_cache=False)
_NODE_WITH_CACHE = make_node_command("proxy.js", token_cache=True)

_ALL = (
    Contender("lockgate", "Lockgate", _make_lockgate_command),
    Contender("usual", "FastAPI, httpx, python-jose", make_usual_command("proxy:app")),
    Contender("node", "Node: @fastify/http-proxy", _NODE),
    Contender(
        "node-cache",
        "Node, verified tokens cached",
        _NODE_WITH_CACHE,
    ),
    Contender("nginx", "nginx, without a token", _make_nginx_command("nginx")),
    Contender(
        "nginx-large",
        "nginx with large buffers, without a token",
        _make_nginx_command("nginx-large", _LARGE_BUFFERS),
    ),
)
PROXIES: Mapping[str, Contender] = {one.name: one for one in _ALL}
