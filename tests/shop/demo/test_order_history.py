"""A user's orders form a plausible history."""

import asyncio
from datetime import datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.demo.user_id import MAX_ID
from tests.shop.demo.in_process import get, get_orders

PAID = {"processing", "shipped", "delivered", "returned"}
SHIPPED = {"shipped", "delivered", "returned"}


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
