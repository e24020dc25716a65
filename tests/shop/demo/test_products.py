"""The products of the demo."""

from gateway.demo.products import PRODUCTS_BY_SKU
from tests.shop.demo.in_process import get


async def test_most_products_are_in_stock_but_not_all() -> None:
    query = "&".join(f"sku={sku}" for sku in PRODUCTS_BY_SKU)
    stock = [product["in_stock"] for product in (await get("catalog", f"/products?{query}")).json()]

    assert len(stock) / 2 < sum(stock) < len(stock)
