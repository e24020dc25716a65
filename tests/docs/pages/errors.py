"""errors.md: every problem type, read off real answers."""

import asyncio
import json
import logging
from collections.abc import Iterator

import httpx
from fastapi import FastAPI

from gateway.errors.problem_json import install_error_handlers
from gateway.middleware.request_context import RequestContextMiddleware
from tests.docs.pages.failures import Failure, failures
from tests.docs.pages.markdown import code, page, table

REQUEST_ID = "0b1e5f0c8d7a4f6e"
MEMBERS = ("type", "title", "status", "detail", "instance")
HEADERS = ("www-authenticate", "retry-after")

INTRODUCTION = """
An error is answered as `application/problem+json` (RFC 9457) with `type`, `title`,
`status`, `detail` and `instance`, which is the request id of `X-Request-Id` and of the log line.
A program decides by `type` and `status`; the words of `title` and `detail` may change. What
follows are the answers themselves.

A part of a composite that may be missing is no error: the answer is 200 and `degraded` names the
part and the reason: `timeout`, `unavailable`, `refused` or `invalid` as below, or `error` when
the part itself failed.
"""


def errors() -> str:
    """The page."""
    sections = list(asyncio.run(_sections()))
    return page("Errors", INTRODUCTION, _summary(sections), *(text for _, text in sections))


Section = tuple[httpx.Response, str]


async def _sections() -> list[Section]:
    found = []
    for failure in failures():
        answer = await _answer(failure.error)
        found.append((answer, _section(failure, answer)))
    return found


def _summary(sections: list[Section]) -> str:
    rows = [(str(a.status_code), a.json()["title"], code(a.json()["type"])) for a, _ in sections]
    return table(("Status", "Title", "Type"), sorted(rows))


def _section(failure: Failure, answer: httpx.Response) -> str:
    document = answer.json()
    extra = [name for name in document if name not in MEMBERS]
    says = [f"Members of its own: {', '.join(map(code, extra))}."] if extra else []
    return "\n\n".join(
        [
            f"## {answer.status_code} {document['title']}",
            failure.when + " " + failure.advice,
            *says,
            "```http\n" + "\n".join(_written(answer)) + "\n```",
        ]
    )


def _written(answer: httpx.Response) -> Iterator[str]:
    yield f"HTTP/1.1 {answer.status_code} {answer.reason_phrase}"
    yield "Content-Type: " + answer.headers["content-type"]
    for name in HEADERS:
        if name in answer.headers:
            yield f"{name.title().replace('Www', 'WWW')}: {answer.headers[name]}"
    yield ""
    yield json.dumps(answer.json(), indent=2)


async def _answer(error: Exception) -> httpx.Response:
    """What the gateway answers to a request in which `error` is raised."""
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
