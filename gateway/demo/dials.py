"""A service with dials: its latency, its faults, and a count of what became of its requests.

GET    /_dial      the dial as it stands
PUT    /_dial      set it: {"fault": "slow", "ms": 900, "times": 3}
DELETE /_dial      back to normal
GET    /_seen      requests started, finished, aborted by the client, in flight
GET    /healthz    200
"""

from dataclasses import asdict

from pydantic import TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.demo.fault_call import FaultCall
from gateway.demo.faults import Dial, Fault, Healthy
from gateway.demo.request_counts import RequestCounts
from gateway.demo.service import answer, json_bytes, problem

_DIAL: TypeAdapter[Fault] = TypeAdapter(Dial)
_OWN_PATHS = frozenset({"/_dial", "/_seen", "/healthz"})


class ServiceWithDials:
    """`app` behind its dials; `latency_ms` is how long it takes to answer unless told otherwise."""

    def __init__(self, app: ASGIApp, latency_ms: float) -> None:
        self._app = app
        self._latency_ms = latency_ms
        self._dial: Fault = Healthy()
        self._left: int | None = None
        self._seen = RequestCounts()
        self._own = Starlette(
            routes=[
                Route("/_dial", self._read),
                Route("/_dial", self._set, methods=["PUT"], max_body_size=4_096),
                Route("/_dial", self._clear, methods=["DELETE"]),
                Route("/_seen", self._count),
                Route("/healthz", self._health),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer about the dials, or pass the request through what they say."""
        if scope["path"] in _OWN_PATHS:
            await self._own(scope, receive, send)
            return
        call = FaultCall(self._app, scope, receive, send, self._latency)
        with self._seen.request():
            await self._next_fault(scope).play(call)

    @property
    def _latency(self) -> float:
        dialled = self._dial.latency_ms
        return (self._latency_ms if dialled is None else dialled) / 1_000

    def _next_fault(self, scope: Scope) -> Fault:
        match = self._dial.match
        if self._left == 0 or (match and not match.of(scope)):
            return Healthy()
        if self._left is not None:
            self._left -= 1
        return self._dial

    def _turn(self, dial: Fault) -> None:
        self._dial, self._left = dial, dial.times

    async def _read(self, _: Request) -> Response:
        return self._as_it_stands()

    async def _set(self, request: Request) -> Response:
        try:
            self._turn(_DIAL.validate_json(await request.body()))
        except ValidationError as error:
            return problem(422, _mistakes(error))
        return self._as_it_stands()

    async def _clear(self, _: Request) -> Response:
        self._turn(Healthy())
        return Response(status_code=204)

    async def _count(self, _: Request) -> Response:
        return answer(json_bytes(asdict(self._seen)))

    async def _health(self, _: Request) -> Response:
        return answer(json_bytes({"status": "ok"}))

    def _as_it_stands(self) -> Response:
        dial = {**self._dial.model_dump(exclude_none=True), "latency_ms": self._latency * 1_000}
        return answer(json_bytes(dial | ({} if self._left is None else {"times": self._left})))


def _mistakes(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, mistake['loc'])) or 'dial'}: {mistake['msg']}"
        for mistake in error.errors()
    )
