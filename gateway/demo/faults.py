"""What can be wrong with a service, one class each; `dials.py` lets one choose at run time."""

from abc import abstractmethod
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import QueryParams
from starlette.responses import Response
from starlette.types import Scope

from gateway.demo.fault_call import FaultCall
from gateway.demo.service import problem

Milliseconds = Annotated[float, Field(ge=0, le=600_000)]


class Match(BaseModel):
    """The requests that a fault is for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    user_id: Annotated[int, Field(ge=1)]

    def of(self, scope: Scope) -> bool:
        """Whether the request asks for that user, in its path or its query."""
        named = QueryParams(scope["query_string"]).get("user_id")
        return str(self.user_id) in {named, scope["path"].rpartition("/")[2]}


class Fault(BaseModel):
    """What all dials take.

    `times` ends the fault after so many requests, `match` confines it to some. `latency_ms` is
    the latency of the service until the next dial, with the fault and without.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    times: Annotated[int, Field(ge=1)] | None = None
    match: Match | None = None
    latency_ms: Milliseconds | None = None

    @abstractmethod
    async def play(self, call: FaultCall) -> None:
        """Treat a request as the fault has it."""


class Healthy(Fault):
    """Nothing is wrong: the answer comes after the latency of the service."""

    fault: Literal["none"] = "none"

    async def play(self, call: FaultCall) -> None:
        """Answer."""
        await call.pause(call.latency)
        await call.answer()


class Slow(Fault):
    """The answer takes `ms` instead of the latency."""

    fault: Literal["slow"]
    ms: Milliseconds = 1_000

    async def play(self, call: FaultCall) -> None:
        """Answer late."""
        await call.pause(self.ms / 1_000)
        await call.answer()


class Hang(Fault):
    """There is no answer, for as long as the client cares to wait."""

    fault: Literal["hang"]

    async def play(self, call: FaultCall) -> None:
        """Wait for the client to leave."""
        await call.pause(None)


class Status(Fault):
    """The answer is a failure, with `Retry-After` if `retry_after` (seconds) is given."""

    fault: Literal["status"]
    code: Annotated[int, Field(ge=400, le=599)] = 503
    retry_after: Annotated[int, Field(ge=0)] | None = None

    async def play(self, call: FaultCall) -> None:
        """Answer with the status."""
        await call.pause(call.latency)
        headers = None if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        failure = problem(self.code, "The demo service was told to fail.", headers)
        await failure(call.scope, call.receive, call.send)


class MalformedBody(Fault):
    """The answer is 200 and nonsense: JSON that fits no type of the five, or no JSON at all."""

    fault: Literal["malformed"]
    variant: Literal["shape", "text"] = "shape"

    BODIES: ClassVar = {
        "shape": (b'{"unexpected":[1,2,3]}', "application/json"),
        "text": (b"<html><body>It works!</body></html>", "text/html"),
    }

    async def play(self, call: FaultCall) -> None:
        """Answer nonsense."""
        await call.pause(call.latency)
        body, media_type = self.BODIES[self.variant]
        await Response(body, media_type=media_type)(call.scope, call.receive, call.send)


class Truncated(Fault):
    """The answer breaks off half way, short of its Content-Length."""

    fault: Literal["truncated"]

    async def play(self, call: FaultCall) -> None:
        """Send half, then close."""
        await call.pause(call.latency)
        start, body = await call.rehearse()
        await call.send(start)
        half = body[: len(body) // 2]
        await call.send({"type": "http.response.body", "body": half, "more_body": True})
        await call.close()


class Reset(Fault):
    """The connection is reset before the answer."""

    fault: Literal["reset"]

    async def play(self, call: FaultCall) -> None:
        """Reset."""
        await call.pause(call.latency)
        await call.reset()


class Drip(Fault):
    """The answer comes byte by byte, one every `every_ms`."""

    fault: Literal["drip"]
    every_ms: Milliseconds = 1_000

    async def play(self, call: FaultCall) -> None:
        """Send a byte, wait, and so on."""
        await call.pause(call.latency)
        start, body = await call.rehearse()
        await call.send(start)
        for index in range(len(body)):
            byte, more = body[index : index + 1], index + 1 < len(body)
            await call.send({"type": "http.response.body", "body": byte, "more_body": more})
            await call.pause(self.every_ms / 1_000 if more else 0)


Dial = Annotated[
    Healthy | Slow | Hang | Status | MalformedBody | Truncated | Reset | Drip,
    Field(discriminator="fault"),
]
