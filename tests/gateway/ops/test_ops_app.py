"""The ops app on a real socket: who may use it, and what it says to everyone else."""

import time
from collections.abc import Mapping
from functools import partial

import httpx
import pytest

from gateway.app import create_app
from gateway.app_loader import Application
from gateway.auth.revocation_index import Revocation, RevocationKind
from gateway.fakes.identity_endpoints import AUDIENCE, ISSUER
from gateway.fastapi_internals import iter_route_contexts
from gateway.health import LIVENESS_PATH
from gateway.ops.limit_store import LimitStore
from gateway.ops.models import Limit
from gateway.ops.ops_app import MAX_BODY_BYTES, create_ops_app
from gateway.ops.ops_scopes import READ, WRITE
from gateway.resources import Resources
from gateway.revocation.revoke import revoke
from gateway.route_audit import UnguardedRoute, refuse_unguarded
from gateway.settings.schema import Ops, Settings
from gateway.storage.journal import Author
from gateway.storage.open_storage import Storage
from tests.gateway.ops.ops_server import OPS_AUDIENCE, OpsServer, get_signer

CHANGE = {"rate": "10/minute", "reason": "load"}
BODIES: Mapping[tuple[str, str], object] = {
    ("PUT", "/limits/{policy}"): CHANGE,
    ("PATCH", "/limits/{policy}"): CHANGE,
    ("POST", "/limits/{policy}/rollback"): {"version": 0, "reason": "back"},
    ("POST", "/limits/{policy}/simulate"): {"rate": "10/minute"},
}
READ_BY_POST = ("POST", "/limits/{policy}/simulate")
HOSTS = [
    ("localhost:9000", 200),
    ("127.0.0.1", 200),
    ("[::1]:9000", 200),
    ("evil.example", 421),
    ("127.0.0.1.evil.example", 421),
    ("localhost.", 200),
    ("192.168.1.7", 421),
]
PUBLIC_PREFIX = "/console"


def list_routes() -> list[tuple[str, str]]:
    """List each route that needs a token, as method and path."""
    app = create_ops_app(Settings(), Resources())
    return [
        (method, str(route.path))
        for route in iter_route_contexts(app.routes)
        for method in sorted(route.methods or ())
        if route.path not in {"/", LIVENESS_PATH} and not str(route.path).startswith(PUBLIC_PREFIX)
    ]


ROUTES = list_routes()


async def send(
    client: httpx.AsyncClient, route: tuple[str, str], token: str = "", **headers: str
) -> httpx.Response:
    """Send a request to a route that is valid but for its token."""
    method, path = route
    url = path.replace("{policy}", "dashboards").replace("{key}", "user:42")
    params = {"reason": "a test"} if method == "DELETE" else None
    if token:
        headers["Authorization"] = f"Bearer {token}"
    headers.setdefault("If-Match", '"0"')
    return await client.request(method, url, params=params, json=BODIES.get(route), headers=headers)


def test_every_route_of_the_api_is_there() -> None:
    assert set(ROUTES) == {
        ("GET", "/limits"),
        ("GET", "/limits/{policy}"),
        ("PUT", "/limits/{policy}"),
        ("PATCH", "/limits/{policy}"),
        ("POST", "/limits/{policy}/simulate"),
        ("GET", "/limits/{policy}/history"),
        ("POST", "/limits/{policy}/rollback"),
        ("GET", "/limits/{policy}/usage"),
        ("GET", "/limits/{policy}/callers/{key}"),
        ("DELETE", "/limits/{policy}/callers/{key}"),
        ("GET", "/usage"),
        ("GET", "/status"),
        ("GET", "/recording"),
    }


def test_a_route_that_declares_no_access_stops_the_start() -> None:
    app = create_ops_app(Settings(), Resources())
    app.add_api_route("/secrets", test_every_route_of_the_api_is_there)
    with pytest.raises(UnguardedRoute, match="GET /secrets"):
        refuse_unguarded(app)


async def test_no_route_is_served_without_the_right_token(
    ops: OpsServer, client: httpx.AsyncClient
) -> None:
    claims = {"aud": OPS_AUDIENCE, "cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}
    bound = get_signer().issue_token("operator", scopes=[READ, WRITE], claims=claims)
    for route in ROUTES:
        is_read = route[0] == "GET" or route == READ_BY_POST
        needed, other = (READ, WRITE) if is_read else (WRITE, READ)
        answers = {
            "none": await send(client, route),
            "public": await send(client, route, ops.token(READ, WRITE, audience=AUDIENCE)),
            "garbage": await send(client, route, "a.b.c"),
            "api key": await send(client, route, "lgk_0123456789abcdef0123456789abcdef"),
            "dpop": await send(client, route, Authorization=f"DPoP {bound}"),
            "bound": await send(client, route, bound),
            "other scope": await send(client, route, ops.token(other)),
            "needed scope": await send(client, route, ops.token(needed)),
        }
        statuses = {name: answer.status_code for name, answer in answers.items()}
        right = statuses.pop("needed scope")
        assert statuses == {
            "none": 401,
            "public": 401,
            "garbage": 401,
            "api key": 401,
            "dpop": 401,
            "bound": 401,
            "other scope": 403,
        }, route
        assert right in {200, 204, 409, 412}, route
        assert answers["other scope"].json()["required-scopes"] == [needed]


async def test_a_token_of_both_audiences_is_accepted(
    ops: OpsServer, client: httpx.AsyncClient
) -> None:
    claims = {"aud": [AUDIENCE, "lockgate-ops"]}
    token = get_signer().issue_token("operator", scopes=[READ], claims=claims)
    assert (await send(client, ("GET", "/limits"), token)).status_code == 200


async def test_a_revoked_operator_is_refused(ops: OpsServer, client: httpx.AsyncClient) -> None:
    token = ops.token(READ)
    assert (await send(client, ("GET", "/limits"), token)).status_code == 200
    storage: Storage = ops.gateway[Storage]
    until = time.time() + 1_000
    revocation = Revocation(RevocationKind.SUBJECT, ISSUER, "operator", time.time() + 1, until)
    await storage.database.write(partial(revoke, revocation=revocation, author=Author("jane")))
    await storage.feed.refresh()
    assert (await send(client, ("GET", "/limits"), token)).status_code == 401


async def test_a_malformed_body_tells_nothing_without_a_token(client: httpx.AsyncClient) -> None:
    response = await client.put("/limits/dashboards", content=b"{")
    assert response.status_code == 401


async def test_only_the_hosts_of_the_settings_are_served(
    ops: OpsServer, client: httpx.AsyncClient
) -> None:
    for host, status in HOSTS:
        response = await send(client, ("GET", "/limits"), ops.token(READ), Host=host)
        assert response.status_code == status, host


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("Ops.Example", ("ops.example",)),
        ("2001:db8:0:0:0:0:0:1", ("2001:db8::1",)),
        ("0.0.0.0", ()),
        ("::", ()),
    ],
)
def test_the_address_of_the_port_is_one_of_its_hosts(host: str, own: tuple[str, ...]) -> None:
    assert Ops(host=host, hosts=("localhost",)).allowed_hosts == ("localhost", *own)


async def test_a_probe_needs_neither_a_token_nor_a_host_of_the_settings(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "lockgate.access"):
        probe = await client.get(LIVENESS_PATH, headers={"Host": "10.42.0.7:9000"})
        assert (probe.status_code, probe.json()) == (200, {"status": "ok"})
        assert not caplog.records, "a probe every few seconds would fill the log"
    assert (await client.get("/readyz")).status_code == 404
    for path in ("/healthz/", "//healthz", "/healthz/%2E%2E/limits", "/limits/%2E%2E/healthz"):
        other = await client.get(path, headers={"Host": "10.42.0.7:9000"})
        assert other.status_code in {400, 421}, path


async def test_a_page_of_another_origin_gets_nothing(
    ops: OpsServer, client: httpx.AsyncClient
) -> None:
    origin = {"Origin": "https://evil.example"}
    for method, headers in (("PUT", "authorization,if-match"), ("GET", "authorization")):
        preflight = await client.options(
            "/limits/dashboards",
            headers={
                **origin,
                "Access-Control-Request-Method": method,
                "Access-Control-Request-Headers": headers,
            },
        )
        assert not [name for name in preflight.headers if name.startswith("access-control-")]
    read = await send(client, ("GET", "/limits"), ops.token(READ), **origin)
    assert not [name for name in read.headers if name.startswith("access-control-")]
    assert read.headers["cross-origin-resource-policy"] == "same-origin"


async def test_every_response_has_the_security_headers(
    ops: OpsServer, client: httpx.AsyncClient
) -> None:
    answers = [
        await send(client, ("GET", "/limits"), ops.token(READ)),
        await send(client, ("GET", "/limits")),
        await send(client, ("GET", "/nowhere")),
        await send(client, ("POST", "/limits"), ops.token(READ)),
        await send(client, ("GET", "/limits"), Host="evil.example"),
        await client.get("/limits/%00"),
        await client.put("/limits/dashboards", content=b"x" * (MAX_BODY_BYTES + 1)),
    ]
    assert [it.status_code for it in answers] == [200, 401, 404, 405, 421, 400, 413]
    for answer in answers:
        fields = answer.headers
        assert fields["cache-control"] == "no-store"
        assert fields["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert fields["x-frame-options"] == "DENY"
        assert fields["x-content-type-options"] == "nosniff"
        assert fields["referrer-policy"] == "no-referrer"
        assert fields["cross-origin-opener-policy"] == "same-origin"
        assert "set-cookie" not in fields
        if answer.is_error:
            assert fields["content-type"] == "application/problem+json"
            assert answer.json()["instance"] == fields["x-request-id"]


async def test_the_public_port_has_no_route_of_the_ops_app() -> None:
    app = create_app(Settings(), application=Application())
    paths = {str(route.path) for route in iter_route_contexts(app.routes)}
    assert paths.isdisjoint({path for _, path in ROUTES} | {"/"})


async def test_an_unexpected_exception_says_nothing(
    ops: OpsServer, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: LimitStore) -> list[Limit]:
        raise RuntimeError("postgresql://lockgate:hunter2@db")

    monkeypatch.setattr(LimitStore, "list_limits", fail)
    response = await send(client, ("GET", "/limits"), ops.token(READ))
    assert response.status_code == 500
    assert "hunter2" not in response.text
