"""The catalog gives what was asked for, in the order asked."""

import pytest

from gateway.demo.shop import PRODUCTS
from tests.gateway.demo.inside import ask


async def skus(query: str) -> list[str]:
    return [product["sku"] for product in (await ask("catalog", f"/products?{query}")).json()]


async def test_products_come_once_each_in_the_order_asked() -> None:
    assert await skus("sku=TEA-2002&sku=BEA-1001&sku=TEA-2002") == ["TEA-2002", "BEA-1001"]


async def test_an_unknown_sku_is_left_out() -> None:
    assert await skus("sku=NO-SUCH&sku=BEA-1001&sku=bea-1002") == ["BEA-1001"]
    assert await skus("sku=NO-SUCH") == []


async def test_a_hundred_skus_are_as_many_as_can_be_asked_for() -> None:
    asked = "&".join(f"sku={sku}" for sku in [*PRODUCTS, *("NONE",) * (100 - len(PRODUCTS))])

    assert await skus(asked) == list(PRODUCTS)
    assert (await ask("catalog", f"/products?{asked}&sku=NONE")).status_code == 422


@pytest.mark.parametrize("query", ["", "SKU=BEA-1001"])
async def test_no_sku_at_all_is_a_mistake(query: str) -> None:
    answer = await ask("catalog", f"/products?{query}")

    assert answer.status_code == 422
    assert "1 to 100" in answer.json()["detail"]


async def test_most_products_are_in_stock_but_not_all() -> None:
    query = "&".join(f"sku={sku}" for sku in PRODUCTS)
    stock = [product["in_stock"] for product in (await ask("catalog", f"/products?{query}")).json()]

    assert len(stock) / 2 < sum(stock) < len(stock)
