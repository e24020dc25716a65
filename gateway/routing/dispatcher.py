"""Routes each request: compiled routes are served here, everything else goes on to FastAPI.

The two paths through one route must give the same response and pass the same objects to
dependencies: `tests/gateway/routing/test_compiled_route.py` proves it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from re import Pattern
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.convertors import Convertor
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.fastapi_internals import (
    RouteContext,
    get_route_path,
    iter_audited_routes,
    iter_route_contexts,
    parses_body,
)
from gateway.request_path import decode_parameter
from gateway.resources import Resources
from gateway.routing.compiled_route import CompiledRoute
from gateway.routing.compiler import NotCompilable, compile_guards, compile_route
from gateway.routing.derived_requests import DERIVED_METHODS, get_shape, is_derived
from gateway.routing.encoded_requests import has_content_coding, refuse_content_coding
from gateway.routing.head_requests import serve_head
from gateway.routing.options_requests import describe_options
from gateway.routing.response_endpoint import UnhandledResponse
from gateway.routing.route_guards import RouteGuards

_OUTCOME = "lockgate.outcome"


class Dispatcher:
    """Pure ASGI middleware, the innermost; `app` is FastAPI's own stack, the general path.

    A request takes the general path if it matches no compiled route, if one of its parameters is
    not valid, or if dependencies are overridden. No call has been made by then, so FastAPI serves
    such a request from its beginning. It may refuse a request with an invalid parameter for another
    reason, because it makes the calls before that parameter first. `audit` raises an exception for
    a request to a route that was added later and declares no access.

    FastAPI parses a body before it calls dependencies. So the guards of a route with a body are
    called here first; they make no other difference.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        gateway: FastAPI,
        routes: "RouteTable",
        audit: Callable[[Scope], None],
    ) -> None:
        self._gateway = gateway
        self._router = gateway.router
        self._resources: Resources = gateway.state.resources
        self._routes = routes
        self._audit = audit
        handlers = {
            kind: handler
            for kind, handler in gateway.exception_handlers.items()
            if kind not in {500, Exception}  # as FastAPI does: those are ServerErrorMiddleware's
        }
        # FastAPI wraps each route and the app in the handlers, so that an error raised by a
        # handler meets the handlers once more.
        finish: ASGIApp = ExceptionMiddleware(ExceptionMiddleware(_finish, handlers), handlers)
        if isinstance(app, ServerErrorMiddleware):
            if app.handler is not None or app.debug:
                finish = ServerErrorMiddleware(finish, app.handler, app.debug)
            else:
                # On the general path alone, it would respond to an unknown error in plain text and
                # raise it again. Without it `RequestContextMiddleware` responds on both paths.
                app = app.app
        self._finish = finish
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; only HTTP takes compiled routes."""
        found = None
        if scope["type"] == "http" and not self._gateway.dependency_overrides:
            found = self._routes.find(scope)
        if found is not None:
            compiled, path_params = found
            request = Request(scope, receive, send)
            try:
                parameters = compiled.read_parameters(request, path_params)
            except Exception:  # noqa: BLE001 - FastAPI meets the same error, and responds
                found = None
        if found is None:
            await self._serve_generally(scope, receive, send)
            return
        scope.update(compiled.scope)
        scope["router"] = self._router
        scope["path_params"] = path_params
        result: Response | bytes | None = None
        try:
            result = await compiled.run(request, self._resources, parameters)
        except Exception as error:  # noqa: BLE001 - any error: the exception handlers decide
            scope[_OUTCOME] = error
        if isinstance(result, bytes):
            headers = [
                (b"content-length", b"%d" % len(result)),
                (b"content-type", b"application/json"),
            ]
            start = {"type": "http.response.start", "status": compiled.status, "headers": headers}
            await send(start)
            await send({"type": "http.response.body", "body": result})
            return
        await self._send_response(result, scope, receive, send)

    async def _send_response(
        self, response: Response | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Send a response; None lets the exception handlers respond to the error of the route."""
        if isinstance(response, UnhandledResponse):
            await response(scope, receive, send)
            return
        if response is not None:
            scope[_OUTCOME] = response
        await self._finish(scope, receive, send)

    async def _serve_generally(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request that no compiled route serves, or a WebSocket connection."""
        if scope["type"] == "http" and scope["method"] in DERIVED_METHODS:
            app = self._find_derived_app(scope)
            if app is not None:
                await app(scope, receive, send)
                return
        self._audit(scope)
        if scope["type"] == "http":
            try:
                await self._decide_by_head(scope)
            except Exception as error:  # noqa: BLE001 - any error: the exception handlers decide
                scope[_OUTCOME] = error
                await self._finish(scope, receive, send)
                return
        await self.app(scope, receive, send)

    async def _decide_by_head(self, scope: Scope) -> None:
        """Call the guards of a route with a body, and refuse a body that it cannot parse.

        Not a byte of the body has been read by then. With overridden dependencies, the order is
        FastAPI's.
        """
        found = None if self._gateway.dependency_overrides else self._routes.find_guards(scope)
        if found is not None:
            guards, path_params = found
            scope["router"] = self._router
            await guards.admit(scope, path_params)
        if has_content_coding(scope):
            refuse_content_coding(scope, iter_route_contexts(self._router.routes))

    def _find_derived_app(self, scope: Scope) -> ASGIApp | None:
        """Return the app for a HEAD or OPTIONS request that no route declares; None for others."""
        if not is_derived(scope, list(iter_audited_routes(self._router))):
            return None
        return (
            describe_options(scope) if scope["method"] == "OPTIONS" else partial(serve_head, self)
        )


async def _finish(scope: Scope, receive: Receive, send: Send) -> None:
    """Send the response that a compiled route returned, or raise its error."""
    if isinstance(scope[_OUTCOME], Response):
        await scope.pop(_OUTCOME)(scope, receive, send)
    else:
        # Not in a local variable: its traceback refers to this frame, which would be a cycle.
        raise scope.pop(_OUTCOME)


@dataclass(frozen=True, slots=True, eq=False)
class RouteEntry:
    """One route of the table; `segment` is the first of its path, None if that is a parameter.

    `shape` is the path without the names of its parameters. `guards` are to be called before the
    body of a request is read; None if FastAPI reads none.
    """

    route: RouteContext
    segment: str | None
    shape: str
    path: Pattern[str]
    convertors: Mapping[str, Convertor[Any]]
    methods: frozenset[str]
    max_body_size: int | None
    compiled: CompiledRoute | None
    guards: RouteGuards | None


class RouteTable:
    """The HTTP routes of a router, in the order in which FastAPI tries them: the first match wins.

    The table ends before the first route that is neither FastAPI's nor a plain path, such as a
    mount: that route may match any request, so FastAPI serves it and all routes after it. A route
    that is not guarded is never compiled.
    """

    def __init__(self, router: APIRouter, *, is_guarded: Callable[[RouteContext], bool]) -> None:
        routes = iter_route_contexts(router.routes)
        entries = list(_read_entries(routes, is_guarded))
        self.entries: Sequence[RouteEntry] = list(_reserve_derived_methods(entries))
        # A request is compared only with routes whose first segment is its own, or a parameter.
        self._others = [entry for entry in self.entries if entry.segment is None]
        self._by_segment: Mapping[str, Sequence[RouteEntry]] = {
            segment: [entry for entry in self.entries if entry.segment in {segment, None}]
            for segment in {entry.segment for entry in self.entries if entry.segment is not None}
        }
        self._has_body_sizes = any(entry.max_body_size is not None for entry in self.entries)

    def find(self, scope: Scope) -> tuple[CompiledRoute, dict[str, str]] | None:
        """Find the compiled route for a request, and its path parameters; None if there is none."""
        method = scope["method"]
        path = get_route_path(scope) if scope["root_path"] else scope["path"]
        for entry in self._by_segment.get(path[1:].partition("/")[0], self._others):
            if method in entry.methods and (match := entry.path.match(path)):
                if entry.compiled is None:
                    return None
                path_params = match.groupdict()
                if "%" in path:
                    path_params = {k: decode_parameter(v) for k, v in path_params.items()}
                return entry.compiled, path_params
        return None

    def find_max_body_size(self, scope: Scope) -> int | None:
        """Find the `max_body_size`, in bytes, that the route for a request declares; None without.

        `scope` is an HTTP request's. A bound declared on a router holds for its routes.
        """
        found = self._match(scope) if self._has_body_sizes else None
        return None if found is None else found[0].max_body_size

    def find_path(self, scope: Scope) -> str:
        """Find the path of the route for a request, as it is declared; "" without a route."""
        found = self._match(scope)
        return "" if found is None else str(found[0].route.path)

    def find_guards(self, scope: Scope) -> tuple[RouteGuards, dict[str, Any]] | None:
        """Find the guards to call before the body is read, and the path parameters; None without.

        An error of a convertor is propagated; FastAPI would meet the same one.
        """
        found = self._match(scope)
        guards = None if found is None else found[0].guards
        if found is None or guards is None:
            return None
        return guards, _convert(*found)

    def match(self, scope: Scope) -> tuple[RouteEntry, dict[str, Any]] | None:
        """Find the route that serves a request, and its path parameters; None if there is none.

        A `HEAD` that no route declares is served by the route for `GET`. An error of a convertor is
        propagated.
        """
        found = self._match(scope)
        if found is None and scope["method"] == "HEAD":
            found = self._match({**scope, "method": "GET"})
        return None if found is None else (found[0], _convert(*found))

    def _match(self, scope: Scope) -> tuple[RouteEntry, dict[str, str]] | None:
        """Find the entry for a request, as `find` does, which does it in one step for its speed."""
        method, path = scope["method"], get_route_path(scope)
        for entry in self._by_segment.get(path[1:].partition("/")[0], self._others):
            if method in entry.methods and (match := entry.path.match(path)):
                return entry, match.groupdict()
        return None


def _convert(entry: RouteEntry, path_params: Mapping[str, str]) -> dict[str, Any]:
    return {name: entry.convertors[name].convert(text) for name, text in path_params.items()}


def _read_entries(
    routes: Iterable[RouteContext], is_guarded: Callable[[RouteContext], bool]
) -> Iterable[RouteEntry]:
    for route in routes:
        if isinstance(route.original_route, WebSocketRoute):
            continue  # never matches an HTTP request
        if not isinstance(getattr(route, "path_regex", None), Pattern) or not route.methods:
            return
        first = (route.path or "")[1:].partition("/")[0]
        yield RouteEntry(
            route=route,
            segment=None if "{" in first else first,
            shape=get_shape(route),
            path=route.path_regex,
            convertors=route.param_convertors,
            methods=frozenset(route.methods),
            max_body_size=getattr(route, "max_body_size", None),
            compiled=_try_compile(route) if is_guarded(route) else None,
            guards=compile_guards(route) if parses_body(route) else None,
        )


def _reserve_derived_methods(entries: Sequence[RouteEntry]) -> Iterator[RouteEntry]:
    """Yield the entries, some with another behind them that keeps HEAD and OPTIONS for the path.

    Such an entry has no compiled route, so that the dispatcher serves the request generally. It is
    only needed where a later route would take the method; see `derived_requests.py`.
    """
    declared_by_shape: dict[str, set[str]] = {}
    for entry in entries:
        declared_by_shape.setdefault(entry.shape, set()).update(entry.methods)
    for index, entry in enumerate(entries):
        yield entry
        declared = declared_by_shape[entry.shape]
        rivals = (it for it in entries[index + 1 :] if _may_share_paths(entry, it))
        later = {method for other in rivals for method in other.methods}
        derived = {"HEAD", "OPTIONS"} if "GET" in entry.methods else {"OPTIONS"}
        if reserved := (derived - declared) & later:
            methods = frozenset(reserved)
            yield replace(entry, methods=methods, max_body_size=None, compiled=None, guards=None)


def _may_share_paths(first: RouteEntry, second: RouteEntry) -> bool:
    return first.segment == second.segment or None in {first.segment, second.segment}


def _try_compile(route: RouteContext) -> CompiledRoute | None:
    try:
        return compile_route(route)
    except NotCompilable:
        return None
