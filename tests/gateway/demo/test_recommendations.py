"""Recommendations are products of the shop, best first."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.demo.service import LARGEST_ID
from tests.gateway.demo.inside import ask


@given(st.integers(1, LARGEST_ID))
@settings(max_examples=40, deadline=None)
def test_recommendations_are_distinct_best_first_and_for_sale(user_id: int) -> None:
    best = asyncio.run(ask("recommendations", f"/recommendations/{user_id}")).json()
    skus = [product["sku"] for product in best]
    query = "&".join(f"sku={sku}" for sku in skus)
    sold = asyncio.run(ask("catalog", f"/products?{query}")).json()
    scores = [product["score"] for product in best]

    assert len(set(skus)) == len(skus) >= 4
    assert scores == sorted(set(scores), reverse=True)
    assert 0 < scores[-1] < scores[0] <= 1
    for key in ("sku", "name", "price", "image"):
        assert [product[key] for product in best] == [product[key] for product in sold]
