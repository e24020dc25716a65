"""The adapter to slowapi: the only file that uses its private or undocumented names.

Each name has a test in `tests/gateway/ratelimit/compat/test_slowapi_internals.py` that says what
breaks without it.
"""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import slowapi
from limits import RateLimitItem
from slowapi.extension import HEADERS, C
from slowapi.wrappers import Limit
from starlette.config import Config
from starlette.requests import Request

SIGNATURE = inspect.signature(slowapi.Limiter)
"""The arguments of slowapi's `Limiter`."""

CONFIG_KEYS: Mapping[str, str] = {
    "default_limits": C.DEFAULT_LIMITS,
    "application_limits": C.APPLICATION_LIMITS,
    "headers_enabled": C.HEADERS_ENABLED,
    "strategy": C.STRATEGY,
    "storage_uri": C.STORAGE_URL,
    "storage_options": C.STORAGE_OPTIONS,
    "swallow_errors": C.SWALLOW_ERRORS,
    "in_memory_fallback": C.IN_MEMORY_FALLBACK,
    "in_memory_fallback_enabled": C.IN_MEMORY_FALLBACK_ENABLED,
    "retry_after": C.HEADER_RETRY_AFTER_VALUE,
    "key_prefix": C.KEY_PREFIX,
    "enabled": C.ENABLED,
}
"""The options that the environment or a configuration file can set, with their variables."""


class MiddlewareNotSupported(RuntimeError):
    """A request has reached one of slowapi's middlewares.

    The middlewares catch every error and pass it to a handler, which reads `detail`. That raises
    the error again, so that it is not replaced by an AttributeError.
    """

    @property
    def detail(self) -> NoReturn:
        """Raise the error again."""
        raise self


class SlowapiInternals(slowapi.Limiter, ABC):
    """slowapi's `Limiter` without its storage: it replaces what slowapi itself calls."""

    def __init__(self, key_func: Callable[..., Any], config_filename: str | None) -> None:
        # These are given so that those of the environment are neither used nor converted.
        super().__init__(
            key_func,
            strategy="moving-window",
            storage_uri="memory://",
            storage_options={},
            enabled=False,
            config_filename=config_filename,
        )

    @abstractmethod
    def inject_headers(self, response: Any, current_limit: Any) -> Any:  # noqa: ANN401 - slowapi's
        """Write the headers of `current_limit` to a response, and return the response.

        slowapi's exception handler calls it with the limit that `set_current_limit` has stored.
        """

    def _inject_headers(self, response: Any, current_limit: Any) -> Any:  # noqa: ANN401 - slowapi's
        return self.inject_headers(response, current_limit)

    def _check_request_limit(self, *_: object, **__: object) -> NoReturn:
        raise MiddlewareNotSupported(
            "slowapi's middlewares block the event loop and break streaming: remove them; the "
            "decorators need none"
        )

    def get_header_names(self) -> tuple[str, str, str, str]:
        """Return the names of the headers for limit, remaining, reset and retry after."""
        names = self._header_mapping
        return (
            names[HEADERS.LIMIT],
            names[HEADERS.REMAINING],
            names[HEADERS.RESET],
            names[HEADERS.RETRY_AFTER],
        )


def read_config(filename: str | None) -> dict[str, str]:
    """Return the options that the environment or slowapi's configuration file sets.

    The file is `.env` in the working directory, unless another is named. An empty value is none.

    Raises:
        ValueError: the file cannot be read.
    """
    if filename is None and Path(".env").is_file():
        filename = ".env"
    try:
        config = Config(filename)
    except (OSError, UnicodeError) as error:
        raise ValueError(
            f"{filename} cannot be read: {error}; name another file as config_filename"
        ) from error
    values = {option: config(key, default="") for option, key in CONFIG_KEYS.items()}
    return {option: value for option, value in values.items() if value}


def make_limit(  # noqa: PLR0913 - slowapi's signature
    item: RateLimitItem,
    key_func: Callable[..., Any],
    *,
    scope: str,
    per_method: bool,
    methods: list[str] | None,
    error_message: Any,  # noqa: ANN401 - a text or, as in FastAPI, any other detail
    exempt_when: Callable[..., Any] | None,
    cost: int,
) -> Limit:
    """Return the limit that slowapi's `RateLimitExceeded` describes."""
    return Limit(
        item, key_func, scope, per_method, methods, error_message, exempt_when, cost, True
    )  # fmt: skip


def set_current_limit(request: Request, current_limit: object) -> None:
    """Store the limit that slowapi's exception handler passes to `inject_headers`."""
    request.state.view_rate_limit = current_limit


def get_current_limit(request: Request) -> Any:  # noqa: ANN401 - slowapi's
    """Return the limit that `set_current_limit` has stored, or None."""
    return getattr(request.state, "view_rate_limit", None)
