"""Headers of responses, with slowapi's handler, a custom one, and none."""

import pytest
from fastapi import FastAPI, Request, Response
from slowapi.errors import RateLimitExceeded
from slowapi.util import get_remote_address
from starlette.responses import JSONResponse

from gateway.ratelimit.compat.slowapi import Limiter
from gateway.ratelimit.memory_limiter import MemoryLimiter
from tests.gateway.ratelimit.charges import ManualClock
from tests.gateway.ratelimit.compat.slowapi_app import build_app, build_limiter, send


async def test_headers_are_whole_numbers_and_only_a_refusal_has_retry_after() -> None:
    slowapi_limiter = build_limiter(headers_enabled=True)
    app = build_app(slowapi_limiter)

    @app.get("/")
    @slowapi_limiter.limit("1/minute")
    async def root(request: Request, response: Response) -> str:
        return "ok"

    admitted, refused = await send(app, "/"), await send(app, "/")
    for response, remaining in ((admitted, "0"), (refused, "0")):
        assert response.headers["X-RateLimit-Limit"] == "1"
        assert response.headers["X-RateLimit-Remaining"] == remaining
        assert response.headers["X-RateLimit-Reset"].isdigit()
    assert "Retry-After" not in admitted.headers
    assert refused.headers["Retry-After"] == "60"


async def test_a_refused_request_is_not_told_to_come_back_too_early(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = ManualClock()
    slowapi_limiter = Limiter(
        get_remote_address, engine=MemoryLimiter(clock=clock), headers_enabled=True
    )
    app = build_app(slowapi_limiter)
    monkeypatch.setattr("time.time", lambda: 1_800_000_000.0)

    @app.get("/")
    @slowapi_limiter.limit("5/minute", cost=lambda request: int(request.headers["cost"]))
    async def root(request: Request) -> str:
        return "ok"

    await send(app, "/", cost="1")
    clock.advance(30)
    await send(app, "/", cost="4")
    refusal = await send(app, "/", cost="3")  # 1 comes back in 30 s, and 4 in 60 s
    assert refusal.headers["Retry-After"] == "60"
    assert refusal.headers["X-RateLimit-Reset"] == "1800000060"


async def test_retry_after_as_a_date() -> None:
    slowapi_limiter = build_limiter(headers_enabled=True, retry_after="http-date")
    app = build_app(slowapi_limiter)

    @app.get("/")
    @slowapi_limiter.limit("1/minute")
    async def root(request: Request) -> Response:
        return Response()

    await send(app, "/")
    assert (await send(app, "/")).headers["Retry-After"].endswith(" GMT")


@pytest.mark.parametrize("prefix", ["", "shop"])
async def test_a_custom_handler_reads_what_slowapi_gives_it(prefix: str) -> None:
    slowapi_limiter = build_limiter(headers_enabled=True, key_prefix=prefix)
    app = build_app(slowapi_limiter)

    async def respond(request: Request, error: RateLimitExceeded) -> JSONResponse:
        item, identifiers = request.state.view_rate_limit
        body = {
            "detail": error.detail,
            "limit": str(error.limit.limit) if error.limit else None,
            "item": str(item),
            "identifiers": identifiers,
            "remaining": request.state.view_rate_limit.remaining,
        }
        response = JSONResponse(body, status_code=429)
        limiter: Limiter = request.app.state.limiter
        limiter._inject_headers(response, (item, identifiers))  # a copy: it has no numbers
        assert "X-RateLimit-Limit" not in response.headers
        return limiter._inject_headers(response, request.state.view_rate_limit)  # type: ignore[no-any-return]

    app.add_exception_handler(RateLimitExceeded, respond)  # type: ignore[arg-type]

    @app.get("/")
    @slowapi_limiter.shared_limit("1/minute", scope="root")
    async def root(request: Request) -> str:
        return "ok"

    await send(app, "/")
    refusal = await send(app, "/")
    text = "1 per 1 minute"
    assert refusal.json() == {
        "detail": text, "limit": text, "item": text, "remaining": 0,
        "identifiers": [*([prefix] if prefix else []), "127.0.0.1", "root"],
    }  # fmt: skip
    assert refusal.headers["Retry-After"] == "60"
    with pytest.raises(RuntimeError, match="view_rate_limit"):
        _ = slowapi_limiter.limiter


async def test_without_a_handler_a_refusal_has_a_retry_after() -> None:
    slowapi_limiter = build_limiter()
    app = FastAPI()

    @app.get("/")
    @slowapi_limiter.limit("1/minute")
    async def root(request: Request) -> str:
        return "ok"

    await send(app, "/")
    refusal = await send(app, "/")
    assert (refusal.status_code, refusal.json()) == (429, {"detail": "1 per 1 minute"})
    assert refusal.headers["Retry-After"] == "60"
    assert "X-RateLimit-Limit" not in refusal.headers


async def test_headers_need_no_parameter_response() -> None:
    slowapi_limiter = build_limiter(headers_enabled=True)
    app = build_app(slowapi_limiter)

    @app.get("/async")
    @slowapi_limiter.limit("9/minute")
    async def get_async(request: Request) -> dict[str, int]:
        return {"number": 1}

    @app.get("/sync")
    @slowapi_limiter.limit("8/minute")
    def get_sync(request: Request, number: int = 1) -> dict[str, int]:
        return {"number": number}

    for path, limit in (("/async", "9"), ("/sync", "8")):
        response = await send(app, path)
        assert (response.json(), response.headers["X-RateLimit-Limit"]) == ({"number": 1}, limit)
    assert app.openapi()["paths"]["/async"]["get"].get("parameters") is None
