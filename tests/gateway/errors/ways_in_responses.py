"""Responses that cannot be built, validated, serialized or sent, and tasks that run after them."""

from collections.abc import AsyncIterator, Iterator

from fastapi import HTTPException
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from gateway.upstream import UpstreamTimeout
from tests.gateway.errors.way import SURROGATE, TIMEOUT, Thing, Way, returning


async def pieces(*content: bytes, error: BaseException) -> AsyncIterator[bytes]:
    for piece in content:
        yield piece
    raise error


def pieces_in_a_thread(*content: bytes, error: BaseException) -> Iterator[bytes]:
    yield from content
    raise error


def fail_later(error: BaseException) -> BackgroundTask:
    async def task() -> None:
        raise error

    return BackgroundTask(task)


RESPONSES = [
    # Responses.
    Way("no model", returning(lambda: {"number": "hunter2"})),
    Way("None", returning(lambda: None)),
    Way("no JSON of a model", returning(lambda: Thing(number=13))),
    Way("JSONResponse nan", returning(lambda: JSONResponse(float("nan")))),
    Way("JSONResponse object", returning(lambda: JSONResponse(object()))),
    Way("text surrogate", returning(lambda: PlainTextResponse(SURROGATE))),
    Way("response surrogate", returning(lambda: Response(headers={"X-A": SURROGATE}))),
    Way("response CRLF", returning(lambda: Response(headers={"X-A": "1\r\nX-B: 2"}))),
    Way("response status", returning(lambda: Response(status_code=1000))),
    Way(
        "response length",
        returning(lambda: Response(b"ok", headers={"Content-Length": "3"})),
    ),
    # Streams.
    Way(
        "stream before its first byte",
        returning(lambda: StreamingResponse(pieces(error=KeyError("hunter2")))),
    ),
    Way(
        "stream in a thread before its first byte",
        returning(lambda: StreamingResponse(pieces_in_a_thread(error=KeyError("hunter2")))),
    ),
    Way(
        "stream of a service before its first byte",
        returning(lambda: StreamingResponse(pieces(error=UpstreamTimeout("items", "GET /")))),
        **TIMEOUT,
    ),
    Way(
        "stream after its first byte",
        returning(lambda: StreamingResponse(pieces(b"half", error=KeyError("hunter2")))),
        status=200,
        type=None,
        is_broken=True,
    ),
    Way(
        "stream of a service after its first byte",
        returning(
            lambda: StreamingResponse(pieces(b"half", error=UpstreamTimeout("items", "GET /")))
        ),
        status=200,
        type=None,
        is_broken=True,
    ),
    # Background tasks: the response has been sent, and stays as it is.
    *(
        Way(
            f"background {type(error).__name__}",
            returning(
                lambda error=error: PlainTextResponse("done", background=fail_later(error))  # type: ignore[misc]
            ),
            status=200,
            type=None,
        )
        for error in (KeyError("hunter2"), HTTPException(404), SystemExit(1))
    ),
]
