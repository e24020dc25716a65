"""`limited(...)` on routes: who is charged, what the answer carries, what a refusal says."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi import Depends, FastAPI
from httpx import ASGITransport, AsyncClient, Response

from gateway.auth.dependencies import public, requires
from gateway.auth.principal import Principal
from gateway.auth.verifier import TokenVerifier
from gateway.errors import problem_json
from gateway.errors.tree import RateLimiterUnavailable, Unauthenticated
from gateway.middleware.access_log import AccessLog
from gateway.ratelimit.dependency import Limited, limited
from gateway.ratelimit.limiter import Charge, RateLimiter, Verdict
from gateway.ratelimit.memory import MemoryLimiter
from gateway.ratelimit.policy import RateLimit
from gateway.resources import Resources
from gateway.settings.schema import Server, Settings
from tests.gateway.ratelimit.charges import ManualClock
from tests.gateway.ratelimit.structured_fields import parse

USERS = RateLimit("users", "2/minute")
TENANTS = RateLimit("tenants", "3/minute", per="tenant")
ADDRESSES = RateLimit("addresses", "2/minute", per="address")
SHADOW = RateLimit("shadow", "1/minute", shadow=True)


class Verifier(TokenVerifier):
    """Takes any token for the name of a user of one tenant."""

    async def verify(self, token: str) -> Principal:
        """Say who the token belongs to."""
        if token == "invalid":
            raise Unauthenticated("invalid")
        return Principal("issuer", token, frozenset({"read"}), token, None, "acme", 0)

    def health(self) -> dict[str, str]:
        """No issuer."""
        return {}


@dataclass
class StubLimiter(RateLimiter):
    """Gives the same verdict on everything."""

    verdict: Verdict | RateLimiterUnavailable

    async def check(self, charges: Sequence[Charge]) -> Verdict:
        """Raise it or return it."""
        if isinstance(self.verdict, RateLimiterUnavailable):
            raise self.verdict
        return self.verdict

    def health(self) -> dict[str, str | int]:
        """Well."""
        return {"status": "ok"}


def gateway(limiter: RateLimiter | None = None) -> FastAPI:
    """An app with a route for each kind of policy."""
    app = FastAPI()
    app.state.settings = Settings(server=Server(trusted_proxies=("10.0.0.0/8",)))
    app.state.resources = Resources()
    app.state.resources[TokenVerifier] = Verifier()
    app.state.resources[RateLimiter] = limiter or MemoryLimiter(clock=ManualClock())
    app.add_middleware(AccessLog)
    problem_json.install(app)

    async def answer() -> str:
        return "ok"

    def route(path: str, *dependencies: Any) -> None:
        app.get(path, dependencies=list(dependencies))(answer)

    route("/user", requires("read"), limited(USERS))
    route("/both", requires("read"), limited(USERS, TENANTS))
    route("/shadow", requires("read"), limited(SHADOW))
    route("/address", public("a test"), limited(ADDRESSES))
    return app


async def get(app: FastAPI, path: str, user: str = "", **headers: str) -> Response:
    """One request, through a proxy that is trusted."""
    if user:
        headers["Authorization"] = f"Bearer {user}"
    transport = ASGITransport(app, client=("10.0.0.1", 1))
    async with AsyncClient(transport=transport, base_url="http://gateway") as client:
        return await client.get(path, headers=headers)


async def test_an_admitted_answer_says_what_is_left() -> None:
    answer = await get(gateway(), "/user", "ann")
    assert answer.status_code == 200
    assert answer.headers["RateLimit-Policy"] == '"users";q=2;w=60'
    assert answer.headers["RateLimit"] == '"users";r=1;t=60'
    assert "Retry-After" not in answer.headers
    assert "Lockgate-Limits" not in answer.headers


async def test_a_refusal_is_a_429_that_names_the_policy_and_the_wait() -> None:
    app = gateway()
    answers = [await get(app, "/user", "ann") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    refusal = answers[-1]
    assert refusal.headers["Content-Type"] == "application/problem+json"
    assert refusal.headers["Retry-After"] == "60"
    assert refusal.headers["RateLimit"] == '"users";r=0;t=60'
    assert refusal.json()["violated-policies"] == ["users"]
    assert refusal.json()["type"].endswith("#quota-exceeded")


async def test_callers_do_not_share_a_user_policy_but_a_tenant_policy() -> None:
    app = gateway()
    callers = ("ann", "bob", "cyd", "dan")
    answers = [await get(app, "/both", caller) for caller in callers]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[-1].json()["violated-policies"] == ["tenants"]
    assert [name for name, _ in parse(answers[0].headers["RateLimit"])] == ["users", "tenants"]
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


async def test_who_is_not_let_in_is_not_charged() -> None:
    app = gateway()
    for _ in range(5):
        answer = await get(app, "/user", "invalid")
        assert answer.status_code == 401
        assert "RateLimit" not in answer.headers
    assert (await get(app, "/user", "ann")).status_code == 200


async def test_a_shadow_policy_is_seen_in_the_log_only(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "lockgate.access")
    app = gateway()
    answers = [await get(app, "/shadow", "ann") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert "RateLimit" not in answers[1].headers
    facts = [vars(record)["facts"] for record in caplog.records]
    assert [line.get("shadow_refused_by") for line in facts] == [None, "shadow"]


@pytest.mark.parametrize("how", ["local", "allow"])
async def test_an_answer_counted_without_redis_says_so(
    how: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "lockgate.access")
    app = gateway(StubLimiter(Verdict(admitted=True, degraded=how)))
    answer = await get(app, "/user", "ann")
    assert answer.headers["Lockgate-Limits"] == how
    assert vars(caplog.records[-1])["facts"]["limits"] == how


async def test_what_cannot_be_counted_and_must_be_is_a_503() -> None:
    answer = await get(gateway(StubLimiter(RateLimiterUnavailable(1))), "/user", "ann")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"


def test_what_a_route_declared_can_be_read_back() -> None:
    dependency = limited(USERS, TENANTS)
    assert isinstance(dependency, type(Depends()))
    assert dependency.dependency == Limited((USERS, TENANTS))


def test_no_policy_or_the_same_twice_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="each once"):
        limited()
    with pytest.raises(ValueError, match="each once"):
        limited(USERS, RateLimit("users", "9/day"))
