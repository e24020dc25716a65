"""The faults that a fake service can have, one class each; `dials.py` sets them at run time."""

from abc import abstractmethod
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import QueryParams
from starlette.responses import Response
from starlette.types import Scope

from gateway.fakes.fake_request import FakeRequest
from gateway.fakes.json_service import problem_response

Milliseconds = Annotated[float, Field(ge=0, le=600_000)]


class Match(BaseModel):
    """Selects the requests that get a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    user_id: Annotated[int, Field(ge=1)]

    def matches(self, scope: Scope) -> bool:
        """Whether the request is for this user, by its path or its query."""
        in_query = QueryParams(scope["query_string"]).get("user_id")
        return str(self.user_id) in {in_query, scope["path"].rpartition("/")[2]}


class Fault(BaseModel):
    """Base class: the fields of every dial.

    The fault ends after `times` requests, and applies only to requests that `match` selects.
    `latency_ms` is the service's latency until the next dial, for all requests.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    times: Annotated[int, Field(ge=1)] | None = None
    match: Match | None = None
    latency_ms: Milliseconds | None = None

    @abstractmethod
    async def apply(self, request: FakeRequest) -> None:
        """Serve a request with this fault."""


class Healthy(Fault):
    """No fault: the service responds after its latency."""

    fault: Literal["none"] = "none"

    async def apply(self, request: FakeRequest) -> None:
        """Respond after the latency."""
        await request.sleep(request.latency)
        await request.respond()


class Slow(Fault):
    """The service responds after `ms` instead of its latency."""

    fault: Literal["slow"]
    ms: Milliseconds = 1_000

    async def apply(self, request: FakeRequest) -> None:
        """Respond after `ms`."""
        await request.sleep(self.ms / 1_000)
        await request.respond()


class Hang(Fault):
    """The service never responds."""

    fault: Literal["hang"]

    async def apply(self, request: FakeRequest) -> None:
        """Wait until the client disconnects."""
        await request.sleep(None)


class Status(Fault):
    """The service responds with an error status.

    `retry_after`, in seconds, adds a `Retry-After` header.
    """

    fault: Literal["status"]
    code: Annotated[int, Field(ge=400, le=599)] = 503
    retry_after: Annotated[int, Field(ge=0)] | None = None

    async def apply(self, request: FakeRequest) -> None:
        """Respond with the status."""
        await request.sleep(request.latency)
        headers = None if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        response = problem_response(
            self.code, "The dial of this fake service is set to fail.", headers
        )
        await response(request.scope, request.receive, request.send)


class MalformedBody(Fault):
    """The service responds with 200 and an invalid body: JSON of an unknown shape, or HTML."""

    fault: Literal["malformed"]
    variant: Literal["shape", "text"] = "shape"

    BODIES: ClassVar = {
        "shape": (b'{"unexpected":[1,2,3]}', "application/json"),
        "text": (b"<html><body>It works!</body></html>", "text/html"),
    }

    async def apply(self, request: FakeRequest) -> None:
        """Respond with the invalid body."""
        await request.sleep(request.latency)
        body, media_type = self.BODIES[self.variant]
        response = Response(body, media_type=media_type)
        await response(request.scope, request.receive, request.send)


class Truncated(Fault):
    """The service closes the connection half way through the body, short of Content-Length."""

    fault: Literal["truncated"]

    async def apply(self, request: FakeRequest) -> None:
        """Send half of the body, then close the connection."""
        await request.sleep(request.latency)
        start, body = await request.capture_response()
        await request.send(start)
        half = body[: len(body) // 2]
        await request.send({"type": "http.response.body", "body": half, "more_body": True})
        await request.close_connection()


class Reset(Fault):
    """The service resets the connection instead of responding."""

    fault: Literal["reset"]

    async def apply(self, request: FakeRequest) -> None:
        """Reset the connection."""
        await request.sleep(request.latency)
        await request.reset_connection()


class Drip(Fault):
    """The service sends the body byte by byte, one every `every_ms`."""

    fault: Literal["drip"]
    every_ms: Milliseconds = 1_000

    async def apply(self, request: FakeRequest) -> None:
        """Send one byte at a time, with a pause after each."""
        await request.sleep(request.latency)
        start, body = await request.capture_response()
        await request.send(start)
        for index in range(len(body)):
            byte, more = body[index : index + 1], index + 1 < len(body)
            await request.send({"type": "http.response.body", "body": byte, "more_body": more})
            await request.sleep(self.every_ms / 1_000 if more else 0)


Dial = Annotated[
    Healthy | Slow | Hang | Status | MalformedBody | Truncated | Reset | Drip,
    Field(discriminator="fault"),
]
