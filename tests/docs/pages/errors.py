"""Generates errors.md: every problem type, with a response of the real error handlers."""

import asyncio
import json
import logging
from collections.abc import Iterator

import httpx
from fastapi import FastAPI

from gateway.errors.handlers import install_error_handlers
from gateway.middleware.request_context import RequestContextMiddleware
from tests.docs.pages.failures import Failure, list_failures
from tests.docs.pages.markdown import code, page, table

REQUEST_ID = "0b1e5f0c8d7a4f6e"
MEMBERS = ("type", "title", "status", "detail", "instance")
HEADERS = ("www-authenticate", "retry-after")

INTRODUCTION = """
Every error response is a problem document (`application/problem+json`, RFC 9457) with the members
`type`, `title`, `status`, `detail` and `instance`. `instance` is the request id, which is also in
the `X-Request-Id` header and in the log line of the request. Programs should decide by `type` and
`status`; the wording of `title` and `detail` may change. Each section below shows a response.
`openapi.json` lists the problems of each route; see [generate TypeScript
types](../how-to/generate-typescript-types.md).

If an `ExceptionGroup` contains only errors of this page, the first of them is the response.
Otherwise it is an unexpected exception, which is a 500.

A missing optional part of a composite is not an error: the status is 200 and `degraded` lists
the part and the reason. The reasons `timeout`, `unavailable`, `refused` and `invalid` correspond to
the upstream errors below; `error` means that the code of the part raised an exception.
"""


def render_errors() -> str:
    """Return the text of the page."""
    sections = list(asyncio.run(_render_sections()))
    return page("Errors", INTRODUCTION, _render_summary(sections), *(text for _, text in sections))


Section = tuple[httpx.Response, str]


async def _render_sections() -> list[Section]:
    sections = []
    for failure in list_failures():
        response = await _get_response(failure.error)
        sections.append((response, _render_section(failure, response)))
    return sections


def _render_summary(sections: list[Section]) -> str:
    rows = [(str(a.status_code), a.json()["title"], code(a.json()["type"])) for a, _ in sections]
    return table(("Status", "Title", "Type"), sorted(set(rows)))


def _render_section(failure: Failure, response: httpx.Response) -> str:
    document = response.json()
    extra = [name for name in document if name not in MEMBERS]
    members = [f"Additional members: {', '.join(map(code, extra))}."] if extra else []
    return "\n\n".join(
        [
            f"## {response.status_code} {document['title']}",
            failure.cause + " " + failure.advice,
            *members,
            "```http\n" + "\n".join(_format_response(response)) + "\n```",
        ]
    )


def _format_response(response: httpx.Response) -> Iterator[str]:
    yield f"HTTP/1.1 {response.status_code} {response.reason_phrase}"
    yield "Content-Type: " + response.headers["content-type"]
    for name in HEADERS:
        if name in response.headers:
            yield f"{name.title().replace('Www', 'WWW')}: {response.headers[name]}"
    yield ""
    yield json.dumps(response.json(), indent=2)


async def _get_response(error: Exception) -> httpx.Response:
    """Return the response to a request whose endpoint raises `error`."""
    app = FastAPI()
    install_error_handlers(app)
    app.add_middleware(RequestContextMiddleware)

    @app.get("/")
    async def _fail() -> None:
        raise error

    logging.getLogger("lockgate.access").disabled = True
    try:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://lockgate.test"
        ) as http:
            return await http.get("/", headers={"X-Request-Id": REQUEST_ID})
    finally:
        logging.getLogger("lockgate.access").disabled = False
