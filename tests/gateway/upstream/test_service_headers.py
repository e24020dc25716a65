"""Headers per service: fixed ones, forwarded ones, and the caller's token only where declared."""

import asyncio
from collections.abc import Mapping

import httpx
import pytest
from pydantic import ValidationError

from gateway.settings.schema import Service, Settings
from gateway.upstream import PendingCall
from gateway.upstream.open_client import open_client
from gateway.upstream.propagation import propagate_headers, set_caller_token
from gateway.upstream.service_headers import ServiceHeaders
from tests.gateway.upstream.example_client import ExampleClient, Item

INCOMING = [
    (b"accept-language", b"de"),
    (b"accept-language", b"en;q=0.5"),
    (b"cookie", b"session=1"),
    (b"authorization", b"Bearer unverified"),
    (b"x-broken", "ü".encode()),
]
SECRET = "hunter2-0123456789"


class Recorder(httpx.AsyncBaseTransport):
    """Keeps the headers of every request."""

    def __init__(self) -> None:
        self.headers: list[httpx.Headers] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.headers.append(request.headers)
        return httpx.Response(200, json={"sku": "A"})


async def get_sent_headers(
    options: Mapping[str, object], *, token: str | None = None
) -> httpx.Headers:
    """The headers of a call made for a request with the fields of INCOMING."""
    recorder = Recorder()
    service = Service.model_validate({"url": "http://shop.test", **options})
    async with open_client(ExampleClient, service, recorder) as client:
        with propagate_headers({"x-request-id": "r1", "traceparent": "t"}, INCOMING):
            if token:
                set_caller_token(token)
            await client.get("/", into=Item)
    return recorder.headers[0]


async def test_without_a_declaration_only_the_id_and_the_trace_are_sent() -> None:
    sent = await get_sent_headers({}, token="verified")
    assert set(sent) == {
        "host", "accept", "accept-encoding", "user-agent", "x-request-id", "traceparent"
    }  # fmt: skip


async def test_fixed_headers_are_sent_with_every_call() -> None:
    sent = await get_sent_headers({"headers": {"X-Api-Key": SECRET, "User-Agent": "acme"}})
    assert sent["x-api-key"] == SECRET
    assert sent["user-agent"] == "acme"
    assert sent["x-request-id"] == "r1"


async def test_forwarded_headers_come_from_the_request() -> None:
    sent = await get_sent_headers({"forward_headers": ["Accept-Language", "x-broken", "x-absent"]})
    assert sent["accept-language"] == "de, en;q=0.5"
    assert not {"x-broken", "x-absent", "cookie", "authorization"} & set(sent)


async def test_a_fixed_header_wins_over_a_forwarded_one() -> None:
    options = {"forward_headers": ["accept-language"], "headers": {"accept-language": "fr"}}
    assert (await get_sent_headers(options))["accept-language"] == "fr"


async def test_the_token_is_sent_only_when_it_was_verified() -> None:
    assert "authorization" not in await get_sent_headers({"forward_token": True})
    sent = await get_sent_headers({"forward_token": True}, token="verified")
    assert sent["authorization"] == "Bearer verified"


async def test_a_header_of_the_call_wins() -> None:
    recorder = Recorder()
    service = Service.model_validate({"url": "http://shop.test", "headers": {"x-a": "1"}})
    async with open_client(ExampleClient, service, recorder) as client:
        await client.get("/", headers={"X-A": "2"}, into=Item)
        await client.post("/", json={}, into=Item)
        async with client.stream("GET", "/"):
            pass
    assert [headers["x-a"] for headers in recorder.headers] == ["2", "1", "1"]


async def test_a_token_belongs_to_its_request_alone() -> None:
    recorder = Recorder()
    service = Service.model_validate({"url": "http://shop.test", "forward_token": True})

    async def serve(token: str | None) -> None:
        with propagate_headers({"x-request-id": str(token)}):
            await asyncio.sleep(0)
            if token:
                set_caller_token(token)
            await asyncio.sleep(0)
            await client.get("/", into=Item)

    async with open_client(ExampleClient, service, recorder) as client:
        set_caller_token("outside of a request")
        await asyncio.gather(serve("a"), serve(None), serve("b"))
    sent = {h["x-request-id"]: h.get("authorization") for h in recorder.headers}
    assert sent == {"a": "Bearer a", "None": None, "b": "Bearer b"}


async def test_a_call_sent_later_keeps_the_headers_of_its_request() -> None:
    recorder = Recorder()
    service = Service.model_validate({"url": "http://shop.test", "forward_token": True})
    async with open_client(ExampleClient, service, recorder) as client:
        with propagate_headers({"x-request-id": "r1"}):
            set_caller_token("verified")
            call: PendingCall[Item] = client.get("/", into=Item)
            done = asyncio.get_running_loop().create_future()
            call.begin(asyncio.get_running_loop().time(), 1, done.set_result)
        await done
    assert recorder.headers[0]["x-request-id"] == "r1"
    assert recorder.headers[0]["authorization"] == "Bearer verified"


def test_secrets_are_not_shown() -> None:
    service = Service.model_validate({"url": "http://x", "headers": {"x-api-key": SECRET}})
    assert SECRET not in repr(service)
    assert SECRET not in repr(Settings(upstreams={"shop": service}))
    assert SECRET not in repr(ServiceHeaders(fixed={"x-api-key": SECRET}))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"headers": {"x y": "1"}}, "is not the name of a header field"),
        ({"headers": {"Host": "1"}}, "is set by the gateway itself"),
        ({"headers": {"transfer-encoding": "1"}}, "set by the gateway itself"),
        (
            {"headers": {"x-api-key": f"{SECRET}\r\nx: 1"}},
            "characters that a header cannot have",
        ),
        ({"forward_headers": ["accept-encoding"]}, "set by the gateway itself"),
        ({"forward_headers": ["Authorization"]}, "set forward_token"),
        ({"forward_headers": ["Proxy-Authorization"]}, "cannot be forwarded"),
        ({"forward_headers": ["expect"]}, "cannot be forwarded"),
        ({"forward_headers": ["content-encoding"]}, "cannot be forwarded"),
        ({"forward_headers": ["content-type"]}, "cannot be forwarded"),
    ],
)
def test_a_header_that_cannot_be_sent_is_refused_by_the_settings(
    options: dict[str, object], message: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        Service.model_validate({"url": "http://x", **options})
    (error,) = caught.value.errors()
    assert message in error["msg"]
    assert SECRET not in error["msg"]
