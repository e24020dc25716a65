"""slowapi's face on this limiter: the same decorators and errors, counted without blocking.

Use it as slowapi's `Limiter`. What it cannot honour it refuses when it is made, not silently.
"""

import functools
import inspect
import time
from collections.abc import Awaitable, Callable, Sequence
from email.utils import formatdate
from math import ceil
from typing import Any, NamedTuple, Protocol, TypeVar

import slowapi
from limits import RateLimitItem
from slowapi.errors import RateLimitExceeded
from slowapi.extension import HEADERS, C
from slowapi.wrappers import Limit, LimitGroup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from gateway.ratelimit.compat.slowapi_rules import Rule
from gateway.ratelimit.limiter import Charge, RateLimiter, Standing, Verdict
from gateway.ratelimit.memory import MemoryLimiter
from gateway.ratelimit.policy import WithoutRedis

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
Text = str | Callable[..., str]

_INIT = inspect.signature(slowapi.Limiter)


class Decorator(Protocol):
    """What `limit` returns: the endpoint comes back with its own type."""

    def __call__(self, endpoint: Endpoint, /) -> Endpoint:
        """Limit the endpoint."""


class Shown(NamedTuple):
    """What the `X-RateLimit-*` headers of one answer are about."""

    item: RateLimitItem
    standing: Standing
    retry_after: float


class Limiter(slowapi.Limiter):
    """slowapi's `Limiter`, evaluated by Lockgate's engine.

    Takes what slowapi's takes. `engine` counts; without it the app's own limiter does
    (`app.state.resources`), and in an app that has none, one in this process. An app mounted
    inside another has none: give it the engine. `swallow_errors` lets requests pass without
    Redis; otherwise each process then grants its share.

    Raises:
        ValueError: an option that would silently do nothing.
    """

    def __init__(
        self,
        key_func: Callable[..., str],
        *args: Any,  # noqa: ANN401 - slowapi's own
        engine: RateLimiter | None = None,
        **options: Any,  # noqa: ANN401 - slowapi's own
    ) -> None:
        given = _INIT.bind(key_func, *args, **options).arguments
        _refuse_storage(given.get("storage_uri"))
        if given.get("key_style", "endpoint") != "endpoint":
            raise ValueError("key_style: only 'endpoint'; per URL, /items/1 and /items/2 differ")
        super().__init__(**{**given, "storage_uri": "memory://", "key_style": "endpoint"})
        _refuse_storage(self.get_app_config(C.STORAGE_URL))
        if self._default_limits or self._application_limits or self._in_memory_fallback:
            raise ValueError(
                "default_limits, application_limits and in_memory_fallback need slowapi's "
                "middleware, which misses included routers; put a limit on each route instead"
            )
        self.engine = engine
        self._own_engine = MemoryLimiter()
        self._rules: dict[Callable[..., Any], list[Rule]] = {}

    def limit(  # noqa: PLR0913, PLR0917 - slowapi's signature
        self,
        limit_value: Text,
        key_func: Callable[..., str] | None = None,
        per_method: bool = False,
        methods: list[str] | None = None,
        error_message: str | None = None,
        exempt_when: Callable[..., bool] | None = None,
        cost: int | Callable[..., int] = 1,
        override_defaults: bool = True,
    ) -> Decorator:
        """Limit one endpoint, as slowapi's `limit` does; a wrong text is an error at once."""
        key_func = key_func or self._key_func
        group = LimitGroup(
            limit_value, key_func, None, per_method, methods,
            error_message, exempt_when, cost, override_defaults,
        )  # fmt: skip
        return self._decorator(group, limit_value, None)

    def shared_limit(  # noqa: PLR0913, PLR0917 - slowapi's signature
        self,
        limit_value: Text,
        scope: Text,
        key_func: Callable[..., str] | None = None,
        error_message: str | None = None,
        exempt_when: Callable[..., bool] | None = None,
        cost: int | Callable[..., int] = 1,
        override_defaults: bool = True,
    ) -> Decorator:
        """Limit endpoints together, as slowapi's `shared_limit` does."""
        key_func = key_func or self._key_func
        group = LimitGroup(
            limit_value, key_func, None, False, None,
            error_message, exempt_when, cost, override_defaults,
        )  # fmt: skip
        return self._decorator(group, limit_value, scope)

    def reset(self) -> None:
        """Forget every count; only one kept in this process can be."""
        engine = self.engine or self._own_engine
        if isinstance(engine, MemoryLimiter):
            engine.clear()
        else:
            self.logger.warning("This storage type does not support being reset")

    def _decorator(self, group: LimitGroup, limit_value: Text, scope: Text | None) -> Decorator:
        if not callable(limit_value):
            list(group)  # a wrong text raises here, not at the first request

        def decorate(endpoint: Endpoint) -> Endpoint:
            limited = endpoint if endpoint in self._rules else self._limited(endpoint)
            rules, name = self._rules[limited], _name(endpoint)
            shared = scope(name) if callable(scope) else scope
            rules.append(Rule(group, shared or f"{name}#{len(rules)}"))
            return limited

        return decorate

    def _limited(self, endpoint: Endpoint) -> Endpoint:
        position = _request_position(endpoint)
        if inspect.isgeneratorfunction(endpoint) or inspect.isasyncgenfunction(endpoint):
            raise TypeError(f"{_name(endpoint)} yields: it has answered 200 before it can refuse")
        is_async = inspect.iscoroutinefunction(endpoint)
        call: Callable[..., Awaitable[Any]] = (
            endpoint if is_async else functools.partial(run_in_threadpool, endpoint)
        )

        @functools.wraps(endpoint)
        async def limited(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the endpoint's own
            request: Any = kwargs.get("request", args[position] if args else None)
            if self.enabled and not isinstance(request, Request):
                raise TypeError("parameter `request` must be a starlette.requests.Request")
            if self.enabled and self._auto_check:
                await self._check(request, limited)
            answer = await call(*args, **kwargs)
            if self.enabled:
                shown = getattr(request.state, "view_rate_limit", None)
                carrier = answer if isinstance(answer, Response) else kwargs.get("response")
                self._inject_headers(carrier, shown)
            return answer

        self._rules[limited] = []
        return limited  # type: ignore[return-value]  # same signature, for all who look

    async def _check(self, request: Request, limited: Callable[..., Any]) -> None:
        due = self._due(request, limited)
        request.state.view_rate_limit = None
        if not due:
            return
        verdict = await self._engine_of(request).check([charge for _, charge in due])
        request.state.view_rate_limit = _shown(due, verdict)
        if not verdict.admitted:
            raise RateLimitExceeded(_tightest(due, verdict)[0])

    def _due(self, request: Request, limited: Callable[..., Any]) -> list[tuple[Limit, Charge]]:
        exempt = f"{limited.__module__}.{limited.__name__}" in self._exempt_routes
        if exempt or any(is_free() for is_free in self._request_filters):
            return []
        without_redis: WithoutRedis = "allow" if self._swallow_errors else "local"
        due: dict[str, tuple[Limit, Charge]] = {}
        for rule in self._rules[limited]:
            for limit, charge in rule.charges(request, self._key_prefix or "", without_redis):
                known = due.get(charge.key)
                if known is None or limit.limit.amount < known[0].limit.amount:
                    due[charge.key] = (limit, charge)
        return list(due.values())

    def _engine_of(self, request: Request) -> RateLimiter:
        if self.engine is not None:
            return self.engine
        resources = getattr(request.app.state, "resources", None)
        return self._own_engine if resources is None else resources[RateLimiter]

    def _inject_headers(self, response: Any, current_limit: Any) -> Any:  # noqa: ANN401 - slowapi's
        """Write the headers; `Retry-After` on refusals only. slowapi's handler calls this."""
        if not (self.enabled and self._headers_enabled and current_limit is not None):
            return response
        if not isinstance(response, Response):
            raise TypeError("parameter `response` must be a starlette.responses.Response")
        names, shown = self._header_mapping, current_limit
        now = time.time()
        response.headers[names[HEADERS.LIMIT]] = str(shown.item.amount)
        response.headers[names[HEADERS.REMAINING]] = str(shown.standing.remaining)
        response.headers[names[HEADERS.RESET]] = str(ceil(now + shown.standing.reset))
        if shown.retry_after:
            seconds = max(1, ceil(shown.retry_after))
            as_date = self._retry_after == "http-date"
            text = formatdate(now + seconds, usegmt=True) if as_date else str(seconds)
            response.headers[names[HEADERS.RETRY_AFTER]] = text
        return response

    def _check_request_limit(self, *_: object, **__: object) -> None:
        # The middlewares that call this bury what is raised under an error of their own.
        text = "slowapi's middlewares block the loop and break streams: take them out"
        self.logger.error(text)
        raise RuntimeError(text)


def _tightest(due: Sequence[tuple[Limit, Charge]], verdict: Verdict) -> tuple[Limit, Standing]:
    """The limit to speak of: of those that refuse, or else of all, the one to wait longest for."""
    pairs = [(limit, standing) for (limit, _), standing in zip(due, verdict.standings, strict=True)]
    if verdict.admitted:
        return min(pairs, key=lambda pair: pair[0].limit)
    return max(pairs, key=lambda pair: pair[1].retry_after)


def _shown(due: Sequence[tuple[Limit, Charge]], verdict: Verdict) -> Shown | None:
    if not verdict.standings:
        return None
    limit, standing = _tightest(due, verdict)
    return Shown(limit.limit, standing, verdict.retry_after)


def _name(endpoint: Callable[..., Any]) -> str:
    return f"{endpoint.__module__}.{endpoint.__qualname__}"


def _request_position(endpoint: Callable[..., Any]) -> int:
    for position, name in enumerate(inspect.signature(endpoint).parameters):
        if name in {"request", "websocket"}:
            return position
    raise TypeError(f'No "request" or "websocket" argument on function "{endpoint}"')


def _refuse_storage(uri: str | None) -> None:
    if uri not in {None, "memory://"}:
        raise ValueError("storage_uri: Lockgate's engine counts; set LOCKGATE_REDIS_URL instead")
