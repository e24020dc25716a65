"""`DeclaredLimit`: the options of one `@limiter.limit(...)`, checked when it is declared."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from inspect import iscoroutine
from math import ceil, inf
from typing import Any

from limits import RateLimitItem, parse_many
from slowapi.wrappers import Limit
from starlette.requests import Request

from gateway.http1_grammar import TOKEN
from gateway.ratelimit.compat.slowapi_callback import Callback
from gateway.ratelimit.compat.slowapi_internals import make_limit
from gateway.settings.exception_text import describe_exception

StrOrCallable = str | Callable[..., Any]

MAX_AMOUNT = 999_999_999
MAX_WINDOW = 99_999 * 86_400  # seconds; the same bounds as those of a policy of the gateway

_ZERO_WINDOW = re.compile(r"(?:/|per)\s*0+\s*[a-z]", re.IGNORECASE)  # parsed as one unit otherwise


@dataclass(frozen=True, slots=True)
class DeclaredLimit:
    """The options of one decorator.

    `items` are the limits of a text; `limit_value` computes them for each request instead.
    `methods` are in upper case; None means all.
    """

    items: Sequence[RateLimitItem]
    limit_value: Callback | None
    key_func: Callback
    per_method: bool
    methods: Sequence[str] | None
    error_message: Callback | str | None
    exempt_when: Callback | None
    cost: Callback | int

    async def applies(self, request: Request) -> bool:
        """Whether the limit counts this request."""
        if not self._has_method(request.method):
            return False
        return not (self.exempt_when and await self.exempt_when(request))

    def list_texts(self, method: str) -> list[str]:
        """List the limits of requests with this method; a function computes them for each one."""
        if not self._has_method(method):
            return []
        return ["computed"] if self.limit_value else [str(item) for item in self.items]

    def _has_method(self, method: str) -> bool:
        return self.methods is None or normalize_method(method) in self.methods

    async def read_items(self, request: Request, key: object) -> Sequence[RateLimitItem]:
        """Return the limits of this request; none if the function returns None or "".

        Raises:
            ValueError: the text that the function returns is not a limit.
        """
        if self.limit_value is None:
            return self.items
        text = await self.limit_value(request, key)
        return parse_limits(text) if text else ()

    async def read_cost(self, request: Request) -> int:
        """Return the cost of this request. A fraction is rounded up.

        Raises:
            ValueError: the function does not return a number of at least 0.
        """
        if isinstance(self.cost, int):
            return self.cost
        return _to_cost(await self.cost(request))

    async def make_exceeded_limit(
        self, item: RateLimitItem, request: Request, *, scope: str, cost: int
    ) -> Limit:
        """Return the limit that is exceeded, as slowapi's `RateLimitExceeded` takes it."""
        message = self.error_message
        return make_limit(
            item,
            self.key_func.function,
            scope=scope,
            per_method=self.per_method,
            methods=[name.lower() for name in self.methods] if self.methods else None,
            error_message=await message(request) if isinstance(message, Callback) else message,
            exempt_when=self.exempt_when.function if self.exempt_when else None,
            cost=cost,
        )


def declare_limit(  # noqa: PLR0913 - slowapi's signature
    limit_value: StrOrCallable,
    key_func: Callback,
    *,
    per_method: bool = False,
    methods: list[str] | None = None,
    error_message: StrOrCallable | None = None,
    exempt_when: Callable[..., Any] | None = None,
    cost: float | Callable[..., Any] = 1,
    override_defaults: bool = True,
) -> DeclaredLimit:
    """Check the options of one decorator.

    Raises:
        TypeError: an option has the wrong type.
        ValueError: an option has an invalid value, or would have no effect.
    """
    if override_defaults is not True:
        raise ValueError("override_defaults has no effect, because there are no default_limits")
    is_computed = callable(limit_value)
    items = () if is_computed else parse_limits(limit_value)
    if not callable(cost):
        _check_fits(cost, items)
    return DeclaredLimit(
        items=items,
        limit_value=Callback("limit_value", limit_value) if callable(limit_value) else None,
        key_func=key_func,
        per_method=per_method,
        methods=None if methods is None else _read_methods(methods),
        error_message=(
            Callback("error_message", error_message) if callable(error_message) else error_message
        ),
        exempt_when=None if exempt_when is None else Callback("exempt_when", exempt_when),
        cost=Callback("cost", cost) if callable(cost) else _to_cost(cost),
    )


def read_scope(scope: StrOrCallable, endpoint: str) -> str:
    """Return the scope of a shared limit; a function returns it for the name of the endpoint.

    Raises:
        TypeError: the function fails, or the scope is not a string.
    """
    try:
        shared = scope(endpoint) if callable(scope) else scope
    except Exception as error:
        raise TypeError(
            f"scope gets the name of the endpoint, {endpoint!r}, and not the request; it raised "
            f"{describe_exception(error)}"
        ) from error
    if iscoroutine(shared):
        shared.close()  # Python would warn that nothing awaits it
        raise TypeError("scope is a coroutine function; it must be a string, or return one")
    if not isinstance(shared, str):
        raise TypeError(f"scope is {shared!r:.60}; it must be a string, or return one")
    return shared


@lru_cache(maxsize=1_024)
def parse_limits(text: str) -> Sequence[RateLimitItem]:
    """Parse a text such as "10/minute;100 per 2 hours"; also `,` and `|` separate limits.

    Raises:
        ValueError: the text is not one or more limits, or a number is too large.
    """
    try:
        items = parse_many(text)
    except ValueError:
        raise ValueError(
            f"{text!r:.100} is not a limit; write a count, a slash or `per`, and a unit (second, "
            "minute, hour, day, month, year), such as 10/minute or 10 per 2 minutes; separate "
            "several by a semicolon"
        ) from None
    if _ZERO_WINDOW.search(text):
        raise ValueError(f"{text!r:.100} has a window of 0; write 10/minute or 10 per 2 minutes")
    for item in items:
        if item.amount > MAX_AMOUNT or item.get_expiry() > MAX_WINDOW:
            raise ValueError(
                f"{text!r:.100} is too large: a count is at most {MAX_AMOUNT}, a window at most "
                f"{MAX_WINDOW // 86_400} days"
            )
    return tuple(items)


def normalize_method(method: str) -> str:
    """Return the method that a limit counts; HEAD counts as GET, so that it evades no limit."""
    return "GET" if method == "HEAD" else method


def _read_methods(methods: object) -> Sequence[str]:
    if not isinstance(methods, list | tuple | set | frozenset) or not methods:
        raise TypeError(f"methods is {methods!r:.60}; it must be a list such as ['GET', 'POST']")
    if not all(isinstance(name, str) and TOKEN.fullmatch(name.encode()) for name in methods):
        raise ValueError(f"methods is {methods!r:.60}; it must have the names of methods")
    return tuple({"GET" if name.upper() == "HEAD" else name.upper() for name in methods})


def _check_fits(cost: float, items: Sequence[RateLimitItem]) -> None:
    """Check a limit that never changes: it must admit a request now and then."""
    if isinstance(cost, float) and not cost.is_integer():
        raise ValueError(f"cost is {cost}; it must be a whole number")
    for item in items:
        if item.amount == 0 or _to_cost(cost) > item.amount:
            raise ValueError(f"cost is {cost}; a limit of {item} would refuse every request")


def _to_cost(cost: object) -> int:
    if isinstance(cost, float) and 0 <= cost < inf:
        cost = ceil(cost)
    if not isinstance(cost, int) or cost < 0:
        raise ValueError(f"cost is {cost!r:.60}; it must be a number of at least 0")
    return min(cost, MAX_AMOUNT + 1)  # above every limit, as all larger ones are
