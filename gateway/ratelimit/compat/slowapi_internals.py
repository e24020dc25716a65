"""The adapter to slowapi: the only file that uses its private or undocumented names.

Each name has a test in `tests/gateway/ratelimit/compat/test_slowapi_internals.py` that says what
breaks without it.
"""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

import slowapi
from slowapi.extension import HEADERS, C
from slowapi.wrappers import Limit, LimitGroup
from starlette.requests import Request

StrOrCallable = str | Callable[..., str]

_SIGNATURE = inspect.signature(slowapi.Limiter)


class SlowapiInternals(slowapi.Limiter, ABC):
    """slowapi's `Limiter` with public names for the private ones that Lockgate needs.

    The abstract methods replace two of slowapi's private methods, which slowapi itself calls.
    """

    @abstractmethod
    def inject_headers(self, response: Any, current_limit: Any) -> Any:  # noqa: ANN401 - slowapi's
        """Write the headers of `current_limit` to a response, and return the response.

        slowapi's exception handler calls it with the limit that `set_current_limit` has stored.
        """

    @abstractmethod
    def on_middleware(self) -> None:
        """Handle a request that reaches one of slowapi's middlewares."""

    def _inject_headers(self, response: Any, current_limit: Any) -> Any:  # noqa: ANN401 - slowapi's
        return self.inject_headers(response, current_limit)

    def _check_request_limit(self, *_: object, **__: object) -> None:
        self.on_middleware()

    @property
    def default_key_func(self) -> Callable[..., str]:
        """The `key_func` of limits that do not name one."""
        return self._key_func

    @property
    def key_prefix(self) -> str:
        """The prefix of all keys."""
        return self._key_prefix or ""

    @property
    def is_auto_check(self) -> bool:
        """Whether decorated endpoints check their limits."""
        return self._auto_check

    @property
    def is_swallowing_errors(self) -> bool:
        """Whether requests pass when they cannot be counted."""
        return bool(self._swallow_errors)

    @property
    def has_global_limits(self) -> bool:
        """Whether any limit is declared for all routes instead of for one."""
        return bool(self._default_limits or self._application_limits or self._in_memory_fallback)

    @property
    def has_headers(self) -> bool:
        """Whether `X-RateLimit-*` headers are written."""
        return bool(self._headers_enabled)

    @property
    def is_retry_after_date(self) -> bool:
        """Whether `Retry-After` is a date instead of a number of seconds."""
        return self._retry_after == "http-date"

    @property
    def configured_storage(self) -> str | None:
        """The storage URI from the environment or from slowapi's configuration file."""
        uri: str | None = self.get_app_config(C.STORAGE_URL)
        return uri

    def get_header_names(self) -> tuple[str, str, str, str]:
        """Return the names of the headers for limit, remaining, reset and retry after."""
        names = self._header_mapping
        return (
            names[HEADERS.LIMIT],
            names[HEADERS.REMAINING],
            names[HEADERS.RESET],
            names[HEADERS.RETRY_AFTER],
        )

    def is_exempt(self, endpoint: Callable[..., Any]) -> bool:
        """Return whether `exempt` was applied to the endpoint, or a request filter says so."""
        if f"{endpoint.__module__}.{endpoint.__name__}" in self._exempt_routes:
            return True
        return any(is_filtered() for is_filtered in self._request_filters)


def bind_options(*args: Any, **options: Any) -> dict[str, Any]:  # noqa: ANN401 - slowapi's own
    """Return the arguments of slowapi's `Limiter` by name.

    Raises:
        TypeError: they do not fit its signature.
    """
    return _SIGNATURE.bind(*args, **options).arguments


def make_limit_group(  # noqa: PLR0913 - slowapi's signature
    limit_value: StrOrCallable,
    key_func: Callable[..., str],
    *,
    per_method: bool = False,
    methods: list[str] | None = None,
    error_message: str | None = None,
    exempt_when: Callable[..., bool] | None = None,
    cost: int | Callable[..., int] = 1,
    override_defaults: bool = True,
) -> LimitGroup:
    """Return the limits of one decorator."""
    return LimitGroup(
        limit_value, key_func, None, per_method, methods,
        error_message, exempt_when, cost, override_defaults,
    )  # fmt: skip


def parse_limits(group: LimitGroup, request: Request) -> Iterable[Limit]:
    """Return the limits of a group; a group with a callable calls it for this request."""
    limits: Iterable[Limit] = group.with_request(request)  # type: ignore[no-untyped-call]
    return limits


def set_current_limit(request: Request, current_limit: object) -> None:
    """Store the limit that slowapi's exception handler passes to `inject_headers`."""
    request.state.view_rate_limit = current_limit


def get_current_limit(request: Request) -> Any:  # noqa: ANN401 - slowapi's
    """Return the limit that `set_current_limit` has stored, or None."""
    return getattr(request.state, "view_rate_limit", None)
