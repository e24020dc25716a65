"""One reading of a request target for everything that compares paths, through all layers."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fastapi import APIRouter, Depends, FastAPI, Request, WebSocket
from pydantic import BaseModel
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.app import create_app
from gateway.app_loader import Application
from gateway.auth import public
from gateway.middleware.target_validation import MAX_QUERY_PARAMETERS, TargetValidation
from gateway.settings.schema import Settings
from tests.gateway.errors.served import Reply, Served, build_request, serve
from tests.gateway.middleware.asgi_websocket import WebSocketClient, websocket_scope
from tests.gateway.middleware.path_spellings import write_invalid, write_similar


class Read(BaseModel):
    """The parameters that an endpoint got."""

    values: list[str | int]


def block() -> None:
    """Run in a thread, so that the route is not compiled."""


async def read_name(name: str) -> Read:
    return Read(values=[name])


async def read_number(number: int) -> Read:
    return Read(values=[number])


async def read_pair(first: str, second: str) -> Read:
    return Read(values=[first, second])


async def read_rest(rest: str) -> Read:
    return Read(values=[rest])


async def link(request: Request) -> Read:
    """Return the URL of this route with the same values, the URL of the request, and the values."""
    url = request.url_for(request.scope["endpoint"].__name__, **request.path_params)
    return Read(values=[url.path, request.url.path, *request.path_params.values()])


async def link_segment(request: Request) -> Read:
    return await link(request)


async def link_segments(request: Request) -> Read:
    return await link(request)


async def echo(socket: WebSocket, name: str) -> None:
    await socket.accept()
    await socket.send_text(name)
    await socket.close()


ENDPOINTS: dict[str, Callable[..., Any]] = {
    "/names/{name}": read_name,
    "/numbers/{number}": read_number,
    "/pairs/{first}/{second}": read_pair,
    "/rest/{rest:path}": read_rest,
}


def build_router(files: Path | None = None) -> APIRouter:
    """Each endpoint below /compiled, and below /general through FastAPI's router."""
    router = APIRouter(dependencies=[public("a test")])
    for prefix, dependencies in {"/compiled": [], "/general": [Depends(block)]}.items():
        for path, endpoint in ENDPOINTS.items():
            for method in ("GET", "POST"):
                router.add_api_route(
                    prefix + path,
                    endpoint,
                    methods=[method],
                    dependencies=dependencies,
                    max_body_size=9,
                )
    router.add_api_route("/links/{name}", link_segment)
    router.add_api_route("/links/{name}/{rest:path}", link_segments)
    router.add_api_websocket_route("/sockets/{name}", echo)
    if files is not None:
        router.frontend("/files", directory=str(files))
    return router


async def send_all(served: Served, targets: Sequence[str], method: str = "GET") -> list[Reply]:
    return [
        reply
        for target in targets
        for reply in await served.send(build_request(target, method), build_request("/healthz"))
    ][::2]


async def test_a_parameter_keeps_its_escaped_characters_on_both_paths() -> None:
    values = {
        "a%2Fb": "a/b",
        "a%2fb%2F": "a/b/",
        "%2F": "/",
        "a%252Fb": "a%2Fb",
        "100%25": "100%",
        "a%3Fb%23c%26d": "a?b#c&d",
        "a+b%20c": "a+b c",
        "a;b=c": "a;b=c",
        "a%5Cb": "a\\b",
        "%E2%98%83": "\u2603",
        "user%2D1": "user-1",
    }
    async with serve(build_router()) as served:
        for prefix in ("/compiled", "/general"):
            replies = await send_all(served, [f"{prefix}/names/{it}" for it in values])
            assert [it.document["values"] for it in replies] == [[it] for it in values.values()]
            pairs = await send_all(served, [f"{prefix}/pairs/{it}/x" for it in values])
            assert [it.document["values"] for it in pairs] == [[it, "x"] for it in values.values()]
            [number] = await send_all(served, [prefix + "/numbers/4%2F2"])
            assert (number.status, number.document["errors"][0]["field"]) == (422, "number")
        [rest] = await send_all(served, ["/general/rest/a%2Fb/c%25"])
        assert rest.document["values"] == ["a/b/c%"]


@pytest.mark.parametrize(
    ("target", "linked"),
    [
        ("/links/a%2Fb", "/links/a%2Fb"),
        ("/links/a%3fb%23", "/links/a%3Fb%23"),
        ("/links/%252e%252e", "/links/%252e%252e"),
        ("/links/a%252Fb", "/links/a%252Fb"),
        ("/links/a%20b@x;y+z", "/links/a%20b@x;y+z"),
        ("/links/x/a%2Fb%3F/c/", "/links/x/a/b%3F/c/"),
        ("/links/x/%2Fa", "/links/x/%2Fa"),
        ("/links/x/a/%2F%2Fb", "/links/x/a/%2F%2Fb"),
        ("/links/x/", "/links/x/"),
    ],
)
async def test_a_route_links_to_itself(target: str, linked: str) -> None:
    async with serve(build_router()) as served:
        [first] = await send_all(served, [target])
        url, own, *values = first.document["values"]
        assert url == linked
        again = await send_all(served, [url, quote(own, safe="/%")])
    assert [it.document["values"][2:] for it in again] == [values] * 2


async def test_an_escaped_slash_is_never_the_end_of_a_segment() -> None:
    targets = [
        "/compiled/pairs/a%2Fb",
        "/general/pairs/a%2Fb",
        "/compiled%2Fnames/a",
        "/general/names%2Fa",
        "/%2Fhealthz",
        "/healthz%2F",
    ]
    async with serve(build_router()) as served:
        assert [it.status for it in await send_all(served, targets)] == [404] * len(targets)


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/docs", "/openapi.json", "/general/rest/x"]
)
async def test_another_spelling_of_a_path_is_refused_before_any_router(path: str) -> None:
    targets = write_invalid(path)
    async with serve(build_router()) as served:
        replies = await send_all(served, targets)
        assert [it.status for it in replies] == [400] * len(targets)
        assert {it.document["type"] for it in replies} == {"about:blank"}
        assert all(it.document["detail"].startswith("The path ") for it in replies)
        lines = [line for line in served.log.completed if line["status"] == 400]
    assert len(lines) == len(targets)
    assert {line["error"] for line in lines} == {it.document["detail"] for it in replies}
    assert [line["path"] for line in lines] == targets  # as it was received


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/docs", "/openapi.json"])
async def test_a_similar_path_is_another_path(path: str) -> None:
    async with serve(build_router()) as served:
        replies = await send_all(served, write_similar(path))
    assert {it.status for it in replies} == {404}


async def test_an_absolute_target_names_the_same_path() -> None:
    async with serve(build_router()) as served:
        replies = await send_all(
            served, ["http://x/healthz", "http://x/healthz%0a", "http://x//healthz", "http://x"]
        )
    assert [it.status for it in replies] == [200, 400, 400, 404]


@pytest.mark.parametrize(
    "name", ["X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix", "X-Forwarded-Path"]
)
async def test_a_header_never_replaces_the_path(name: str) -> None:
    async with serve(build_router()) as served:
        [reply] = await served.send(build_request("/healthz", headers={name: "/readyz"}))
        [other] = await served.send(
            build_request("/healthz", headers={"X-HTTP-Method-Override": "DELETE"})
        )
    assert (
        (reply.status, reply.document) == (other.status, other.document) == (200, {"status": "ok"})
    )


async def test_the_body_limit_of_a_route_holds_for_each_spelling_of_its_parameter() -> None:
    async with serve(build_router()) as served:
        for target in ("/names/a", "/names/a%2Fb", "/names/%C3%A9", "/pairs/a%2Fb/c"):
            for prefix in ("/compiled", "/general"):
                [large] = await served.send(build_request(prefix + target, "POST", body=b"x" * 10))
                [small] = await served.send(build_request(prefix + target, "POST", body=b"x" * 9))
                assert (large.status, small.status) == (413, 200)


async def test_files_are_found_by_the_same_path(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "file.txt").write_text("secret")
    (tmp_path / "100% a.txt").write_text("percent")
    expected = {
        "/files/100%25%20a.txt": 200,
        "/files/secret/file.txt": 200,
        "/files/secret%2Ffile.txt": 404,
        "/files//secret/file.txt": 400,
        "/files/secret//file.txt": 400,
        "/files/x/../secret/file.txt": 400,
        "/files/x/..%2Fsecret/file.txt": 400,
        "/files/secret\\file.txt": 400,
        "/files/secret/file.txt%00": 400,
    }
    async with serve(build_router(tmp_path)) as served:
        replies = await send_all(served, list(expected))
    assert {target: it.status for target, it in zip(expected, replies, strict=True)} == expected


async def test_control_characters_of_a_query_are_data() -> None:
    async with serve(build_router()) as served:
        replies = await send_all(
            served, [f"/healthz?x={it}" for it in ("%0a", "%00", "%ff", "%", "%zz", "a;b", "//..")]
        )
    assert {it.status for it in replies} == {200}


async def test_a_query_has_a_bounded_number_of_parameters() -> None:
    most = "&".join(["a=1"] * MAX_QUERY_PARAMETERS)
    async with serve(build_router()) as served:
        replies = await send_all(served, [f"/compiled/names/x?{most}", f"/healthz?{most}&a=1"])
    assert [it.status for it in replies] == [200, 400]
    assert replies[1].document["detail"] == "The query has more than 1000 parameters."


@pytest.mark.parametrize(("path", "value"), [("/sockets/a%2Fb", "a/b"), ("/sockets/a%25", "a%")])
async def test_a_websocket_gets_the_same_parameter(path: str, value: str) -> None:
    client = WebSocketClient()
    await client.run(build_app(), websocket_scope(path))
    assert {"type": "websocket.send", "text": value} in client.sent


@pytest.mark.parametrize("path", ["/sockets/a%0a", "/sockets//a", "/sockets/.."])
async def test_a_websocket_with_an_invalid_path_is_closed(path: str) -> None:
    client = WebSocketClient()
    await client.run(build_app(), websocket_scope(path))
    assert client.sent == [{"type": "websocket.close", "code": 1008, "reason": "Bad Request"}]


@pytest.mark.parametrize(
    ("path", "expected"), [("/a b", "/a b"), ("/a\n", None), ("/\udcff", None), ("/a/../b", None)]
)
async def test_a_server_without_raw_path_is_checked_as_well(
    path: str, expected: str | None
) -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["path"])

    async def receive() -> Message:
        raise AssertionError("not called")

    async def ignore(_: Message) -> None: ...

    validation: ASGIApp = TargetValidation(app)
    scope = {"type": "http", "path": path, "query_string": b"", "headers": []}
    await validation(scope, receive, ignore)
    assert seen == ([] if expected is None else [expected])


def build_app() -> FastAPI:
    application = Application(clients={}, policies={}, routers=[build_router()])
    return create_app(Settings(), application=application)
