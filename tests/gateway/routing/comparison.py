"""Sends one request along the compiled path and the general path of one app."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.middleware.request_context import RequestContextMiddleware
from gateway.middleware.target_validation import TargetValidation
from gateway.routing.dispatcher import Dispatcher, RouteTable

Headers = Mapping[str, str | bytes]


@dataclass(frozen=True)
class Result:
    """All that a client and the dependencies saw.

    The calls are compared as text, in which NaN is equal to NaN.
    """

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    calls: list[object] = field(compare=False)
    calls_as_text: str
    error: str | None


def trust(_: object) -> Any:
    """Find no fault in a route or a request: the audit is tested elsewhere."""
    return True


class GeneralPathCounter:
    """Stands where FastAPI's own stack begins, and counts the HTTP requests that reach it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.requests += scope["type"] == "http"
        await self.app(scope, receive, send)


class TwoPaths:
    """One app behind a dispatcher that knows its compiled routes, and behind one that knows none.

    Both are wrapped as in the gateway. `calls` is the list to which the app's dependencies append.
    """

    def __init__(self, app: FastAPI, calls: list[object]) -> None:
        self.app = app
        self.calls = calls
        self.counter = GeneralPathCounter(app.build_middleware_stack())
        self._compiled = self._wrap(
            Dispatcher(
                app.build_middleware_stack(),
                gateway=app,
                audit=trust,
                routes=RouteTable(app.router, is_guarded=trust),
            )
        )
        self._general = self._wrap(
            Dispatcher(
                app.build_middleware_stack(),
                gateway=app,
                audit=trust,
                routes=RouteTable(APIRouter(), is_guarded=trust),
            )
        )
        self._counted = self._wrap(
            Dispatcher(
                self.counter,
                gateway=app,
                audit=trust,
                routes=RouteTable(app.router, is_guarded=trust),
            )
        )

    def takes_compiled_path(
        self, target: str, headers: Headers | None = None, method: str = "GET"
    ) -> bool:
        """Whether the request never reaches FastAPI."""
        before = self.counter.requests
        self._send(self._counted, method, target, headers or {})
        return self.counter.requests == before

    def send(
        self, target: str, headers: Headers | None = None, method: str = "GET"
    ) -> tuple[Result, Result]:
        """The results on the compiled path and on the general path."""
        compiled = self.send_compiled(target, headers, method)
        return compiled, self._send(self._general, method, target, headers or {})

    def send_compiled(
        self, target: str, headers: Headers | None = None, method: str = "GET"
    ) -> Result:
        """The result on the compiled path."""
        return self._send(self._compiled, method, target, headers or {})

    def _wrap(self, dispatcher: Dispatcher) -> ASGIApp:
        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            scope["app"] = self.app
            await dispatcher(scope, receive, send)

        return RequestContextMiddleware(TargetValidation(serve))

    def _send(self, app: ASGIApp, method: str, target: str, headers: Headers) -> Result:
        self.calls.clear()
        errors: list[str] = []

        async def catch(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                await app(scope, receive, send)
            except Exception as error:  # noqa: BLE001 - compared below
                errors.append(repr(error))  # half a response is out; httpx waits for the rest
                await send({"type": "http.response.body", "body": b"broken off"})

        async def request() -> httpx.Response:
            transport = httpx.ASGITransport(catch, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://app.test") as http:
                same: Headers = {"X-Request-Id": "the-same-id", **headers}
                return await http.request(method, target, headers=dict(same))  # type: ignore[arg-type]

        response = asyncio.run(request())
        return Result(
            response.status_code,
            response.headers.raw,
            response.content,
            list(self.calls),
            repr(self.calls),
            errors[0] if errors else None,
        )
