"""A service with dials: its latency and faults can be set at run time, and it counts requests.

GET    /_dial      the current dial
PUT    /_dial      set it: {"fault": "slow", "ms": 900, "times": 3}
DELETE /_dial      reset it: no fault, the original latency
GET    /_seen      counts of requests: started, finished, aborted by the client, in flight
GET    /healthz    200
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from pydantic import TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.fakes.fake_request import ClientDisconnected, FakeRequest
from gateway.fakes.faults import Dial, Fault, Healthy
from gateway.fakes.json_service import encode_json, json_response, problem_response

_DIAL: TypeAdapter[Fault] = TypeAdapter(Dial)
_DIAL_PATHS = frozenset({"/_dial", "/_seen", "/healthz"})


@dataclass(slots=True)
class RequestCounts:
    """Requests started, finished, aborted by the client, and in flight.

    A request counts as finished even if a fault made the service close the connection.
    """

    started: int = 0
    finished: int = 0
    aborted: int = 0
    in_flight: int = 0

    @contextmanager
    def count_request(self) -> Iterator[None]:
        """Count a request for the length of the block, and how it ends."""
        self.started += 1
        self.in_flight += 1
        try:
            yield
            self.finished += 1
        except ClientDisconnected:
            self.aborted += 1
        finally:
            self.in_flight -= 1


class ServiceWithDials:
    """ASGI app that wraps `app` with dials. `latency_ms` is the latency until a dial sets one."""

    def __init__(self, app: ASGIApp, latency_ms: float) -> None:
        self._app = app
        self._default_latency_ms = latency_ms
        self._dial: Fault = Healthy()
        self._remaining: int | None = None  # requests that still get the fault; None: all
        self._counts = RequestCounts()
        self._dial_app = Starlette(
            routes=[
                Route("/_dial", self._get_dial),
                Route("/_dial", self._put_dial, methods=["PUT"], max_body_size=4_096),
                Route("/_dial", self._delete_dial, methods=["DELETE"]),
                Route("/_seen", self._get_counts),
                Route("/healthz", self._get_health),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the paths of the dial, or any other request with the current fault.

        A WebSocket has no faults.
        """
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        if scope["path"] in _DIAL_PATHS:
            await self._dial_app(scope, receive, send)
            return
        request = FakeRequest(self._app, scope, receive, send, self._latency_ms / 1_000)
        with self._counts.count_request():
            await self._next_fault(scope).apply(request)

    @property
    def _latency_ms(self) -> float:
        latency_ms = self._dial.latency_ms
        return self._default_latency_ms if latency_ms is None else latency_ms

    def _next_fault(self, scope: Scope) -> Fault:
        match = self._dial.match
        if self._remaining == 0 or (match and not match.matches(scope)):
            return Healthy()
        if self._remaining is not None:
            self._remaining -= 1
        return self._dial

    def _set_dial(self, dial: Fault) -> None:
        self._dial, self._remaining = dial, dial.times

    async def _get_dial(self, _: Request) -> Response:
        return self._dial_response()

    async def _put_dial(self, request: Request) -> Response:
        try:
            self._set_dial(_DIAL.validate_json(await request.body()))
        except ValidationError as error:
            return problem_response(422, _format_errors(error))
        return self._dial_response()

    async def _delete_dial(self, _: Request) -> Response:
        self._set_dial(Healthy())
        return Response(status_code=204)

    async def _get_counts(self, _: Request) -> Response:
        return json_response(encode_json(asdict(self._counts)))

    async def _get_health(self, _: Request) -> Response:
        return json_response(encode_json({"status": "ok"}))

    def _dial_response(self) -> Response:
        dial = {**self._dial.model_dump(exclude_none=True), "latency_ms": self._latency_ms}
        if self._remaining is not None:
            dial["times"] = self._remaining
        return json_response(encode_json(dial))


def add_dials(apps: Mapping[str, ASGIApp], latency_ms: float) -> dict[str, ASGIApp]:
    """Wrap each app with dials of its own and this latency."""
    return {name: ServiceWithDials(app, latency_ms) for name, app in apps.items()}


def _format_errors(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, details['loc'])) or 'dial'}: {details['msg']}"
        for details in error.errors()
    )
