"""`limited(...)` on routes: the partition charged, the response headers, the refusal."""

from collections.abc import Sequence
from typing import Any

import pytest
from fastapi import Depends, FastAPI
from httpx import ASGITransport, AsyncClient, Response
from starlette.requests import HTTPConnection

from gateway.auth.dependencies import public, requires
from gateway.auth.principal import Principal
from gateway.auth.verifier import TokenVerifier
from gateway.errors.handlers import install_error_handlers
from gateway.errors.tree import RateLimiterUnavailable, Unauthenticated
from gateway.middleware.access_log import AccessLog
from gateway.middleware.request_context import RequestContextMiddleware
from gateway.ratelimit.limited_dependency import Limited, limited
from gateway.ratelimit.limiter import Charge, RateLimiter, Verdict
from gateway.ratelimit.limits import Limits
from gateway.ratelimit.memory_limiter import MemoryLimiter
from gateway.ratelimit.policy import RateLimit
from gateway.ratelimit.policy_in_force import PoliciesInForce
from gateway.resources import Resources
from gateway.settings.schema import Server, Settings
from tests.gateway.ratelimit.charges import ManualClock
from tests.gateway.ratelimit.structured_fields import parse

USERS = RateLimit("users", "2/minute")
TENANTS = RateLimit("tenants", "3/minute", per="tenant")
ADDRESSES = RateLimit("addresses", "2/minute", per="address")
SHADOW = RateLimit("shadow", "1/minute", shadow=True)
WINDOWS = RateLimit("windows", "2/second, 3/minute, 9/day", burst=2)
TIERS = RateLimit("tiers", "1/minute", tiers={"pro": "3/minute"}, tier_claim="plan")
ORGS = RateLimit("orgs", "2/minute", per="claim:org")
FIXED = RateLimit("fixed", "9/minute", cost=4)


class Verifier(TokenVerifier):
    """Accepts every token as the name of a user of one tenant."""

    async def verify(self, token: str) -> Principal:
        """Return the user."""
        if token == "invalid":
            raise Unauthenticated("invalid")
        user, _, plan = token.partition("/")
        claims = {"plan": plan, "org": "acme"} if plan else {}
        scopes = frozenset({"read"})
        return Principal("issuer", user, scopes, user, None, "acme", 0, claims=claims)

    def health(self) -> dict[str, str]:
        """There are no issuers."""
        return {}


class StubLimiter(MemoryLimiter):
    """Gives the same verdict on every request."""

    def __init__(self, verdict: Verdict | RateLimiterUnavailable) -> None:
        super().__init__()
        self.verdict = verdict

    async def check(self, charges: Sequence[Charge]) -> Verdict:
        """Return the verdict, or raise it."""
        if isinstance(self.verdict, RateLimiterUnavailable):
            raise self.verdict
        return self.verdict


def read_cost(connection: HTTPConnection) -> int:
    """Return what the query says, as a number or as any other value."""
    text = connection.query_params["cost"]
    return {"text": "2", "flag": True, "half": 1.5}.get(text) or int(text)  # type: ignore[return-value]


COMPUTED = RateLimit("computed", "9/minute", cost=read_cost)


def gateway(limiter: RateLimiter | None = None) -> FastAPI:
    """An app with a route for each kind of policy."""
    app = FastAPI()
    app.state.settings = Settings(server=Server(trusted_proxies=("10.0.0.0/8",)))
    app.state.resources = Resources()
    app.state.resources[TokenVerifier] = Verifier()
    limiter = limiter or MemoryLimiter(clock=ManualClock())
    app.state.resources[Limits] = Limits(limiter, PoliciesInForce())
    app.add_middleware(RequestContextMiddleware)
    app.add_middleware(AccessLog)
    install_error_handlers(app)

    async def endpoint() -> str:
        return "ok"

    def route(path: str, *dependencies: Any) -> None:
        app.get(path, dependencies=list(dependencies))(endpoint)

    route("/user", requires("read"), limited(USERS))
    route("/both", requires("read"), limited(USERS, TENANTS))
    route("/shadow", requires("read"), limited(SHADOW))
    route("/address", public("a test"), limited(ADDRESSES))
    for policy in (WINDOWS, TIERS, ORGS, FIXED, COMPUTED):
        route(f"/{policy.name}", requires("read"), limited(policy))
    return app


async def get(app: FastAPI, path: str, user: str = "", **headers: str) -> Response:
    """Send one request through a trusted proxy."""
    if user:
        headers["Authorization"] = f"Bearer {user}"
    transport = ASGITransport(app, client=("10.0.0.1", 1))
    async with AsyncClient(transport=transport, base_url="http://gateway") as client:
        return await client.get(path, headers=headers)


async def test_an_admitted_response_has_the_remaining_quota() -> None:
    response = await get(gateway(), "/user", "ann")
    assert response.status_code == 200
    assert response.headers["RateLimit-Policy"] == '"users";q=2;w=60'
    assert response.headers["RateLimit"] == '"users";r=1;t=60'
    assert "Retry-After" not in response.headers
    assert "Lockgate-Limits" not in response.headers


async def test_a_refusal_is_a_429_with_the_policy_and_retry_after() -> None:
    app = gateway()
    responses = [await get(app, "/user", "ann") for _ in range(3)]
    assert [response.status_code for response in responses] == [200, 200, 429]
    refusal = responses[-1]
    assert refusal.headers["Content-Type"] == "application/problem+json"
    assert refusal.headers["Retry-After"] == "60"
    assert refusal.headers["RateLimit"] == '"users";r=0;t=60'
    assert refusal.json()["violated-policies"] == ["users"]
    assert refusal.json()["type"].endswith("#quota-exceeded")


async def test_callers_share_a_tenant_policy_but_no_user_policy() -> None:
    app = gateway()
    callers = ("ann", "bob", "cyd", "dan")
    responses = [await get(app, "/both", caller) for caller in callers]
    assert [response.status_code for response in responses] == [200, 200, 200, 429]
    assert responses[-1].json()["violated-policies"] == ["tenants"]
    assert [name for name, _ in parse(responses[0].headers["RateLimit"])] == ["users", "tenants"]
    # The refused request was charged to neither.
    assert (await get(app, "/user", "dan")).headers["RateLimit"] == '"users";r=1;t=60'


async def test_a_policy_per_address_needs_no_token() -> None:
    app = gateway()
    one, other = {"X-Forwarded-For": "198.51.100.7"}, {"X-Forwarded-For": "198.51.100.8"}
    statuses = [(await get(app, "/address", **one)).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert (await get(app, "/address", **other)).status_code == 200
    spoofed = {"X-Forwarded-For": "203.0.113.1, 198.51.100.7"}
    assert (await get(app, "/address", **spoofed)).status_code == 429


async def test_the_log_says_why_a_forwarded_address_is_not_believed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "lockgate.access")
    app = gateway()
    await get(app, "/address", **{"X-Forwarded-For": "198.51.100.7"})
    await get(app, "/address", **{"X-Forwarded-For": "198.51.100.7", "Forwarded": "for=1.1.1.1"})
    doubts = [vars(it)["fields"].get("client_address_doubt") for it in caplog.records]
    assert doubts == [None, "forwarded and x-forwarded-for name different clients"]


async def test_each_window_is_in_the_headers_and_a_refusal_names_those_that_refused() -> None:
    app = gateway()
    response = await get(app, "/windows", "ann")
    assert parse(response.headers["RateLimit-Policy"]) == [
        ("windows:1s", {"q": 2, "w": 1}),
        ("windows:60s", {"q": 3, "w": 60}),
        ("windows:86400s", {"q": 9, "w": 86_400}),
    ]
    assert [fields["r"] for _, fields in parse(response.headers["RateLimit"])] == [1, 2, 8]
    await get(app, "/windows", "ann")
    refusal = await get(app, "/windows", "ann")
    assert refusal.json()["violated-policies"] == ["windows:1s"]
    assert refusal.headers["Retry-After"] == "1"


async def test_the_claim_of_the_tier_selects_the_rate() -> None:
    app = gateway()
    for user, admitted in (("ann", 1), ("bob/free", 1), ("cyd/pro", 3)):
        statuses = [(await get(app, "/tiers", user)).status_code for _ in range(5)]
        assert statuses.count(200) == admitted


async def test_callers_with_the_same_claim_share_its_count() -> None:
    app = gateway()
    statuses = [(await get(app, "/orgs", user)).status_code for user in ("a/x", "b/x", "c/x", "d")]
    assert statuses == [200, 200, 429, 200]


async def test_a_request_is_charged_its_cost() -> None:
    app = gateway()
    statuses = [(await get(app, "/fixed", "ann")).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    responses = [await get(app, f"/computed?cost={cost}", "ann") for cost in (5, 0, 5, 4)]
    assert [response.status_code for response in responses] == [200, 200, 429, 200]
    assert responses[1].headers["RateLimit"] == '"computed";r=4;t=60'
    never = await get(app, "/computed?cost=10", "bob")
    assert (never.status_code, never.headers["Retry-After"]) == (429, "60")


@pytest.mark.parametrize("cost", ["-1", "1000000000", "text", "flag", "half", "nothing"])
async def test_a_cost_that_is_none_is_an_error_and_never_free(
    cost: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = gateway()
    response = await get(app, f"/computed?cost={cost}", "ann")
    assert response.status_code == 500
    assert response.headers["Content-Type"] == "application/problem+json"
    assert "policy computed: its cost function" in caplog.text
    assert (await get(app, "/computed?cost=9", "ann")).status_code == 200  # nothing was charged


async def test_an_unauthenticated_request_is_not_charged() -> None:
    app = gateway()
    for _ in range(5):
        response = await get(app, "/user", "invalid")
        assert response.status_code == 401
        assert "RateLimit" not in response.headers
    assert (await get(app, "/user", "ann")).status_code == 200


async def test_a_shadow_policy_is_visible_in_the_log_only(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "lockgate.access")
    app = gateway()
    responses = [await get(app, "/shadow", "ann") for _ in range(2)]
    assert [response.status_code for response in responses] == [200, 200]
    assert "RateLimit" not in responses[1].headers
    facts = [vars(record)["fields"] for record in caplog.records]
    assert [line.get("shadow_refused_by") for line in facts] == [None, "shadow"]


@pytest.mark.parametrize("how", ["local", "allow"])
async def test_a_response_counted_without_redis_says_so(
    how: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "lockgate.access")
    app = gateway(StubLimiter(Verdict(admitted=True, degraded=how)))
    response = await get(app, "/user", "ann")
    assert response.headers["Lockgate-Limits"] == how
    assert vars(caplog.records[-1])["fields"]["limits"] == how


async def test_a_request_that_must_be_counted_and_cannot_is_a_503() -> None:
    response = await get(gateway(StubLimiter(RateLimiterUnavailable(1))), "/user", "ann")
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "1"


def test_the_policies_of_a_route_can_be_read_back() -> None:
    dependency = limited(USERS, TENANTS)
    assert isinstance(dependency, type(Depends()))
    assert dependency.dependency == Limited((USERS, TENANTS))


@pytest.mark.parametrize("policy", ["users", RateLimit, [USERS], None])
def test_what_is_no_policy_is_an_error(policy: Any) -> None:
    with pytest.raises(TypeError, match="each a RateLimit"):
        limited(policy)


def test_no_policy_or_the_same_twice_is_an_error() -> None:
    with pytest.raises(ValueError, match="each once"):
        limited()
    with pytest.raises(ValueError, match="each once"):
        limited(USERS, RateLimit("users", "9/day"))
