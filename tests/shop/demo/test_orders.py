"""The number of orders in a response."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.demo.user_id import MAX_ID
from tests.shop.demo.in_process import get, get_orders


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
