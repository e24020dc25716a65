"""A drop-in for slowapi's `Limiter` that counts with Lockgate's limiter, without blocking.

The decorators, limit texts, errors and exception handler are slowapi's. An option that cannot be
honoured is an error when it is given.
"""

import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from inspect import isfunction
from typing import Any, NoReturn, Protocol, TypeVar
from weakref import WeakKeyDictionary

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.ratelimit.compat.decorated_routes import (
    check_app,
    count_limiters,
    iter_wrapped,
    register,
)
from gateway.ratelimit.compat.slowapi_callback import Callback
from gateway.ratelimit.compat.slowapi_check import check_limits
from gateway.ratelimit.compat.slowapi_declared_limit import (
    DeclaredLimit,
    StrOrCallable,
    declare_limit,
    read_scope,
)
from gateway.ratelimit.compat.slowapi_endpoint import (
    EndpointNames,
    add_response_parameter,
    find_request_position,
    find_response_parameter,
    make_async,
)
from gateway.ratelimit.compat.slowapi_engine import clear_soon, find_app_engine, open_engine
from gateway.ratelimit.compat.slowapi_errors import LimitExceeded
from gateway.ratelimit.compat.slowapi_headers import (
    CurrentLimit,
    build_headers,
    check_header_names,
    format_retry_after,
)
from gateway.ratelimit.compat.slowapi_internals import (
    SlowapiInternals,
    get_current_limit,
    set_current_limit,
)
from gateway.ratelimit.compat.slowapi_options import read_options
from gateway.ratelimit.compat.slowapi_route_limit import RouteLimit, make_key_prefix
from gateway.ratelimit.limiter import RateLimiter
from gateway.ratelimit.memory_limiter import MemoryLimiter
from gateway.ratelimit.rule import WithoutRedis

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


class Decorator(Protocol):
    """The type of the result of `limit`: it returns the endpoint with its own type."""

    def __call__(self, endpoint: Endpoint, /) -> Endpoint:
        """Limit the endpoint."""


class Limiter(SlowapiInternals):
    """slowapi's `Limiter`, evaluated by Lockgate's engine.

    It takes the arguments of slowapi's. `engine` counts the requests. By default that is the
    limiter of the gateway (`app.state.resources`), else one in this process; `open` sets it for an
    app without a gateway. While Redis is down, each process grants its share. With
    `in_memory_fallback_enabled=False`, all requests are refused instead; with `swallow_errors`, all
    are admitted.

    Raises:
        TypeError, ValueError: an option would have no effect, or its value is invalid.
    """

    def __init__(
        self,
        key_func: Callable[..., Any],
        *args: Any,  # noqa: ANN401 - slowapi's own
        engine: RateLimiter | None = None,
        **options: Any,  # noqa: ANN401 - slowapi's own
    ) -> None:
        self.options = read_options(key_func, *args, **options)
        super().__init__(key_func, self.options.config_filename)
        check_header_names(self.get_header_names())
        self.enabled = self.options.enabled
        self.engine = engine
        self._own_engine = MemoryLimiter()
        self._app_engine: RateLimiter | None = None
        if self.options.in_process:
            self._set_engine(self._own_engine)
        self._names = EndpointNames()
        self._limits: WeakKeyDictionary[Callable[..., Any], tuple[str, list[RouteLimit]]] = (
            WeakKeyDictionary()
        )
        self._exempt: set[Callable[..., Any]] = set()

    def limit(  # noqa: PLR0913, PLR0917 - slowapi's signature
        self,
        limit_value: StrOrCallable,
        key_func: Callable[..., Any] | None = None,
        per_method: bool = False,
        methods: list[str] | None = None,
        error_message: StrOrCallable | None = None,
        exempt_when: Callable[..., Any] | None = None,
        cost: float | Callable[..., Any] = 1,
        override_defaults: bool = True,
    ) -> Decorator:
        """Limit one endpoint, as slowapi's `limit` does. A mistake is an error at once."""
        declared = declare_limit(
            limit_value,
            self._get_key_func(key_func),
            per_method=per_method,
            methods=methods,
            error_message=error_message,
            exempt_when=exempt_when,
            cost=cost,
            override_defaults=override_defaults,
        )
        return self._make_decorator(declared)

    def shared_limit(  # noqa: PLR0913, PLR0917 - slowapi's signature
        self,
        limit_value: StrOrCallable,
        scope: StrOrCallable,
        key_func: Callable[..., Any] | None = None,
        error_message: StrOrCallable | None = None,
        exempt_when: Callable[..., Any] | None = None,
        cost: float | Callable[..., Any] = 1,
        override_defaults: bool = True,
    ) -> Decorator:
        """Limit several endpoints together, as slowapi's `shared_limit` does."""
        declared = declare_limit(
            limit_value,
            self._get_key_func(key_func),
            error_message=error_message,
            exempt_when=exempt_when,
            cost=cost,
            override_defaults=override_defaults,
        )
        return self._make_decorator(declared, scope)

    def exempt(self, obj: Endpoint) -> Endpoint:
        """Exempt this function from all limits, and no other one of the same name."""
        if not callable(obj):
            raise TypeError(f"{obj!r:.80} cannot be exempt: it is not a function")
        self._exempt.add(obj)
        return obj

    def reset(self) -> Awaitable[None]:  # type: ignore[override]  # slowapi cannot wait
        """Drop all counts with this `key_prefix`, in this process at once; see `clear_soon`."""
        engine = self.engine or self._app_engine or self._own_engine
        return clear_soon(engine, make_key_prefix(self.options.key_prefix))

    @asynccontextmanager
    async def open(
        self, app: Starlette, *, redis_url: str | None = None, processes: int = 1
    ) -> AsyncIterator[None]:
        """Check an app that is not a gateway, and count its requests, in the lifespan of the app.

        Without a `redis_url`, each process counts its own. While Redis is down, each of the
        `processes` grants its share of a limit.

        Raises:
            InvalidSettings: the app has a middleware of slowapi, or a limit without effect; or the
                URL is invalid.
        """
        check_app(app)
        async with open_engine(redis_url, processes) as engine:
            self._set_engine(engine)
            try:
                yield
            finally:
                self.engine = None

    def list_limit_texts(self, limited: Callable[..., Any], method: str) -> list[str]:
        """List the limits that a request with this method has, for `lockgate routes`."""
        if not (self.enabled and self._checks(limited)):
            return []
        limits = self._limits[limited][1]
        return [text for limit in limits for text in limit.declared.list_texts(method)]

    @property
    def limiter(self) -> NoReturn:
        """The blocking storage of slowapi, which does not count here."""
        raise RuntimeError(
            "limiter.limiter does not count here; request.state.view_rate_limit has `remaining`, "
            "`reset` and `retry_after`"
        )

    def inject_headers(self, response: Any, current_limit: Any) -> Any:  # noqa: ANN401 - slowapi's
        """Write the `X-RateLimit-*` headers, and `Retry-After` on a refusal.

        `current_limit` is `request.state.view_rate_limit` itself: a copy has no numbers to write.
        """
        if isinstance(response, Response) and isinstance(current_limit, CurrentLimit):
            response.headers.update(self._build_headers(current_limit))
        return response

    def _build_headers(self, current_limit: CurrentLimit) -> dict[str, str]:
        if not (self.enabled and self.options.headers_enabled):
            return {}
        names = self.get_header_names()
        return build_headers(current_limit, names, http_date=self.options.http_date)

    def _build_refusal_headers(self, current_limit: CurrentLimit) -> dict[str, str]:
        """Build the headers of a 429, which always has a `Retry-After`."""
        retry_after = format_retry_after(current_limit, http_date=self.options.http_date)
        return {self.get_header_names()[-1]: retry_after, **self._build_headers(current_limit)}

    def _get_key_func(self, key_func: Callable[..., Any] | None) -> Callback:
        return self.options.key_func if key_func is None else Callback("key_func", key_func)

    def _make_decorator(self, declared: DeclaredLimit, scope: StrOrCallable = "") -> Decorator:
        def decorate(endpoint: Endpoint) -> Endpoint:
            # Several decorators on one endpoint wrap it once and are checked together.
            is_limited = isfunction(endpoint) and endpoint in self._limits
            limited = endpoint if is_limited else self._wrap(endpoint)
            name, limits = self._limits[limited]
            shared = read_scope(scope, name)
            number = f"{count_limiters(limited)}.{len(limits) + 1}"
            identity = ("shared", shared) if shared else ("endpoint", name, number)
            limits.append(RouteLimit(declared, identity))
            return limited

        return decorate

    def _wrap(self, endpoint: Endpoint) -> Endpoint:
        position = find_request_position(endpoint)
        run = make_async(endpoint)

        @functools.wraps(endpoint)
        async def limited(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the endpoint's own
            response = kwargs.pop(added, None) if added else kwargs.get(declared or "")
            if not self.enabled:
                return await run(*args, **kwargs)
            request = kwargs.get("request", args[position] if len(args) > position else None)
            if not isinstance(request, Request):
                raise TypeError(
                    "parameter `request` must be an instance of starlette.requests.Request"
                )
            await self._check(request, limited)
            current_limit = get_current_limit(request)
            result = await run(*args, **kwargs)
            self.inject_headers(result if isinstance(result, Response) else response, current_limit)
            return result

        declared, added = find_response_parameter(endpoint), ""
        if self.options.headers_enabled and not declared:
            added = add_response_parameter(limited)
        self._limits[limited] = self._names.assign(endpoint), []
        register(endpoint, limited, self)
        return limited  # type: ignore[return-value]  # `wraps` gives it the endpoint's signature

    async def _check(self, request: Request, limited: Callable[..., Any]) -> None:
        set_current_limit(request, None)
        if not self._checks(limited):
            return
        try:
            await check_limits(
                request,
                self._limits[limited][1],
                self._get_engine(request),
                prefix=self.options.key_prefix,
                without_redis=self._without_redis,
            )
        except LimitExceeded as error:
            error.headers = self._build_refusal_headers(get_current_limit(request))
            raise
        except HTTPException:
            raise  # a callback refuses the request
        except Exception:
            if not self.options.swallow_errors:
                raise
            self.logger.exception("Failed to rate limit. Swallowing error")

    def _checks(self, limited: Callable[..., Any]) -> bool:
        return self.options.auto_check and self._exempt.isdisjoint(iter_wrapped(limited))

    @property
    def _without_redis(self) -> WithoutRedis:
        if self.options.swallow_errors:
            return "allow"
        return "local" if self.options.in_memory_fallback_enabled else "deny"

    def _get_engine(self, request: Request) -> RateLimiter:
        if self.engine is not None:
            return self.engine
        found = find_app_engine(request)
        if found is None:
            return self._own_engine
        self._app_engine = found  # for `reset`, which has no request
        return found

    def _set_engine(self, engine: RateLimiter) -> None:
        if self.engine is not None:
            raise ValueError("this Limiter has an engine: from `open`, `engine` or `storage_uri`")
        self.engine = engine
