"""Every method of every client: the request it sends, and how it parses the response."""

from collections.abc import Awaitable, Callable
from dataclasses import FrozenInstanceError, asdict
from typing import Any

import httpx
import pytest
import respx
from pydantic_core import from_json, to_json

from clients.catalog import SKUS_PER_CALL, Catalog
from clients.notifications import Notifications
from clients.orders import Orders
from clients.recommendations import Recommendations
from clients.users import User, Users
from gateway.upstream.client import ServiceClient
from gateway.upstream.decoding import decode
from gateway.upstream.errors import UpstreamInvalid
from tests.gateway.upstream.responses import json_response
from tests.shop.clients.responses import NOTIFICATION, ORDER, PRODUCT, RECOMMENDATION, USER

URL = "http://service.test"

CALLS: list[tuple[type[ServiceClient], Callable[[Any], Awaitable[object]], str, object]] = [
    (Users, lambda users: users.get(7), "/users/7", USER),
    (Orders, lambda orders: orders.recent(7), "/orders?user_id=7&limit=10", [ORDER]),
    (Orders, lambda orders: orders.recent(7, limit=3), "/orders?user_id=7&limit=3", [ORDER]),
    (
        Notifications,
        lambda notifications: notifications.unread(7),
        "/notifications/unread?user_id=7",
        [NOTIFICATION],
    ),
    (
        Recommendations,
        lambda recommendations: recommendations.for_user(7),
        "/recommendations/7",
        [RECOMMENDATION],
    ),
    (
        Catalog,
        lambda catalog: catalog.products(["A-1", "B 2", "A-1"]),
        "/products?sku=A-1&sku=B+2",
        [PRODUCT],
    ),
]


@pytest.mark.parametrize(("client_type", "call", "target", "body"), CALLS)
async def test_a_method_sends_its_request_and_keeps_every_value(
    client_type: type[ServiceClient],
    call: Callable[[Any], Awaitable[object]],
    target: str,
    body: object,
) -> None:
    with respx.mock(using="transport", assert_all_called=True) as mock:
        route = mock.get(URL + target).respond(json=body)
        async with client_type(URL) as client:
            value = await call(client)
        assert route.calls.last.request.url.raw_path.decode() == target
    assert from_json(to_json(value)) == body


async def test_unknown_fields_are_dropped_at_every_level() -> None:
    body = {**USER, "password_hash": "x", "address": {**USER["address"], "door": "9"}}  # type: ignore[dict-item]
    with respx.mock(using="transport") as mock:
        mock.get(f"{URL}/users/7").respond(json=body)
        async with Users(URL) as users:
            user = await users.get(7)
    assert asdict(user) == USER


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("id", "7", ".id int_type"),
        ("loyalty_points", 1.5, "loyalty_points int_"),
        ("is_active", "yes", "is_active bool_type"),
        ("created_at", "yesterday", "created_at string_pattern_mismatch"),
        ("created_at", "2024-02-29T08:15:00", "created_at string_pattern_mismatch"),
        ("created_at", "٢٠٢٤-02-29T08:15:00Z", "created_at string_pattern_mismatch"),
        ("email", None, "email string_type"),
        ("address", {"city": "London"}, "address.country missing"),
    ],
)
async def test_a_value_of_the_wrong_type_is_not_converted(
    field: str, value: object, error: str
) -> None:
    with respx.mock(using="transport") as mock:
        mock.get(f"{URL}/users/7").respond(json={**USER, field: value})
        async with Users(URL) as users:
            with pytest.raises(UpstreamInvalid, match=error.lstrip(".")):
                await users.get(7)


@pytest.mark.parametrize("score", [-0.1, 1.1])
async def test_a_score_is_between_zero_and_one(score: float) -> None:
    with respx.mock(using="transport") as mock:
        mock.get(f"{URL}/recommendations/7").respond(json=[{**RECOMMENDATION, "score": score}])
        async with Recommendations(URL) as recommendations:
            with pytest.raises(UpstreamInvalid):
                await recommendations.for_user(7)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
async def test_a_price_must_be_a_json_number(number: str) -> None:
    body = to_json([{**PRODUCT, "price": 20.25}]).replace(b"20.25", number.encode())
    with respx.mock(using="transport") as mock:
        mock.get(f"{URL}/products").respond(
            content=body, headers={"content-type": "application/json"}
        )
        async with Catalog(URL) as catalog:
            with pytest.raises(UpstreamInvalid):
                await catalog.products(["A-1"])


async def test_without_skus_no_call_is_made() -> None:
    with respx.mock(using="transport") as mock:
        async with Catalog(URL) as catalog:
            assert await catalog.products([]) == []
        assert len(mock.calls) == 0


async def test_many_skus_are_split_into_several_calls() -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        requested = request.url.params.get_list("sku")
        assert len(requested) <= SKUS_PER_CALL
        return httpx.Response(200, json=[{**PRODUCT, "sku": sku} for sku in requested])

    skus = [f"S-{number}" for number in range(2 * SKUS_PER_CALL + 1)]
    with respx.mock(using="transport") as mock:
        mock.get(f"{URL}/products").mock(side_effect=respond)
        async with Catalog(URL) as catalog:
            products = await catalog.products(skus)
        assert len(mock.calls) == 3
    assert [product.sku for product in products] == skus


def test_responses_are_frozen() -> None:
    user = decode(User, json_response(to_json(USER)))
    with pytest.raises(FrozenInstanceError):
        user.email = "eve@example.com"  # type: ignore[misc]
