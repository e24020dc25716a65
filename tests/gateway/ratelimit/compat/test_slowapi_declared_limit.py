"""The texts of limits, costs and methods."""

import gc
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from fastapi import Request

from gateway.ratelimit.compat.slowapi_declared_limit import parse_limits
from tests.gateway.ratelimit.compat.slowapi_app import build_app, build_limiter, get_statuses, send


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("10/minute", [(10, 60)]),
        ("10 per 2 minutes", [(10, 120)]),
        (" 10  /  Minutes ", [(10, 60)]),
        ("10 PER day", [(10, 86_400)]),
        ("1/month", [(1, 2_592_000)]),
        ("1/day;10/hour", [(1, 86_400), (10, 3_600)]),
        ("1/second, 2 per minute | 3/hour", [(1, 1), (2, 60), (3, 3_600)]),
        ("10/\nminute", [(10, 60)]),
        ("999999999/second", [(999_999_999, 1)]),
        ("10/20minutes; 100 per 010 hours", [(10, 1_200), (100, 36_000)]),
    ],
)
def test_the_grammar_of_the_limits_package(text: str, limits: list[tuple[int, int]]) -> None:
    assert [(item.amount, item.get_expiry()) for item in parse_limits(text)] == limits


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "many/minute", "10", "10/", "/minute", "-1/minute", "1.5/minute", "10/fortnight",
        "10/min", "10/minute;", ";10/minute", "10/minute garbage", "10/minute;garbage",
        "1/day\n10/hour", "10/minute10/hour", "10 / 5 / minute", "1e3/minute", "\u0661/minute",
        "0/minute", "5/minute;0/hour", "1000000000/minute", "1/1000 years", "9" * 5_000 + "/day",
        "10/0minute", "10 / 0 minutes", "10per0hour", "10 PER 00 days", "1/day;10/0second",
        None, 10, b"10/minute", ["10/minute"],
    ],
)  # fmt: skip
def test_what_is_no_limit_is_an_error_when_it_is_declared(text: Any) -> None:
    with pytest.raises((TypeError, ValueError)) as raised:
        build_limiter().limit(text)
    assert len(str(raised.value)) < 400


async def get_scope(endpoint: str) -> str:
    """A coroutine function."""
    return endpoint


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("scope", "message"),
    [
        (lambda request: request.headers["tenant"], "scope gets the name of the endpoint, '.*root"),
        (lambda request: request.state, "and not the request; it raised AttributeError"),
        (lambda: "all", "scope gets the name of the endpoint"),
        (get_scope, "scope is a coroutine function"),
        (partial(get_scope), "scope is a coroutine function"),
        (lambda endpoint: None, "scope is None; it must be a string"),
        (lambda endpoint: (part for part in endpoint), "scope is <generator"),
        (7, "scope is 7; it must be a string"),
    ],
)
def test_a_scope_is_a_text_or_is_made_from_the_name_of_the_endpoint(
    scope: Any, message: str
) -> None:
    async def root(request: Request) -> None: ...

    with pytest.raises(TypeError, match=message):
        build_limiter().shared_limit("1/minute", scope)(root)
    gc.collect()


async def test_a_computed_limit() -> None:
    slowapi_limiter = build_limiter()
    app = build_app(slowapi_limiter)

    @app.get("/")
    @slowapi_limiter.limit(lambda request: request.headers.get("limit"))
    async def root(request: Request) -> str:
        return "ok"

    assert await get_statuses(app, "/", "/") == [200, 200]  # None: no limit for this request
    assert await get_statuses(app, "/", limit="") == [200]
    assert await get_statuses(app, "/", limit="0/minute") == [429]  # a plan without a quota
    assert await get_statuses(app, "/", "/", limit="1/minute") == [200, 429]
    for text in ("many/minute", "1000000000/minute"):
        with pytest.raises(ValueError, match=text):
            await send(app, "/", limit=text)


async def test_costs() -> None:
    slowapi_limiter = build_limiter()
    app = build_app(slowapi_limiter)
    costs: list[Any] = []

    @app.get("/")
    @slowapi_limiter.limit("5/minute", cost=lambda: costs.pop(0))
    async def root(request: Request) -> str:
        return "ok"

    costs[:] = [0, 0.0, False, 1.5, True, 10**400, 5.1, 2, 1, 0]
    statuses = await get_statuses(app, *["/"] * 10)
    assert statuses == [200, 200, 200, 200, 200, 429, 429, 200, 429, 200]  # 1.5 is counted as 2
    for cost in (-1, -0.5, float("nan"), float("inf"), "1", None, Decimal(1)):
        costs[:] = [cost]
        with pytest.raises(ValueError, match="cost is"):
            await send(app, "/")
    assert await get_statuses(build_costly_app(2.0), "/", "/", "/") == [200, 200, 429]


def build_costly_app(cost: float) -> Any:
    """An app with a limit of 5 and this constant cost."""
    slowapi_limiter = build_limiter()
    app = build_app(slowapi_limiter)

    @app.get("/")
    @slowapi_limiter.limit("5/minute", cost=cost)
    async def root(request: Request) -> str:
        return "ok"

    return app


async def test_head_is_counted_as_get() -> None:
    slowapi_limiter = build_limiter()
    app = build_app(slowapi_limiter)

    @slowapi_limiter.limit("2/minute", methods=["get"], per_method=True)
    async def root(request: Request) -> str:
        return "ok"

    app.api_route("/", methods=["GET", "HEAD", "POST"])(root)
    assert await get_statuses(app, "/") == [200]
    assert await get_statuses(app, "/", "/", method="HEAD") == [200, 429]
    assert await get_statuses(app, "/", "/", "/", method="POST") == [200, 200, 200]
