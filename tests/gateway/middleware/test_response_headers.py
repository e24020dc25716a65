"""The fields that every response has: no cache stores what is private, nothing is sniffed."""

from collections.abc import AsyncIterator

import pytest
from fastapi import APIRouter, HTTPException
from starlette.responses import Response
from starlette.types import Message

from gateway.app_loader import Application
from gateway.auth import public, requires
from gateway.middleware.response_headers import complete_head
from gateway.request_context import RequestContext
from gateway.settings.schema import Settings
from gateway.testing import TestGateway, lockgate
from gateway.testing.gateway import RequestOptions

READER: RequestOptions = {"user": "42", "scopes": ["pages:read"]}
ANONYMOUS: RequestOptions = {}
USER: RequestOptions = {"user": "42"}


def build_routes() -> APIRouter:
    router, private = APIRouter(dependencies=[public("a test")]), APIRouter()

    @private.get("/private", dependencies=[requires("pages:read")])
    async def get_private() -> dict[str, str]:
        return {}

    @private.get("/private/general", dependencies=[requires("pages:read")])
    async def get_private_generally(response: Response) -> dict[str, str]:
        return {}

    @private.get("/private/own", dependencies=[requires("pages:read")])
    async def get_own(response: Response) -> dict[str, str]:
        response.headers["Cache-Control"] = "private, max-age=60"
        response.headers["X-Content-Type-Options"] = "own"
        return {}

    @private.get("/private/unchanged", dependencies=[requires("pages:read")])
    async def get_unchanged() -> Response:
        return Response(status_code=304, headers={"ETag": '"7"'})

    @router.get("/public")
    async def get_public() -> dict[str, str]:
        return {}

    @router.get("/gone")
    async def get_gone() -> None:
        raise HTTPException(410, headers={"cache-control": "max-age=3600"})

    private.include_router(router)
    return private


@pytest.fixture
async def gateway() -> AsyncIterator[TestGateway]:
    async with lockgate(Settings(), application=Application(routers=[build_routes()])) as opened:
        yield opened


async def test_private_responses_and_problems_are_not_stored(gateway: TestGateway) -> None:
    cases: list[tuple[str, RequestOptions, int, str | None]] = [
        ("/private", READER, 200, "no-store"),
        ("/private/general", READER, 200, "no-store"),
        ("/private/unchanged", READER, 304, "no-store"),
        ("/private/own", READER, 200, "private, max-age=60"),
        ("/private", ANONYMOUS, 401, "no-store"),
        ("/private", USER, 403, "no-store"),
        ("/nowhere", ANONYMOUS, 404, "no-store"),
        ("/gone", ANONYMOUS, 410, "max-age=3600"),
        ("/public", ANONYMOUS, 200, None),
        ("/public", READER, 200, None),
        ("/healthz", ANONYMOUS, 200, None),
    ]
    for path, caller, status, cache_control in cases:
        response = await gateway.get(path, **caller)
        assert response.status_code == status
        assert response.headers.get("cache-control") == cache_control, path
        assert len(response.headers.get_list("x-content-type-options")) == 1
    assert (await gateway.get("/private/own", **READER)).headers["x-content-type-options"] == "own"


@pytest.mark.parametrize(
    ("fields", "buffering"),
    [
        ({"content-type": "text/event-stream"}, [b"no"]),
        ({"content-type": "text/event-stream; charset=utf-8"}, [b"no"]),
        ({"content-type": "Text/Event-Stream"}, [b"no"]),
        ({"content-type": "text/event-stream", "x-accel-buffering": "yes"}, [b"yes"]),
        ({"content-type": "text/event-streams"}, []),
        ({"content-type": "application/x-ndjson"}, []),
        ({"content-type": "text/html", "content-length": "7"}, []),
        ({}, []),
    ],
)
@pytest.mark.parametrize("is_private", [True, False])
def test_a_proxy_does_not_buffer_a_stream_of_events(
    fields: dict[str, str], buffering: list[bytes], is_private: bool
) -> None:
    headers = [(name.encode(), value.encode()) for name, value in fields.items()]
    message: Message = {"type": "http.response.start", "status": 200, "headers": headers}
    context = RequestContext(request_id="7", is_private=is_private)
    complete_head(message, context, may_compress=True)
    found = [value for name, value in message["headers"] if name == b"x-accel-buffering"]
    assert found == buffering


@pytest.mark.parametrize(
    ("values", "merged"),
    [
        (["Accept"], "Accept"),
        (["Accept", "origin"], "Accept, origin"),
        (["Accept, Origin", "origin", "accept-encoding"], "Accept, Origin, accept-encoding"),
        (["*", "origin"], "*"),
        (["", " , ", "origin"], "origin"),
    ],
)
def test_several_vary_become_one(values: list[str], merged: str) -> None:
    headers = [(b"vary", value.encode()) for value in values]
    message: Message = {"type": "http.response.start", "status": 200, "headers": headers}
    complete_head(message, RequestContext(request_id="7"), may_compress=False)
    found = [value for name, value in message["headers"] if name == b"vary"]
    assert found == [merged.encode()]
