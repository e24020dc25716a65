"""Section tokens: CPU time of a request to the token endpoint, by how the client authenticates.

The contenders take turns, as in section cpu.
"""

import json
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlencode

from tests.bench import pinning
from tests.bench.identity import create_identity
from tests.bench.load import LoadFailed
from tests.bench.plan import Plan, log
from tests.bench.process_tree import read_cpu_seconds
from tests.bench.token_servers import TokenServer, run_lockgate, run_oidc_provider
from tests.gateway.oauth.client_keys import make_claims, present, sign
from tests.gateway.oauth.oauth_gateway import FORM, SECRET, basic
from tests.redis_server import RedisServer, find_redis

CONNECTIONS = 8
REQUESTS, WARMUP_REQUESTS = 250, 2_000
"""Requests of each kind in a round; Node compiles what it runs during the warm-up."""

FIRST_SECRETS = 3
"""The slow hash of a new secret takes so long that a few requests are enough."""

_GRANT = {"grant_type": "client_credentials", "scope": "orders:read"}
_EXCHANGE = {
    "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
    "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
    "audience": "catalog",
}

Requests = Sequence[bytes]


def run(plan: Plan) -> dict[str, Any]:
    """Measure each kind of request in each round."""
    log(f"tokens: 2 contenders, {plan.rounds} rounds, about 60 s")
    identity = create_identity(scopes=["catalog:read"])
    secrets = [f"lgs_first-{number}" for number in range((plan.rounds + 1) * FIRST_SECRETS)]
    redis = RedisServer(find_redis())
    found: dict[str, dict[str, list[dict[str, float]]]] = {}
    with pinning.pin_to(pinning.OTHER_CORE):
        redis.start()
    try:
        with ExitStack() as stack:
            servers = [
                stack.enter_context(run_lockgate(identity, redis.url, secrets)),
                stack.enter_context(run_oidc_provider()),
            ]
            for number in range(plan.rounds + 1):  # the first round warms up
                for server in servers:
                    for kind, requests in _make_requests(server, identity.token, number):
                        cost = _measure(server, requests)
                        if number:
                            kinds = found.setdefault(server.name, {})
                            kinds.setdefault(kind, []).append({"cpu_ms": cost})
                            log(f"  {server.name:13} {kind:16} {cost:8.3f} ms CPU")
    finally:
        redis.stop()
    return {"connections": CONNECTIONS, "contenders": found}


def _make_requests(
    server: TokenServer, subject_token: str, number: int
) -> Iterator[tuple[str, Requests]]:
    """Make the requests of one round by their kinds; those that only Lockgate has come last."""
    path, client = server.token_path, basic("bff", SECRET)
    count = REQUESTS if number else WARMUP_REQUESTS
    yield "secret", [_serialize(path, _GRANT, client)] * count
    assertions = [sign(make_claims(aud=server.issuer)) for _ in range(count)]
    yield "private_key_jwt", [_serialize(path, _GRANT | present(it), {}) for it in assertions]
    token = _get_token(server, client)
    request = _serialize(server.introspection_path, {"token": token}, client)
    yield "introspection", [request] * count
    if server.name == "lockgate":
        exchange = _serialize(path, _EXCHANGE | {"subject_token": subject_token}, client)
        yield "exchange", [exchange] * count
        numbers = range(number * FIRST_SECRETS, (number + 1) * FIRST_SECRETS)
        fields = [basic(f"client{it}", f"lgs_first-{it}") for it in numbers]
        yield "first_secret", [_serialize(path, _GRANT, field) for field in fields]


def _get_token(server: TokenServer, client: Mapping[str, str]) -> str:
    resource = {"resource": server.resource} if server.resource else {}
    with _connect(server) as connection:
        connection.sendall(_serialize(server.token_path, _GRANT | resource, client))
        document = json.loads(_read_response(connection))
    token: str = document["access_token"]
    return token


def _measure(server: TokenServer, requests: Requests) -> float:
    """Send the requests, some at a time, and return the CPU time of one in ms.

    Raises:
        LoadFailed: a response is no 200, or no valid token was introspected.
    """
    size = CONNECTIONS if len(requests) > CONNECTIONS else 1
    with ExitStack() as stack:
        connections = [stack.enter_context(_connect(server)) for _ in range(size)]
        before = read_cpu_seconds(server.pid)
        for start in range(0, len(requests), size):
            batch = requests[start : start + size]
            used = connections[: len(batch)]
            for connection, request in zip(used, batch, strict=True):
                connection.sendall(request)
            for connection in used:
                _read_response(connection)
        return (read_cpu_seconds(server.pid) - before) * 1_000 / len(requests)


def _connect(server: TokenServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=30)


def _serialize(path: str, form: Mapping[str, str], fields: Mapping[str, str]) -> bytes:
    body = urlencode(form)
    headers = {"Host": "127.0.0.1", **FORM, "Content-Length": str(len(body)), **fields}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n{body}".encode()


def _read_response(connection: socket.socket) -> bytes:
    """Read one response, and return its body.

    Raises:
        LoadFailed: it is no 200, or says that a token is not active.
    """
    received = b""
    while True:
        chunk = connection.recv(65_536)
        received += chunk
        head, end, body = received.partition(b"\r\n\r\n")
        if not chunk or (end and len(body) >= _get_length(head)):
            break
    if b" 200 " not in head.partition(b"\r\n")[0] or b'"active":false' in body.replace(b" ", b""):
        raise LoadFailed(received.decode(errors="replace"))
    return body


def _get_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return int(value)
    return 0
