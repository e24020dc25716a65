"""Client of the catalog service: products with prices and stock."""

from collections.abc import Sequence

from gateway.upstream import ResponseModel, ServiceClient

SKUS_PER_CALL = 100


class Product(ResponseModel):
    """A product for sale."""

    sku: str
    name: str
    price: float
    currency: str
    in_stock: bool
    image: str


class Catalog(ServiceClient, name="catalog"):
    """Client of the catalog service."""

    async def products(self, skus: Sequence[str]) -> list[Product]:
        """Return the products with these SKUs (stock-keeping units).

        Duplicates are removed, and each call has at most `SKUS_PER_CALL` SKUs. Without SKUs no
        call is made.
        """
        unique = list(dict.fromkeys(skus))
        products: list[Product] = []
        for start in range(0, len(unique), SKUS_PER_CALL):
            batch = unique[start : start + SKUS_PER_CALL]
            products += await self.get("/products", params={"sku": batch}, into=list[Product])
        return products
