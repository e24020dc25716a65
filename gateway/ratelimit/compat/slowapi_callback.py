"""`Callback`: a function that an option such as `key_func` or `exempt_when` names.

slowapi calls these functions and uses what they return. A coroutine is a true value, so that an
`async def exempt_when` exempts every caller there. Here an awaitable is awaited.
"""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from starlette.requests import Request


class Callback:
    """A function, `async` or not, that takes the request, the key of the caller, or nothing.

    Raises:
        TypeError: it is not a function, it yields, or it has other parameters.
    """

    def __init__(self, option: str, function: Callable[..., Any]) -> None:
        self.option = option
        self.function = function
        self._parameter = _find_parameter(option, function)

    async def __call__(self, request: Request, key: object = None) -> Any:  # noqa: ANN401
        """Call the function, and await its result if it is awaitable.

        Raises:
            TypeError: the result is a generator, which would count as true.
        """
        arguments = {"": (), "request": (request,), "key": (key,)}[self._parameter]
        result = self.function(*arguments)
        if inspect.isawaitable(result):
            result = await result
        if inspect.isgenerator(result) or inspect.isasyncgen(result):
            raise TypeError(f"{self.option} returned a generator; return a value instead")
        return result


def is_generator_function(function: Callable[..., Any]) -> bool:
    """Whether a function, or what it wraps, is a generator function, asynchronous or not."""
    while isinstance(function, partial):
        function = function.func
    unwrapped = inspect.unwrap(function)
    called = getattr(unwrapped, "__call__", None)  # noqa: B004 - the method itself is looked at
    return any(
        inspect.isgeneratorfunction(candidate) or inspect.isasyncgenfunction(candidate)
        for candidate in (unwrapped, called)
    )


def _find_parameter(option: str, function: Callable[..., Any]) -> str:
    """Return what the function takes: "request", "key" or "" for nothing.

    As in slowapi, the name decides; a function with one required parameter gets the request.
    Only `limit_value` can take a key.
    """
    if not callable(function):
        raise TypeError(f"{option} is {function!r:.60}; it must be a function")
    if is_generator_function(function):
        raise TypeError(f"{option} yields; it must return a value")
    try:
        signature = inspect.signature(function)
    except ValueError:  # some built-in functions have none
        return ""
    names = ("key", "request") if option == "limit_value" else ("request",)
    named = next((name for name in names if name in signature.parameters), "")
    if not named and not _accepts(signature) and option != "limit_value":
        named = "request"
    if not _accepts(signature, *([named] if named else [])):
        expected = f"{' or '.join(names)} alone, or nothing"
        raise TypeError(f"{option} has the parameters {signature}; it must take {expected}")
    return named


def _accepts(signature: inspect.Signature, *arguments: str) -> bool:
    try:
        signature.bind(*arguments)
    except TypeError:
        return False
    return True
