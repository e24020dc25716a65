"""Odd values: of an `HTTPException`, of a validation error, and of a call to a service."""

from collections.abc import Callable
from typing import Any

from fastapi import HTTPException
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as StarletteHTTPException

from tests.gateway.errors.way import (
    BLANK,
    CALLERS,
    INVALID,
    SURROGATE,
    Way,
    calling,
    expect,
    raising,
)


def http(status: Any, detail: Any = None, headers: Any = None) -> Callable[..., Any]:
    return raising(lambda: HTTPException(status, detail, headers))


def validation(*errors: dict[str, Any]) -> Callable[[], BaseException]:
    return lambda: RequestValidationError(list(errors))


VALUES = [
    # HTTPException: statuses.
    Way("status 404", http(404, "nothing here"), **expect(404, BLANK, detail="nothing here")),
    Way("status 499", http(499), **expect(499, BLANK, detail="Bad Request")),
    Way("status 599", http(599), **expect(599, BLANK, detail="Internal Server Error")),
    Way("status 299", http(299, "odd"), **expect(299, BLANK, detail="odd")),
    Way("status 204", http(204), **expect(204, None)),
    Way("status 304", http(304), **expect(304, None)),
    Way(
        "status 307",
        http(307, headers={"Location": "/there"}),
        **expect(307, BLANK, headers={"location": "/there"}),
    ),
    Way("status 600", http(600)),
    Way("status 1000", http(1000)),
    Way("status 103", http(103)),
    Way("a status that is text", http("404")),
    # HTTPException: details.
    Way("detail dict", http(400, {"a": [1]}), **expect(400, BLANK, detail='{"a":[1]}')),
    Way("detail list", http(400, ["a"]), **expect(400, BLANK, detail='["a"]')),
    Way("detail None", http(400), **expect(400, BLANK, detail="Bad Request")),
    Way("detail empty", http(400, ""), **expect(400, BLANK, detail="Bad Request")),
    Way("detail bytes", http(400, b"\xff"), **expect(400, BLANK, detail="Bad Request")),
    Way("detail object", http(400, object()), **expect(400, BLANK, detail="Bad Request")),
    Way("detail nan", http(400, {"a": float("nan")}), **expect(400, BLANK, detail='{"a":null}')),
    Way("detail surrogate", http(400, f"<{SURROGATE}>"), **expect(400, BLANK, detail="<?>")),
    Way(
        "detail of Starlette's class",
        raising(lambda: StarletteHTTPException(400, "plain")),
        **expect(400, BLANK, detail="plain"),
    ),
    # HTTPException: headers.
    Way("header int", http(400, headers={"X-A": 1})),
    Way("header bytes", http(400, headers={b"X-A": b"1"})),
    Way("header CRLF", http(400, headers={"X-A": "1\r\nX-B: 2"})),
    Way("header beyond Latin-1", http(400, headers={"X-A": "\N{SNOWMAN}"})),
    Way("header surrogate", http(400, headers={"X-A": SURROGATE})),
    # Validation errors that the application raises itself.
    Way("validation", raising(validation({"loc": ("query", "a"), "msg": "no"})), **CALLERS),
    Way(
        "validation without a location",
        raising(validation({"loc": (), "msg": "no"})),
        **expect(422, INVALID, detail="request: no"),
    ),
    Way(
        "validation without a field",
        raising(validation({"loc": ("body",), "msg": "no"})),
        **expect(422, INVALID, detail="body: no"),
    ),
    Way(
        "validation of an own model",
        raising(validation({"loc": ("size", 3), "msg": "no"})),
        **expect(422, INVALID, detail="request size.3: no"),
    ),
    Way(
        "validation without a message",
        raising(validation({"loc": ("body", SURROGATE), "input": float("nan")})),
        **expect(422, INVALID, detail="body ?: is not valid"),
    ),
    Way("validation bytes", raising(validation({"loc": ("body",), "msg": b"\xff"})), **CALLERS),
    # Values that a typed client cannot send.
    Way("call ..", calling(lambda items: items.get("/{x}", into=Any, x="..")), **CALLERS),
    Way("call .", calling(lambda items: items.get("/{x}", into=Any, x=".")), **CALLERS),
    Way(
        "call empty",
        calling(lambda items: items.get("/{x}", into=Any, x="")),
        **expect(422, INVALID, detail="request x: a segment of a path must not be empty"),
    ),
    Way("call path", calling(lambda items: items.get("/{x}", into=Any, x=SURROGATE)), **CALLERS),
    Way("call long", calling(lambda items: items.get("/{x}", into=Any, x="a" * 70_000)), **CALLERS),
    Way(
        "call query",
        calling(lambda items: items.get("/", into=Any, params={"q": ["a", SURROGATE]})),
        **CALLERS,
    ),
    Way(
        "call header",
        calling(lambda items: items.get("/", into=Any, headers={"X-A": "a\r\nX-B: b"})),
        **CALLERS,
    ),
    Way(
        "call json",
        calling(lambda items: items.post("/", into=Any, json={"a": SURROGATE})),
        **CALLERS,
    ),
    Way("call without a value", calling(lambda items: items.get("/{x}", into=Any))),
    Way("call wrong path", calling(lambda items: items.get("x", into=Any))),
    Way("call header name", calling(lambda items: items.get("/", into=Any, headers={"a b": "1"}))),
    Way("call no JSON", calling(lambda items: items.post("/", into=Any, json=object()))),
]
