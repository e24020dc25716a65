"""What can be decorated: an endpoint that takes a request, and returns its response at once."""

import inspect
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any, get_args, get_origin
from weakref import WeakKeyDictionary

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.websockets import WebSocket

from gateway.ratelimit.compat.slowapi_callback import is_generator_function

Function = Callable[..., Any]

MAX_NAMESAKES = 1_000

_ADDED = "lockgate_response"


class EndpointNames:
    """Names of endpoints that are the same in every process and after a restart.

    Two functions can have one qualified name: closures of one factory, or a function that is
    defined twice in a module. From the second on the name has a number, in the order in which they
    are decorated. A function that is decorated again keeps its name.

    Raises:
        RuntimeError: there are too many, as when a new function is decorated for each request,
            which would count nothing.
    """

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()
        self._names: WeakKeyDictionary[Function, str] = WeakKeyDictionary()

    def assign(self, endpoint: Function) -> str:
        """Return the name of an endpoint."""
        if not inspect.isfunction(endpoint):
            return self._number(describe(endpoint))
        if endpoint not in self._names:
            self._names[endpoint] = self._number(describe(endpoint))
        return self._names[endpoint]

    def _number(self, name: str) -> str:
        self._seen[name] += 1
        if self._seen[name] > MAX_NAMESAKES:
            raise RuntimeError(
                f"{MAX_NAMESAKES} functions named {name} are limited: decorate a function once, "
                "where it is defined, and not for each request"
            )
        return name if self._seen[name] == 1 else f"{name}~{self._seen[name]}"


def describe(endpoint: Function) -> str:
    """Return module and qualified name of a function; those of its class for another callable."""
    while isinstance(endpoint, partial):
        endpoint = endpoint.func
    named = endpoint if hasattr(endpoint, "__qualname__") else type(endpoint)
    return f"{named.__module__}.{named.__qualname__}"


def find_request_position(endpoint: Function) -> int:
    """Return the position of the parameter `request`.

    Raises:
        TypeError: there is none, or the endpoint is a WebSocket, a generator, or no function.
    """
    parameters = _get_signature(endpoint).parameters
    position = list(parameters).index("request") if "request" in parameters else -1
    name = describe(endpoint)
    is_websocket = any(_is_a(parameter, WebSocket) for parameter in parameters.values())
    if is_websocket or (position < 0 and "websocket" in parameters):
        raise TypeError(
            f"{name} is a WebSocket endpoint, which slowapi cannot limit; use limited(...) of "
            "gateway.ratelimit, which counts connections"
        )
    if position < 0:
        raise TypeError(f'No "request" or "websocket" argument on function "{endpoint}"')
    _check_request(name, parameters["request"])
    if is_generator_function(endpoint):
        raise TypeError(
            f"{name} yields its response, so that its status is sent before a limit can refuse the "
            "request; return a response instead"
        )
    return position


def find_response_parameter(endpoint: Function) -> str | None:
    """Return the parameter that FastAPI fills with a response, by its type; None if there is none.

    FastAPI merges the headers of that response into the one it sends.
    """
    parameters = _get_signature(endpoint).parameters.values()
    found = (parameter.name for parameter in parameters if _is_a(parameter, Response))
    return next(found, None)


def add_response_parameter(limited: Function) -> str:
    """Add a parameter that FastAPI fills with a response, and return its name."""
    signature = inspect.signature(limited)
    parameters = list(signature.parameters.values())
    added = inspect.Parameter(_ADDED, inspect.Parameter.KEYWORD_ONLY, annotation=Response)
    last = bool(parameters) and parameters[-1].kind is inspect.Parameter.VAR_KEYWORD
    parameters.insert(len(parameters) - last, added)
    limited.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return _ADDED


def make_async(endpoint: Function) -> Callable[..., Awaitable[Any]]:
    """Return a function that runs the endpoint as FastAPI does: `def` in the thread pool."""
    if _is_async(endpoint):
        return endpoint

    async def run(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the endpoint's own
        result = await run_in_threadpool(endpoint, *args, **kwargs)
        return await result if inspect.isawaitable(result) else result

    return run


def _is_async(endpoint: Function) -> bool:
    while isinstance(endpoint, partial):
        endpoint = endpoint.func
    called = getattr(endpoint, "__call__", None)  # noqa: B004 - the method itself is looked at
    return inspect.iscoroutinefunction(endpoint) or inspect.iscoroutinefunction(called)


def _get_signature(endpoint: Function) -> inspect.Signature:
    """Return the signature; annotations that cannot be evaluated stay texts."""
    if not callable(endpoint):
        raise TypeError(f"{endpoint!r:.80} cannot be limited: it is not a function")
    try:
        return inspect.signature(endpoint, eval_str=True)
    except Exception:  # noqa: BLE001 - an annotation can raise anything
        return inspect.signature(endpoint)


def _get_type(parameter: inspect.Parameter) -> Any:  # noqa: ANN401 - whatever the annotation is
    annotation = parameter.annotation
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _is_a(parameter: inspect.Parameter, base: type) -> bool:
    kind = _get_type(parameter)
    return isinstance(kind, type) and kind is not Any and issubclass(kind, base)


def _check_request(endpoint: str, parameter: inspect.Parameter) -> None:
    """Refuse a type that FastAPI would fill with something else, such as a query parameter."""
    kind = _get_type(parameter)
    is_unknown = not isinstance(kind, type) or kind in {inspect.Parameter.empty, Any}
    if not is_unknown and kind is not HTTPConnection and not issubclass(kind, Request):
        raise TypeError(
            f"{endpoint}: parameter `request` must be an instance of starlette.requests.Request, "
            f"and is annotated as {kind.__name__}"
        )
