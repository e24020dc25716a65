"""Every error is a problem document with the same members."""

import json

import httpx
import pytest
from fastapi import FastAPI
from starlette.exceptions import HTTPException

from gateway.errors import problem_json
from gateway.errors.handlers import install_error_handlers
from gateway.errors.problem_json import Problem
from gateway.errors.tree import (
    ContentTooLarge,
    Forbidden,
    GatewayError,
    IdentityUnavailable,
    Overloaded,
    QuotaExceeded,
    RateLimiterUnavailable,
    Unauthenticated,
    UnsupportedContentCoding,
)
from gateway.request_context import RequestContext
from gateway.upstream.errors import (
    UpstreamError,
    UpstreamInvalid,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnavailable,
)

MEMBERS = {"type", "title", "status", "detail", "instance"}


async def get_response(error: Exception) -> httpx.Response:
    app = FastAPI()
    install_error_handlers(app)

    @app.get("/")
    async def fail() -> None:
        raise error

    async def with_id(scope: dict[str, object], receive: object, send: object) -> None:
        RequestContext.of(scope).request_id = "the-request-id"
        await app(scope, receive, send)  # type: ignore[arg-type]

    transport = httpx.ASGITransport(with_id)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as http:
        return await http.get("/")


@pytest.mark.parametrize(
    ("error", "status", "header", "extra"),
    [
        (Unauthenticated("expired"), 401, "www-authenticate", {}),
        (Forbidden(scopes=["a", "b"]), 403, "www-authenticate", {"required-scopes": ["a", "b"]}),
        (ContentTooLarge(), 413, None, {}),
        (UnsupportedContentCoding(), 415, "accept-encoding", {}),
        (QuotaExceeded(["chat"], 3.2), 429, "retry-after", {"violated-policies": ["chat"]}),
        (IdentityUnavailable(2), 503, "retry-after", {}),
        (RateLimiterUnavailable(0.1), 503, "retry-after", {}),
        (Overloaded(1), 503, "retry-after", {}),
        (UpstreamTimeout("orders", "GET /"), 504, None, {"service": "orders"}),
        (UpstreamUnavailable("orders", "GET /"), 503, "retry-after", {"service": "orders"}),
        (UpstreamRefused("orders", "GET /", status=404), 502, None, {"service": "orders"}),
        (UpstreamInvalid("orders", "GET /"), 502, None, {"service": "orders"}),
        (HTTPException(418, "a teapot"), 418, None, {}),
    ],
)
async def test_an_error_is_written_as_a_problem(
    error: Exception, status: int, header: str | None, extra: dict[str, object]
) -> None:
    response = await get_response(error)
    problem = response.json()
    assert response.status_code == problem["status"] == status
    assert response.headers["content-type"] == "application/problem+json"
    assert problem.keys() == MEMBERS | extra.keys()
    assert extra.items() <= problem.items()
    assert problem["instance"] == "the-request-id"
    assert header is None or header in response.headers


def test_a_member_does_not_replace_a_standard_one() -> None:
    standard = {"type": "urn:own", "title": "Own", "status": 409, "detail": "Own."}
    forged = {"status": 200, "type": "about:blank", "instance": "", "member": 1}
    document = Problem("the-request-id", **standard, members=forged)  # type: ignore[arg-type]
    expected = {**standard, "instance": "the-request-id", "member": 1}
    assert json.loads(bytes(document.body)) == expected


def test_every_upstream_error_has_a_status_and_a_detail() -> None:
    reasons = {kind.reason for kind in UpstreamError.__subclasses__()}
    assert set(problem_json.UPSTREAM_STATUS) == set(problem_json.UPSTREAM_DETAIL) == reasons
    assert all(error.status >= 400 for error in _leaves(GatewayError))


async def test_retry_after_is_rounded_up_and_never_zero() -> None:
    assert (await get_response(QuotaExceeded(["x"], 3.2))).headers["retry-after"] == "4"
    assert (await get_response(QuotaExceeded(["x"], 0.0))).headers["retry-after"] == "1"


async def test_an_invalid_and_a_missing_token_differ_in_the_challenge_only() -> None:
    none = await get_response(Unauthenticated("missing", token_sent=False))
    bad = await get_response(Unauthenticated("bad_signature"))
    assert none.headers["www-authenticate"] == 'Bearer realm="lockgate"'
    assert bad.headers["www-authenticate"] == 'Bearer realm="lockgate", error="invalid_token"'
    assert none.json() == bad.json()


def _leaves(kind: type[GatewayError]) -> list[type[GatewayError]]:
    below = kind.__subclasses__()
    return [leaf for child in below for leaf in _leaves(child)] if below else [kind]
