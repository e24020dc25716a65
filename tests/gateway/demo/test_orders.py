"""A user's orders form a plausible history."""

import asyncio
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.demo.base_service import MAX_ID
from tests.gateway.demo.in_process import get

PAID = {"processing", "shipped", "delivered", "returned"}
SHIPPED = {"shipped", "delivered", "returned"}


def get_orders(user_id: int, limit: int = 50) -> list[dict[str, Any]]:
    response = asyncio.run(get("orders", f"/orders?user_id={user_id}&limit={limit}"))
    orders: list[dict[str, Any]] = response.json()
    return orders


def get_products(skus: list[str]) -> dict[str, tuple[str, float]]:
    response = asyncio.run(get("catalog", "/products?" + "&".join(f"sku={sku}" for sku in skus)))
    return {product["sku"]: (product["name"], product["price"]) for product in response.json()}


@given(st.integers(1, MAX_ID))
@settings(max_examples=40, deadline=None)
def test_orders_are_consistent_and_match_the_catalog(user_id: int) -> None:
    orders = get_orders(user_id)
    items = [item for order in orders for item in order["items"]]
    products = get_products(sorted({item["sku"] for item in items}))

    assert {order["user_id"] for order in orders} == {user_id}
    assert all((item["name"], item["price"]) == products[item["sku"]] for item in items)
    for order in orders:
        total = sum(item["price"] * item["quantity"] for item in order["items"])
        assert order["total"] == round(total, 2) > 0
        assert order["paid"] is (order["status"] in PAID)
        assert (order["tracking"] is not None) is (order["status"] in SHIPPED)
        assert (order["carrier"] is not None) is (order["status"] in SHIPPED)


@given(st.integers(1, MAX_ID))
@settings(max_examples=40, deadline=None)
def test_orders_are_newest_first_and_younger_than_the_account(user_id: int) -> None:
    orders = get_orders(user_id)
    joined = asyncio.run(get("users", f"/users/{user_id}")).json()["created_at"]
    times = [datetime.fromisoformat(order["created_at"]) for order in orders]
    numbers = [order["id"] for order in orders]

    assert times == sorted(set(times), reverse=True)
    assert numbers == sorted(set(numbers), reverse=True)
    assert datetime.fromisoformat(joined) < times[-1]


@given(st.integers(1, MAX_ID), st.integers(1, 50))
@settings(max_examples=40, deadline=None)
def test_a_limit_truncates_the_same_list(user_id: int, limit: int) -> None:
    assert get_orders(user_id, limit) == get_orders(user_id)[:limit]


def test_the_default_limit_is_ten() -> None:
    busy = next(user for user in range(1, 100) if len(get_orders(user)) == 50)
    response = asyncio.run(get("orders", f"/orders?user_id={busy}"))

    assert response.json() == get_orders(busy)[:10]


@pytest.mark.parametrize("limit", ["0", "51", "-1", "", "ten", "1e1", "9999999999"])
async def test_a_limit_out_of_range_is_an_error(limit: str) -> None:
    response = await get("orders", f"/orders?user_id=7&limit={limit}")

    assert response.status_code == 422
    assert "limit" in response.json()["detail"]
