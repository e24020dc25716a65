"""A drop-in for slowapi's `Limiter` that counts with Lockgate's limiter, without blocking.

The decorators, limit texts, errors and exception handler are slowapi's. An option that cannot be
honoured is an error when the limiter is created.
"""

import functools
import inspect
import time
from collections.abc import Awaitable, Callable, Sequence
from email.utils import formatdate
from math import ceil
from typing import Any, NamedTuple, Protocol, TypeVar

from limits import RateLimitItem
from slowapi.errors import RateLimitExceeded
from slowapi.wrappers import Limit, LimitGroup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from gateway.ratelimit.compat.slowapi_internals import (
    SlowapiInternals,
    StrOrCallable,
    bind_options,
    get_current_limit,
    make_limit_group,
    set_current_limit,
)
from gateway.ratelimit.compat.slowapi_route_limit import RouteLimit
from gateway.ratelimit.limiter import Charge, RateLimiter, Standing, Verdict
from gateway.ratelimit.memory import MemoryLimiter
from gateway.ratelimit.policy import WithoutRedis

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


class Decorator(Protocol):
    """The type of the result of `limit`: it returns the endpoint with its own type."""

    def __call__(self, endpoint: Endpoint, /) -> Endpoint:
        """Limit the endpoint."""


class CurrentLimit(NamedTuple):
    """The limit that the `X-RateLimit-*` headers of one response describe."""

    item: RateLimitItem
    standing: Standing
    retry_after: float


class Limiter(SlowapiInternals):
    """slowapi's `Limiter`, evaluated by Lockgate's engine.

    It takes the arguments of slowapi's. `engine` counts the requests; the default is the limiter of
    the app (`app.state.resources`), or a limiter in this process for an app that has none, such as
    one that is mounted inside another. While Redis is down, each process grants its share; with
    `swallow_errors`, all requests pass.

    Raises:
        ValueError: an option that would have no effect.
    """

    def __init__(
        self,
        key_func: Callable[..., str],
        *args: Any,  # noqa: ANN401 - slowapi's own
        engine: RateLimiter | None = None,
        **options: Any,  # noqa: ANN401 - slowapi's own
    ) -> None:
        arguments = bind_options(key_func, *args, **options)
        _reject_storage(arguments.get("storage_uri"))
        if arguments.get("key_style", "endpoint") != "endpoint":
            raise ValueError(
                f"key_style is {arguments['key_style']!r}; it must be 'endpoint', because by URL "
                "/items/1 and /items/2 would be counted separately"
            )
        super().__init__(**{**arguments, "storage_uri": "memory://", "key_style": "endpoint"})
        _reject_storage(self.configured_storage)
        if self.has_global_limits:
            raise ValueError(
                "default_limits, application_limits and in_memory_fallback need slowapi's "
                "middleware, which misses included routers; put a limit on each route instead"
            )
        self.engine = engine
        self._own_engine = MemoryLimiter()
        self._limits: dict[Callable[..., Any], list[RouteLimit]] = {}

    def limit(  # noqa: PLR0913, PLR0917 - slowapi's signature
        self,
        limit_value: StrOrCallable,
        key_func: Callable[..., str] | None = None,
        per_method: bool = False,
        methods: list[str] | None = None,
        error_message: str | None = None,
        exempt_when: Callable[..., bool] | None = None,
        cost: int | Callable[..., int] = 1,
        override_defaults: bool = True,
    ) -> Decorator:
        """Limit one endpoint, as slowapi's `limit` does. An invalid text is an error at once."""
        group = make_limit_group(
            limit_value,
            key_func or self.default_key_func,
            per_method=per_method,
            methods=methods,
            error_message=error_message,
            exempt_when=exempt_when,
            cost=cost,
            override_defaults=override_defaults,
        )
        return self._make_decorator(group, limit_value, None)

    def shared_limit(  # noqa: PLR0913, PLR0917 - slowapi's signature
        self,
        limit_value: StrOrCallable,
        scope: StrOrCallable,
        key_func: Callable[..., str] | None = None,
        error_message: str | None = None,
        exempt_when: Callable[..., bool] | None = None,
        cost: int | Callable[..., int] = 1,
        override_defaults: bool = True,
    ) -> Decorator:
        """Limit several endpoints together, as slowapi's `shared_limit` does."""
        group = make_limit_group(
            limit_value,
            key_func or self.default_key_func,
            error_message=error_message,
            exempt_when=exempt_when,
            cost=cost,
            override_defaults=override_defaults,
        )
        return self._make_decorator(group, limit_value, scope)

    def reset(self) -> None:
        """Drop all counts. Only an engine in this process can do that."""
        engine = self.engine or self._own_engine
        if isinstance(engine, MemoryLimiter):
            engine.clear()
        else:
            self.logger.warning("This storage type does not support being reset")

    def _make_decorator(
        self, group: LimitGroup, limit_value: StrOrCallable, scope: StrOrCallable | None
    ) -> Decorator:
        if not callable(limit_value):
            list(group)  # an invalid text raises here instead of at the first request

        def decorate(endpoint: Endpoint) -> Endpoint:
            # Several decorators on one endpoint wrap it once and are checked together.
            limited = endpoint if endpoint in self._limits else self._wrap(endpoint)
            limits, name = self._limits[limited], _get_name(endpoint)
            shared = scope(name) if callable(scope) else scope
            limits.append(RouteLimit(group, shared or f"{name}#{len(limits)}"))
            return limited

        return decorate

    def _wrap(self, endpoint: Endpoint) -> Endpoint:
        position = _find_request_position(endpoint)
        if inspect.isgeneratorfunction(endpoint) or inspect.isasyncgenfunction(endpoint):
            raise TypeError(
                f"{_get_name(endpoint)} yields its response, so that its status is sent before a "
                "limit can refuse the request; return a response instead"
            )
        is_async = inspect.iscoroutinefunction(endpoint)
        call: Callable[..., Awaitable[Any]] = (
            endpoint if is_async else functools.partial(run_in_threadpool, endpoint)
        )

        @functools.wraps(endpoint)
        async def limited(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the endpoint's own
            request: Any = kwargs.get("request", args[position] if args else None)
            if self.enabled and not isinstance(request, Request):
                raise TypeError("parameter `request` must be a starlette.requests.Request")
            if self.enabled and self.is_auto_check:
                await self._check(request, limited)
            result = await call(*args, **kwargs)
            if self.enabled:
                response = result if isinstance(result, Response) else kwargs.get("response")
                self.inject_headers(response, get_current_limit(request))
            return result

        self._limits[limited] = []
        return limited  # type: ignore[return-value]  # `wraps` gives it the endpoint's signature

    async def _check(self, request: Request, limited: Callable[..., Any]) -> None:
        pairs = self._make_charges(request, limited)
        set_current_limit(request, None)
        if not pairs:
            return
        verdict = await self._get_engine(request).check([charge for _, charge in pairs])
        set_current_limit(request, _select_current_limit(pairs, verdict))
        if not verdict.admitted:
            raise RateLimitExceeded(_select_tightest(pairs, verdict)[0])

    def _make_charges(
        self, request: Request, limited: Callable[..., Any]
    ) -> list[tuple[Limit, Charge]]:
        """Make one charge per key, for the limit with the smallest amount."""
        if self.is_exempt(limited):
            return []
        without_redis: WithoutRedis = "allow" if self.is_swallowing_errors else "local"
        pairs: dict[str, tuple[Limit, Charge]] = {}
        for route_limit in self._limits[limited]:
            for limit, charge in route_limit.make_charges(request, self.key_prefix, without_redis):
                other = pairs.get(charge.key)
                if other is None or limit.limit.amount < other[0].limit.amount:
                    pairs[charge.key] = (limit, charge)
        return list(pairs.values())

    def _get_engine(self, request: Request) -> RateLimiter:
        if self.engine is not None:
            return self.engine
        resources = getattr(request.app.state, "resources", None)
        return self._own_engine if resources is None else resources[RateLimiter]

    def inject_headers(self, response: Any, current_limit: Any) -> Any:  # noqa: ANN401 - slowapi's
        """Write the `X-RateLimit-*` headers, and `Retry-After` on a refusal.

        Raises:
            TypeError: headers are enabled, and there is no response to write them to.
        """
        if not (self.enabled and self.has_headers and current_limit is not None):
            return response
        if not isinstance(response, Response):
            raise TypeError("parameter `response` must be a starlette.responses.Response")
        limit, remaining, reset, retry_after = self.get_header_names()
        now = time.time()
        response.headers[limit] = str(current_limit.item.amount)
        response.headers[remaining] = str(current_limit.standing.remaining)
        response.headers[reset] = str(ceil(now + current_limit.standing.reset))
        if current_limit.retry_after:
            seconds = max(1, ceil(current_limit.retry_after))
            date = formatdate(now + seconds, usegmt=True)
            response.headers[retry_after] = date if self.is_retry_after_date else str(seconds)
        return response

    def on_middleware(self) -> None:
        """Log and raise an error: the middlewares are not supported.

        The log is needed because the middlewares replace the error with one of their own.
        """
        text = "slowapi's middlewares block the event loop and break streaming: remove them"
        self.logger.error(text)
        raise RuntimeError(text)


def _select_tightest(
    pairs: Sequence[tuple[Limit, Charge]], verdict: Verdict
) -> tuple[Limit, Standing]:
    """Select the limit to report: of a refusal the longest wait, otherwise the smallest limit."""
    standings = [
        (limit, standing) for (limit, _), standing in zip(pairs, verdict.standings, strict=True)
    ]
    if verdict.admitted:
        return min(standings, key=lambda pair: pair[0].limit)
    return max(standings, key=lambda pair: pair[1].retry_after)


def _select_current_limit(
    pairs: Sequence[tuple[Limit, Charge]], verdict: Verdict
) -> CurrentLimit | None:
    if not verdict.standings:
        return None
    limit, standing = _select_tightest(pairs, verdict)
    return CurrentLimit(limit.limit, standing, verdict.retry_after)


def _get_name(endpoint: Callable[..., Any]) -> str:
    return f"{endpoint.__module__}.{endpoint.__qualname__}"


def _find_request_position(endpoint: Callable[..., Any]) -> int:
    for position, name in enumerate(inspect.signature(endpoint).parameters):
        if name in {"request", "websocket"}:
            return position
    raise TypeError(f'No "request" or "websocket" argument on function "{endpoint}"')


def _reject_storage(uri: str | None) -> None:
    if uri not in {None, "memory://"}:
        raise ValueError(
            "storage_uri has no effect, because Lockgate's engine counts; "
            "set LOCKGATE_REDIS_URL instead"
        )
