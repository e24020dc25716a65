"""The catalog returns the requested products, in the requested order."""

import pytest

from gateway.demo.products import PRODUCTS_BY_SKU
from tests.shop.demo.in_process import get


async def skus(query: str) -> list[str]:
    return [product["sku"] for product in (await get("catalog", f"/products?{query}")).json()]


async def test_each_product_is_returned_once_in_the_order_requested() -> None:
    assert await skus("sku=TEA-2002&sku=BEA-1001&sku=TEA-2002") == ["TEA-2002", "BEA-1001"]


async def test_an_unknown_sku_is_skipped() -> None:
    assert await skus("sku=NO-SUCH&sku=BEA-1001&sku=bea-1002") == ["BEA-1001"]
    assert await skus("sku=NO-SUCH") == []


async def test_at_most_a_hundred_skus_are_accepted() -> None:
    requested = "&".join(
        f"sku={sku}" for sku in [*PRODUCTS_BY_SKU, *("NONE",) * (100 - len(PRODUCTS_BY_SKU))]
    )

    assert await skus(requested) == list(PRODUCTS_BY_SKU)
    assert (await get("catalog", f"/products?{requested}&sku=NONE")).status_code == 422


@pytest.mark.parametrize("query", ["", "SKU=BEA-1001"])
async def test_a_request_without_skus_is_an_error(query: str) -> None:
    response = await get("catalog", f"/products?{query}")

    assert response.status_code == 422
    assert "1 to 100" in response.json()["detail"]
