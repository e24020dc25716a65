"""The orders a user has are a history that could have happened."""

import asyncio
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.demo.service import LARGEST_ID
from tests.gateway.demo.inside import ask

PAID = {"processing", "shipped", "delivered", "returned"}
SENT = {"shipped", "delivered", "returned"}


def orders_of(user_id: int, limit: int = 50) -> list[dict[str, Any]]:
    answer = asyncio.run(ask("orders", f"/orders?user_id={user_id}&limit={limit}"))
    orders: list[dict[str, Any]] = answer.json()
    return orders


def products(skus: list[str]) -> dict[str, tuple[str, float]]:
    answer = asyncio.run(ask("catalog", "/products?" + "&".join(f"sku={sku}" for sku in skus)))
    return {product["sku"]: (product["name"], product["price"]) for product in answer.json()}


@given(st.integers(1, LARGEST_ID))
@settings(max_examples=40, deadline=None)
def test_orders_agree_with_themselves_and_the_catalog(user_id: int) -> None:
    orders = orders_of(user_id)
    items = [item for order in orders for item in order["items"]]
    sold = products(sorted({item["sku"] for item in items}))

    assert {order["user_id"] for order in orders} == {user_id}
    assert all((item["name"], item["price"]) == sold[item["sku"]] for item in items)
    for order in orders:
        total = sum(item["price"] * item["quantity"] for item in order["items"])
        assert order["total"] == round(total, 2) > 0
        assert order["paid"] is (order["status"] in PAID)
        assert (order["tracking"] is not None) is (order["status"] in SENT)
        assert (order["carrier"] is not None) is (order["status"] in SENT)


@given(st.integers(1, LARGEST_ID))
@settings(max_examples=40, deadline=None)
def test_orders_come_newest_first_and_after_the_user(user_id: int) -> None:
    orders = orders_of(user_id)
    joined = asyncio.run(ask("users", f"/users/{user_id}")).json()["created_at"]
    times = [datetime.fromisoformat(order["created_at"]) for order in orders]
    numbers = [order["id"] for order in orders]

    assert times == sorted(set(times), reverse=True)
    assert numbers == sorted(set(numbers), reverse=True)
    assert datetime.fromisoformat(joined) < times[-1]


@given(st.integers(1, LARGEST_ID), st.integers(1, 50))
@settings(max_examples=40, deadline=None)
def test_a_limit_cuts_the_same_list_shorter(user_id: int, limit: int) -> None:
    assert orders_of(user_id, limit) == orders_of(user_id)[:limit]


def test_ten_orders_come_unless_more_are_asked_for() -> None:
    busy = next(user for user in range(1, 100) if len(orders_of(user)) == 50)
    answer = asyncio.run(ask("orders", f"/orders?user_id={busy}"))

    assert answer.json() == orders_of(busy)[:10]


@pytest.mark.parametrize("limit", ["0", "51", "-1", "", "ten", "1e1", "9999999999"])
async def test_a_limit_out_of_range_is_a_mistake(limit: str) -> None:
    answer = await ask("orders", f"/orders?user_id=7&limit={limit}")

    assert answer.status_code == 422
    assert "limit" in answer.json()["detail"]
