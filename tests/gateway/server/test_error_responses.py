"""The responses of the server itself are problem documents with an id, which is in the log."""

import asyncio
import json
import logging

import pytest
from starlette.types import Receive, Scope, Send

from gateway.middleware.access_log import AccessLog
from gateway.request_context import RequestContext
from tests.gateway.server.in_memory import POST, Client, build_request


async def fail(scope: Scope, _receive: Receive, _send: Send) -> None:
    RequestContext.of(scope).request_id = "the-request-id"
    raise ValueError("the password is hunter2")


async def test_an_app_that_fails_is_a_problem_with_the_id_of_the_request(
    caplog: pytest.LogCaptureFixture,
) -> None:
    response = await Client(fail).send(build_request(b"/"))
    head, _, content = response.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 500 ")
    assert b"\r\nx-request-id: the-request-id" in head
    assert json.loads(content)["instance"] == "the-request-id"
    assert b"hunter2" not in content
    (record,) = caplog.records
    assert record.msg == "app.failed"
    assert record.fields == {"id": "the-request-id"}  # type: ignore[attr-defined]


async def test_a_failure_of_a_head_request_has_no_body() -> None:
    response = await Client(fail).send(build_request(b"/", method=b"HEAD"))
    assert response.startswith(b"HTTP/1.1 500 ")
    assert response.endswith(b"\r\n\r\n")


async def test_a_failure_that_was_logged_is_not_logged_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail_again(scope: Scope, receive: Receive, send: Send) -> None:
        RequestContext.of(scope).is_failure_logged = True
        await fail(scope, receive, send)

    await Client(fail_again).send(build_request(b"/"))
    assert not caplog.records


async def test_what_is_not_http_is_a_problem_with_an_id_that_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    response = await Client(fail).send(b"what is this?\r\n\r\n")
    head, _, content = response.partition(b"\r\n\r\n")
    document = json.loads(content)
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/problem+json" in head
    assert (document["type"], document["status"]) == ("about:blank", 400)
    assert f"x-request-id: {document['instance']}".encode() in head
    (record,) = caplog.records
    assert record.msg == "request.malformed"
    assert record.fields["id"] == document["instance"]  # type: ignore[attr-defined]
    assert b"x-content-type-options: nosniff" in head


@pytest.mark.parametrize("is_slow", [True, False], ids=["slow", "too much framing"])
async def test_a_refused_body_has_the_id_and_the_fields_of_its_request(
    is_slow: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def read(scope: Scope, receive: Receive, _send: Send) -> None:
        context = RequestContext.of(scope)
        context.request_id = "the-request-id"
        context.response_headers.append((b"access-control-allow-origin", b"https://a.example"))
        while True:
            await receive()

    caplog.set_level(logging.INFO)
    client = Client(AccessLog(read))
    await client.send(POST + b"Transfer-Encoding: chunked\r\n\r\n")
    if is_slow:
        client.connections.expire(
            asyncio.get_running_loop().time() + client.connections.bodies.seconds
        )
    response = await client.send(*([] if is_slow else [b"1;" + b"a" * 70_000]))
    head, _, content = response.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 " if is_slow else b"HTTP/1.1 400 ")
    assert b"x-request-id: the-request-id" in head
    assert b"access-control-allow-origin: https://a.example" in head
    assert json.loads(content)["instance"] == "the-request-id"
    await client.disconnect()
    refused, completed = caplog.records
    assert refused.msg == ("request.timeout" if is_slow else "request.malformed")
    assert completed.msg == "request.completed"
    found: list[dict[str, object]] = [vars(record)["fields"] for record in caplog.records]
    assert [fields["id"] for fields in found] == ["the-request-id"] * 2
    assert found[0]["reason"] == found[1]["reason"]
    assert ("server.stall_seconds" in str(found[0]["reason"])) == is_slow
    assert found[1]["bytes"] == len(content)
    assert found[1]["status"] == (408 if is_slow else 400)
