"""The responses of a gateway to a request that a decorator of slowapi refuses."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import APIRouter, Request
from slowapi.errors import RateLimitExceeded
from starlette.responses import Response

from gateway.app import Gateway, create_app
from gateway.app_loader import Application
from gateway.auth import public
from gateway.errors.tree import QuotaExceeded, RateLimiterUnavailable
from gateway.ratelimit.compat.slowapi import Limiter
from gateway.ratelimit.limited_dependency import limited
from gateway.ratelimit.policy import RateLimit
from gateway.settings.schema import Settings
from tests.gateway.ratelimit.compat.slowapi_app import get_statuses, send

OTHER = RateLimit("other", "100/hour", per="address")


@asynccontextmanager
async def open_gateway(
    limits: dict[str, Any],
    *,
    handler: Any = None,
    policies: Sequence[RateLimit] = (OTHER,),
    **options: Any,
) -> AsyncIterator[Gateway]:
    """A gateway with one route per path, which has this limit, and without its Redis."""
    limiter = Limiter(lambda: "caller", **options)
    own = [limited(*policies)] if policies else []
    router = APIRouter(dependencies=[public("a test"), *own])
    for path, arguments in limits.items():

        async def endpoint(request: Request) -> str:
            return "ok"

        router.get(path)(limiter.limit(**arguments)(endpoint))
    settings = Settings(redis_url="redis://127.0.0.1:1")
    app = create_app(settings, application=Application(routers=[router]))
    if handler:
        app.add_exception_handler(RateLimitExceeded, handler)
    async with app.router.lifespan_context(app):
        yield app


async def test_a_refusal_is_the_problem_of_the_gateway_and_names_the_limits() -> None:
    limits = {"/": {"limit_value": "1/minute;1 per 2 hours;5/day"}}
    async with open_gateway(limits, headers_enabled=True) as app:
        assert await get_statuses(app, "/") == [200]
        refusal = await send(app, "/")
    problem = refusal.json()
    assert (refusal.status_code, problem["type"]) == (429, QuotaExceeded.type)
    assert problem["detail"] == "1 per 2 hour"
    assert problem["violated-policies"] == ["1 per 1 minute", "1 per 2 hour"]
    assert refusal.headers["Retry-After"] == "7200"
    assert refusal.headers["X-RateLimit-Limit"] == "1"


@pytest.mark.parametrize(
    ("message", "detail"), [("slow down", "slow down"), ({"wait": 1}, '{"wait":1}')]
)
async def test_an_error_message_is_the_detail(message: Any, detail: str) -> None:
    limits = {"/": {"limit_value": "1/minute", "error_message": message}}
    async with open_gateway(limits) as app:
        assert await get_statuses(app, "/") == [200]
        assert (await send(app, "/")).json()["detail"] == detail


async def test_a_handler_of_the_application_replaces_the_problem() -> None:
    async def respond(request: Request, error: RateLimitExceeded) -> Response:
        return Response(f"own: {error.detail}", status_code=429)

    async with open_gateway({"/": {"limit_value": "1/minute"}}, handler=respond) as app:
        await send(app, "/")
        assert (await send(app, "/")).text == "own: 1 per 1 minute"


async def test_a_limiter_without_a_fallback_refuses_with_the_problem_of_the_gateway() -> None:
    limits = {"/": {"limit_value": "1/minute"}}
    async with open_gateway(limits, in_memory_fallback_enabled=False) as app:
        refusal = await send(app, "/")
    assert (refusal.status_code, refusal.headers["Retry-After"]) == (503, "1")
    assert refusal.json()["title"] == RateLimiterUnavailable.title


async def test_the_fallback_in_use_is_in_a_response_header_once() -> None:
    async with open_gateway({"/": {"limit_value": "1/minute"}}) as app:
        for status in (200, 429):
            response = await send(app, "/")
            assert response.status_code == status
            assert response.headers.get_list("lockgate-limits") == ["local"]


async def test_openapi_describes_the_429_of_a_decorated_route() -> None:
    limits = {
        "/text": {"limit_value": "1/minute"},
        "/computed": {"limit_value": lambda: "1/minute"},
        "/put": {"limit_value": "1/minute", "methods": ["PUT"]},
    }
    async with open_gateway(limits, policies=()) as app:
        paths = app.openapi()["paths"]
    reference = "#/components/schemas/QuotaExceededProblem"
    for path in ("/text", "/computed"):
        refusal = paths[path]["get"]["responses"]["429"]
        schema = refusal["content"]["application/problem+json"]["schema"]
        assert schema["oneOf"] == [{"$ref": reference}]
        assert "Retry-After" in refusal["headers"]
        assert "RateLimit" not in refusal["headers"]
    assert "429" not in paths["/put"]["get"]["responses"]
