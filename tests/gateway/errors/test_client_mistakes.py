"""A mistake of the client is a 4xx problem without a traceback, wherever it is in the request."""

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Body, Cookie, Depends, Header, Path, Query
from pydantic import BaseModel, ConfigDict

from gateway.auth import public
from gateway.resources import Upstream
from gateway.upstream import NoContent
from tests.gateway.errors.served import REQUEST_ID, Items, Reply, Served, build_request, serve

BLANK, INVALID = "about:blank", "urn:lockgate:problem:invalid-request"


class Thing(BaseModel):
    model_config = ConfigDict(extra="forbid")

    number: int
    text: str = ""


def block() -> None:
    """Run in a thread, so that the route is not compiled."""


def build_router() -> APIRouter:
    router = APIRouter(dependencies=[public("a test")])

    @router.post("/body")
    async def post_body(thing: Thing) -> Thing:
        return thing

    @router.put("/body")
    async def put_body() -> Thing:
        return Thing(number=1)

    @router.post("/bug")
    async def post_bug(value: Annotated[Any, Body()] = None) -> str:
        return "caf\udce9"

    @router.post("/any")
    async def post_any(value: Annotated[Any, Body()], items: Upstream[Items]) -> None:
        await items.post("/", into=NoContent, json=value)

    async def get_parameters(
        *,
        name: Annotated[str, Path(max_length=10)],
        n: Annotated[int, Query()] = 1,
        x_ratio: Annotated[float, Header(gt=0, allow_inf_nan=False)] = 1.0,
        session: Annotated[int, Cookie()] = 1,
    ) -> Thing:
        return Thing(number=n, text=name)

    async def call_items(name: str, items: Upstream[Items], header: str = "") -> Thing:
        await items.get("/items/{name}", into=NoContent, name=name, headers={"X-Of": header})
        return Thing(number=1)

    endpoints: dict[str, Callable[..., Any]] = {
        "/parameters/{name}": get_parameters,
        "/call/{name}": call_items,
    }
    for path, endpoint in endpoints.items():
        router.add_api_route("/compiled" + path, endpoint)
        router.add_api_route("/general" + path, endpoint, dependencies=[Depends(block)])
    return router


async def send(request: bytes) -> tuple[Reply, Served]:
    async with serve(build_router()) as served:
        reply, alive = await served.send(request, build_request("/healthz"))
        await served.settle(requests=2)
    assert alive.status == 200
    return reply, served


async def refuse(request: bytes, status: int, kind: str) -> Reply:
    reply, served = await send(request)
    document = reply.document
    assert (reply.status, document["status"], document["type"]) == (status, status, kind)
    assert reply.header("content-type") == ["application/problem+json"]
    assert reply.header("x-request-id") == [document["instance"]] == [REQUEST_ID]
    assert document["detail"]
    assert served.log.failures == []
    assert served.log.completed[0]["status"] == status
    return reply


def post(body: bytes, path: str = "/body", **headers: str) -> bytes:
    renamed = {name.replace("_", "-"): value for name, value in headers.items()}
    return build_request(path, "POST", body=body, headers=renamed)


DEEP = b"[" * 100_000
HUGE = b'{"number": 1' + b"0" * 5_000 + b"}"


@pytest.mark.parametrize(
    ("request_text", "status", "kind"),
    [
        (post(b"{"), 422, INVALID),
        (post(b""), 422, INVALID),
        (post(b"[]"), 422, INVALID),
        (post(b'{"number": NaN}'), 422, INVALID),
        (post(b'{"number": Infinity}'), 422, INVALID),
        (post(b'{"number": 1e400}'), 422, INVALID),
        (post(b'{"number": "\\ud800"}'), 422, INVALID),
        (post(b'{"number": 1, "\\ud800": 1}'), 422, INVALID),
        (post(DEEP), 400, BLANK),
        (post(HUGE), 400, BLANK),
        (post(b'{"number": "\xff"}'), 400, BLANK),
        (post(b'{"number": 1}', Content_Type="text/plain"), 422, INVALID),
        (post(b'{"number": 1}', Content_Type="\xff;;=\xfe"), 422, INVALID),
        (post(b'{"number": 1}', Content_Type="application/json; charset=utf-99"), 200, ""),
        (post(b'{"number": 1, "text": "\\ud800"}'), 422, INVALID),
        (post(b'"\\ud800"', "/any"), 422, INVALID),
        (post(b'{"a": ["\\udfff"]}', "/any"), 422, INVALID),
        (post(b'[{"\\udfff": 1}]', "/bug"), 422, INVALID),
        (post(b'"\xed\xa0\x80"', "/bug"), 422, INVALID),
        (post(b"x" * 2_000_000), 413, "urn:lockgate:problem:content-too-large"),
    ],
    ids=lambda value: str(value)[-60:] if isinstance(value, bytes) else None,
)
async def test_a_body(request_text: bytes, status: int, kind: str) -> None:
    if status == 200:
        assert (await send(request_text))[0].status == 200
    else:
        await refuse(request_text, status, kind)


@pytest.mark.parametrize(
    ("body", "field", "detail"),
    [
        (b"{", "body", "body: JSON decode error at character 1: Expecting property name"),
        (b'{"number": }', "body", "body: JSON decode error at character 11: Expecting value"),
        (b"", "body", "body: Field required"),
        (b"[]", "body", "body: Input should be a valid"),
        (b'{"number": "x"}', "number", "body number: Input should be a valid integer"),
    ],
)
async def test_the_field_of_a_body_that_is_not_valid(body: bytes, field: str, detail: str) -> None:
    document = (await send(post(body)))[0].document
    assert document["detail"].startswith(detail)
    [error] = document["errors"]
    assert (error["in"], error["field"]) == ("body", field)


@pytest.mark.parametrize("body", [b"1", b'"text"', b'["\\ud83d\\ude00", "\\\\ud800", {"a": null}]'])
async def test_a_lone_surrogate_of_the_endpoint_is_a_failure(body: bytes) -> None:
    reply, served = await send(post(body, "/bug"))
    assert (reply.status, reply.document["type"]) == (500, "urn:lockgate:problem:internal-error")
    assert [it.msg for it in served.log.failures] == ["request.failed"]


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/parameters/a?n=x", {}),
        ("/parameters/a?n=%ff", {}),
        ("/parameters/a?n=%ED%A0%80", {}),
        ("/parameters/a?n=nan", {}),
        ("/parameters/a?n=" + "9" * 5_000, {}),
        ("/parameters/" + "a" * 60_000, {}),
        ("/parameters/a", {"X-Ratio": "nan"}),
        ("/parameters/a", {"X-Ratio": "\xff"}),
        ("/parameters/a", {"Cookie": "session=\xff"}),
        ("/parameters/a", {"Cookie": '=; session="\\"; a=1'}),
        ("/call/a?header=%00", {}),
        ("/call/a?header=a%0d%0ab", {}),
        ("/call/a?header=%E2%98%83", {}),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_parameter_on_both_paths(target: str, headers: dict[str, str]) -> None:
    compiled = await refuse(build_request("/compiled" + target, headers=headers), 422, INVALID)
    general = await refuse(build_request("/general" + target, headers=headers), 422, INVALID)
    assert compiled.document == general.document
    assert {error["in"] for error in compiled.document["errors"]} <= {
        *("path", "query", "header", "cookie", "request")
    }


@pytest.mark.parametrize("target", ["/nowhere", "/a%20b", "/body/"])
async def test_an_unknown_path(target: str) -> None:
    await refuse(build_request(target), 404, BLANK)


@pytest.mark.parametrize("target", ["/%ff", "/%ED%A0%80", "/a%00b", "//", "/compiled/call/.."])
async def test_an_invalid_path(target: str) -> None:
    await refuse(build_request(target), 400, BLANK)


@pytest.mark.parametrize(
    ("target", "allowed"),
    [
        ("/body", "OPTIONS, POST, PUT"),
        ("/compiled/parameters/a", "GET, HEAD, OPTIONS"),
        ("/healthz", "GET, HEAD, OPTIONS"),
    ],
)
async def test_a_method_that_no_route_supports(target: str, allowed: str) -> None:
    reply = await refuse(build_request(target, "DELETE"), 405, BLANK)
    assert reply.header("allow") == [allowed]


async def test_a_value_of_the_caller_is_named_in_the_log() -> None:
    _, served = await send(build_request("/compiled/call/a?header=%00"))
    assert "X-Of" in str(served.log.completed[0]["error"])
