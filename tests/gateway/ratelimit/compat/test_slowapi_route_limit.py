"""The options of one limit: its key, methods, cost and rate."""

from fastapi import Request

from tests.gateway.ratelimit.compat.slowapi_app import build_app, build_limiter, get_statuses, send


async def test_the_options_of_one_limit() -> None:
    slowapi_limiter = build_limiter()
    app = build_app(slowapi_limiter)

    @slowapi_limiter.limit(
        "2/minute",
        key_func=lambda request: request.headers.get("caller", "unknown"),
        per_method=True,
        methods=["GET", "POST"],
        error_message="slow down",
        exempt_when=lambda request: "vip" in request.headers,
        cost=lambda request: int(request.headers.get("cost", "1")),
    )
    async def root(request: Request) -> str:
        return "ok"

    app.api_route("/", methods=["GET", "POST", "PUT"])(root)
    assert await get_statuses(app, "/", cost="2") == [200]
    assert (await send(app, "/")).json() == {"error": "Rate limit exceeded: slow down"}
    assert await get_statuses(app, "/", caller="somebody") == [200]
    assert await get_statuses(app, "/", method="POST") == [200]
    assert await get_statuses(app, "/", "/", "/", method="PUT") == [200, 200, 200]
    assert await get_statuses(app, "/", vip="1") == [200]


async def test_a_shared_limit_is_spent_by_all_its_endpoints() -> None:
    slowapi_limiter = build_limiter()
    app = build_app(slowapi_limiter)
    shared = slowapi_limiter.shared_limit("2/minute", scope="both")

    @app.get("/one")
    @shared
    async def one(request: Request) -> str:
        return "ok"

    @app.get("/two")
    @shared
    async def two(request: Request) -> str:
        return "ok"

    assert await get_statuses(app, "/one", "/two", "/one") == [200, 200, 429]


async def test_a_limit_can_be_computed_per_request_and_keeps_its_count() -> None:
    slowapi_limiter = build_limiter()
    app = build_app(slowapi_limiter)
    current = ["2/minute"]

    @app.get("/")
    @slowapi_limiter.limit(lambda: current[0])
    async def root(request: Request) -> str:
        return "ok"

    def by_key(key: str) -> str:
        return "1/minute" if key == "free" else "9/minute"

    def plan(request: Request) -> str:
        return request.headers["plan"]

    @app.get("/plans")
    @slowapi_limiter.limit(by_key, key_func=plan)
    async def plans(request: Request) -> str:
        return "ok"

    assert await get_statuses(app, "/", "/", "/") == [200, 200, 429]
    current[0] = "3/minute"  # the amount is not a part of the key: two of three are spent
    assert await get_statuses(app, "/", "/") == [200, 429]
    assert await get_statuses(app, "/plans", "/plans", plan="free") == [200, 429]
    assert await get_statuses(app, "/plans", "/plans", plan="paid") == [200, 200]
