"""Recommendations are products of the catalog, best score first."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.demo.user_id import MAX_ID
from tests.shop.demo.in_process import get


@given(st.integers(1, MAX_ID))
@settings(max_examples=40, deadline=None)
def test_recommendations_are_distinct_best_first_and_in_the_catalog(user_id: int) -> None:
    recommended = asyncio.run(get("recommendations", f"/recommendations/{user_id}")).json()
    skus = [product["sku"] for product in recommended]
    query = "&".join(f"sku={sku}" for sku in skus)
    products = asyncio.run(get("catalog", f"/products?{query}")).json()
    scores = [product["score"] for product in recommended]

    assert len(set(skus)) == len(skus) >= 4
    assert scores == sorted(set(scores), reverse=True)
    assert 0 < scores[-1] < scores[0] <= 1
    for key in ("sku", "name", "price", "image"):
        assert [product[key] for product in recommended] == [product[key] for product in products]
