"""Functions that options name: synchronous, asynchronous and wrapped ones; others are refused."""

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from fastapi import Request

from gateway.ratelimit.compat.slowapi_callback import Callback
from tests.gateway.ratelimit.compat.slowapi_app import build_app, build_limiter, get_statuses, send

Wrap = Callable[[Callable[[Any], Any]], Callable[..., Any]]


def as_it_is(function: Callable[[Any], Any]) -> Callable[..., Any]:
    """A plain function."""
    return function


def as_coroutine_function(function: Callable[[Any], Any]) -> Callable[..., Any]:
    """An `async def`."""

    async def call(request: Request) -> Any:
        return function(request)

    return call


def as_partial(function: Callable[[Any], Any]) -> Callable[..., Any]:
    """A partial of an `async def`."""

    async def call(extra: int, request: Request) -> Any:
        return function(request)

    return functools.partial(call, 1)


def as_callable_object(function: Callable[[Any], Any]) -> Callable[..., Any]:
    """An object with an asynchronous `__call__`."""

    class Caller:
        async def __call__(self, request: Request) -> Any:
            return function(request)

    return Caller()


def as_decorated(function: Callable[[Any], Any]) -> Callable[..., Any]:
    """A `def` around an `async def`."""
    inner = as_coroutine_function(function)

    @functools.wraps(inner)
    def call(*args: Any) -> Awaitable[Any]:
        return inner(*args)  # type: ignore[no-any-return]

    return call


def as_bound_method(function: Callable[[Any], Any]) -> Callable[..., Any]:
    """An asynchronous method."""

    class Owner:
        async def call(self, request: Request) -> Any:
            return function(request)

    return Owner().call


WRAPS: list[Wrap] = [
    as_it_is, as_coroutine_function, as_partial, as_callable_object, as_decorated, as_bound_method
]  # fmt: skip


@pytest.mark.parametrize("wrap", WRAPS)
async def test_every_option_takes_every_kind_of_function(wrap: Wrap) -> None:
    slowapi_limiter = build_limiter()
    app = build_app(slowapi_limiter)

    @app.get("/")
    @slowapi_limiter.limit(
        "2/minute",
        key_func=wrap(lambda request: request.headers.get("caller", "anonymous")),
        exempt_when=wrap(lambda request: request.headers.get("vip") == "1"),
        cost=wrap(lambda request: int(request.headers.get("cost", "1"))),
        error_message=wrap(lambda request: f"slow down, {request.headers['caller']}"),
    )
    async def root(request: Request) -> str:
        return "ok"

    assert await get_statuses(app, "/", "/", "/", caller="a") == [200, 200, 429]
    assert await get_statuses(app, "/", caller="a", vip="1") == [200]
    assert await get_statuses(app, "/", "/", caller="b", cost="2") == [200, 429]
    refusal = await send(app, "/", caller="b")
    assert refusal.json() == {"error": "Rate limit exceeded: slow down, b"}


async def test_an_async_exempt_when_that_returns_false_exempts_no_one() -> None:
    slowapi_limiter = build_limiter()
    app = build_app(slowapi_limiter)

    async def never() -> bool:
        return False

    @app.get("/")
    @slowapi_limiter.limit("1/minute", exempt_when=never)
    async def root(request: Request) -> str:
        return "ok"

    assert await get_statuses(app, "/", "/") == [200, 429]


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_limit_that_depends_on_the_key_calls_key_func_once(is_async: bool) -> None:
    slowapi_limiter = build_limiter()
    app = build_app(slowapi_limiter)
    calls = []

    def by_key(key: str) -> str:
        return "1/minute" if key == "free" else "9/minute"

    async def by_key_later(key: str) -> str:
        return by_key(key)

    async def plan(request: Request) -> str:
        calls.append(request)
        return request.headers["plan"]

    @app.get("/")
    @slowapi_limiter.limit(by_key_later if is_async else by_key, key_func=plan)
    async def root(request: Request) -> str:
        return "ok"

    assert await get_statuses(app, "/", "/", plan="free") == [200, 429]
    assert await get_statuses(app, "/", "/", plan="paid") == [200, 200]
    assert len(calls) == 4


def yield_sync(request: Request) -> Iterator[str]:
    """A generator function."""
    yield "a"


async def yield_async(request: Request) -> AsyncIterator[str]:
    """An asynchronous generator function."""
    yield "a"


class Yields:
    """An object whose `__call__` yields."""

    def __call__(self, request: Request) -> Iterator[str]:
        """Yield."""
        yield "a"


def take_keyword(*, request: Request) -> str:
    """A function with a keyword-only parameter."""
    return "a"


@pytest.mark.parametrize(
    "function",
    [
        None, "text", 7, True, yield_sync, yield_async, Yields(), functools.partial(yield_async),
        lambda one, two: "a", take_keyword,
    ],
)  # fmt: skip
def test_what_is_no_such_function_is_refused(function: Any) -> None:
    with pytest.raises(TypeError, match="key_func"):
        Callback("key_func", function)


@pytest.mark.parametrize(
    ("option", "function", "argument"),
    [
        ("key_func", lambda: "none", None),
        ("key_func", lambda request: request, "request"),
        ("key_func", lambda request=None: request, "request"),
        ("key_func", lambda r: r, "request"),
        ("key_func", lambda prefix="none": prefix, None),  # as slowapi: its name is not `request`
        ("key_func", lambda *args: args[0] if args else "none", None),
        ("key_func", dict, None),  # has no signature
        ("limit_value", lambda key: key, "key"),
        ("limit_value", lambda request=None: request, "request"),
        ("limit_value", lambda text="none": text, None),
    ],
)
async def test_what_a_function_is_called_with(
    option: str, function: Callable[..., Any], argument: str | None
) -> None:
    request = Request({"type": "http"})
    result = await Callback(option, function)(request, "the key")
    expected = {"request": request, "key": "the key"}.get(argument or "")
    assert result is expected if argument else result in ("none", {})


def test_a_limit_value_with_another_required_parameter_is_refused() -> None:
    with pytest.raises(TypeError, match="it must take key or request alone, or nothing"):
        Callback("limit_value", lambda user: "1/minute")


async def test_a_function_that_returns_a_generator_is_an_error_and_exempts_no_one() -> None:
    callback = Callback("exempt_when", lambda: (flag for flag in [False]))
    with pytest.raises(TypeError, match="exempt_when returned a generator"):
        await callback(Request({"type": "http"}))
