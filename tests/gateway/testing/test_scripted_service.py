"""Scripts of a service and of its endpoints: responses, sequences, and recorded requests."""

import asyncio
from typing import Any

import httpx
import pytest

from gateway.testing import ReceivedRequest, ScriptedService, UnexpectedRequest, run_in_virtual_time
from gateway.testing.received_request import ReceivedRequest as Received


async def answer_default(request: httpx.Request) -> httpx.Response:
    return httpx.Response(418, json="the default")


@pytest.fixture
def service() -> ScriptedService:
    """A service whose default is 418."""
    return ScriptedService(httpx.MockTransport(answer_default), name="orders")


async def send(
    service: ScriptedService, method: str, target: str, **options: Any
) -> httpx.Response:
    async with httpx.AsyncClient(transport=service, base_url="http://orders") as http:
        return await http.request(method, target, **options)


async def statuses(service: ScriptedService, *targets: str) -> list[int]:
    return [(await send(service, "GET", target)).status_code for target in targets]


async def test_each_endpoint_has_its_own_response(service: ScriptedService) -> None:
    service.on("GET", "/orders").answers([{"id": 1}])
    service.on("POST", "/orders").answers({"id": 2}, status=201, headers={"Location": "/orders/2"})
    service.on("GET", "/orders/{id}").answers_with(b"", status=204)
    service.on("DELETE", "/orders/{id}").fails(409, headers={"Retry-After": "3"})
    assert (await send(service, "GET", "/orders")).json() == [{"id": 1}]
    created = await send(service, "POST", "/orders", json={})
    assert (created.status_code, created.json()) == (201, {"id": 2})
    assert created.headers["location"] == "/orders/2"
    assert (await send(service, "GET", "/orders/9")).status_code == 204
    refused = await send(service, "DELETE", "/orders/9")
    assert (refused.status_code, refused.headers["retry-after"]) == (409, "3")


async def test_the_script_of_the_service_serves_all_other_requests(
    service: ScriptedService,
) -> None:
    assert await statuses(service, "/orders", "/other") == [418, 418]
    service.on("GET", "/orders").answers([])
    service.fails(503)
    assert await statuses(service, "/orders", "/other") == [200, 503]
    service.behaves()
    assert await statuses(service, "/orders", "/other") == [200, 418]


async def test_an_endpoint_without_a_script_only_records(service: ScriptedService) -> None:
    posts = service.on("POST", "/orders")
    assert not posts.called
    assert (await send(service, "POST", "/orders", json={"sku": "A"})).status_code == 418
    service.fails(503)
    assert (await send(service, "POST", "/orders", json={"sku": "B"})).status_code == 503
    assert posts.called
    assert posts.sent_json == [{"sku": "A"}, {"sku": "B"}]
    assert len(service.requests) == 2


async def test_a_sequence_repeats_its_last_step(service: ScriptedService) -> None:
    flaky = service.on("GET", "/flaky")
    flaky.fails(503).then.loses_connection().then.answers([1]).then.answers([2])
    assert (await send(service, "GET", "/flaky")).status_code == 503
    with pytest.raises(httpx.ReadError):
        await send(service, "GET", "/flaky")
    bodies = [(await send(service, "GET", "/flaky")).json() for _ in range(4)]
    assert bodies == [[1], [2], [2], [2]]


async def test_a_service_can_have_a_sequence_and_a_script_method_starts_anew(
    service: ScriptedService,
) -> None:
    service.fails(500).then.behaves()
    assert await statuses(service, "/a", "/b", "/c") == [500, 418, 418]
    service.fails(501).then.fails(502)
    assert await statuses(service, "/a") == [501]
    service.fails(503)
    assert await statuses(service, "/a", "/b") == [503, 503]


async def test_the_endpoint_that_was_created_last_responds(service: ScriptedService) -> None:
    every = service.on("GET", "/orders").answers(["all"])
    paid = service.on("GET", "/orders", params={"paid": True}).answers(["paid"])
    assert (await send(service, "GET", "/orders?paid=true&page=1")).json() == ["paid"]
    assert (await send(service, "GET", "/orders?paid=false")).json() == ["all"]
    assert [len(endpoint.requests) for endpoint in (every, paid)] == [2, 1]


async def test_equal_arguments_are_the_same_endpoint(service: ScriptedService) -> None:
    service.on("GET", "/orders", params={"paid": True}).answers([])
    await send(service, "GET", "/orders?paid=true")
    assert len(service.on("GET", "/orders", params={"paid": True}).requests) == 1
    assert service.on("GET", "/orders", params={"paid": False}).requests == []


async def test_a_response_can_depend_on_the_request(service: ScriptedService) -> None:
    def build(request: ReceivedRequest) -> object:
        return {"id": 7, **request.json()}

    service.on("POST", "/orders").answers_by(build, status=201)
    created = await send(service, "POST", "/orders", json={"sku": "A"})
    assert (created.status_code, created.json()) == (201, {"id": 7, "sku": "A"})


async def test_a_request_is_recorded_as_it_was_received(service: ScriptedService) -> None:
    service.base_path = "/api/v2"
    orders = service.on("POST", "/users/{id}/orders").answers(None)
    await send(
        service, "POST", "/api/v2/users/a%2Fb/orders", params={"dry": "1"}, json=[1],
        headers={"X-Key": "k"},
    )  # fmt: skip
    (request,) = orders.requests
    assert isinstance(request, Received)
    assert str(request) == "POST /users/a%2Fb/orders?dry=1"
    assert request.method == "POST"
    assert request.url.path == "/api/v2/users/a/b/orders"
    assert request.params["dry"] == "1"
    assert request.headers["x-key"] == "k"
    assert (request.content, request.json()) == (b"[1]", [1])


async def test_an_unexpected_request_is_an_error_that_names_the_endpoints(
    service: ScriptedService,
) -> None:
    service.on("GET", "/orders", params={"user_id": 42}).answers([])
    service.on("PUT", "/spy")
    with pytest.raises(UnexpectedRequest) as raised:
        await send(service, "GET", "/orders?user_id=43")
    assert str(raised.value) == (
        "the service orders received GET /orders?user_id=43, and no script matches it.\n"
        "The scripted endpoints are:\n"
        "  GET /orders?user_id=42\n"
        'Script it with service("orders").on("GET", "/orders"), or script all other requests, '
        'for example with service("orders").fails(404).'
    )
    assert service.unexpected == [raised.value]


def test_delays_and_hanging_of_one_endpoint(service: ScriptedService) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        service.on("GET", "/slow").answers([], after=3)
        service.on("GET", "/hangs").hangs()
        await send(service, "GET", "/slow")
        assert loop.time() == pytest.approx(3)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(send(service, "GET", "/hangs"), 5)
        assert service.cancelled == 1

    run_in_virtual_time(run())


def test_an_endpoint_shows_its_pattern_and_its_requests(service: ScriptedService) -> None:
    endpoint = service.on("GET", "/orders/{id}", params={"page": None, "sku": ["A", "B"]})
    assert repr(endpoint) == (
        "<ScriptedEndpoint GET /orders/{id}?sku=A&sku=B without page: 0 requests>"
    )
