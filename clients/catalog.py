"""The catalog service: what is for sale."""

from collections.abc import Sequence

from gateway.upstream import ResponseModel, ServiceClient

SKUS_PER_CALL = 100


class Product(ResponseModel):
    """One product."""

    sku: str
    name: str
    price: float
    currency: str
    in_stock: bool
    image: str


class Catalog(ServiceClient, name="catalog"):
    """The catalog service."""

    async def products(self, skus: Sequence[str]) -> list[Product]:
        """The products of these stock-keeping units; none asked for, no call made.

        Repeated ones are asked for once, and never more than `SKUS_PER_CALL` in one call.
        """
        wanted = list(dict.fromkeys(skus))
        found: list[Product] = []
        for start in range(0, len(wanted), SKUS_PER_CALL):
            batch = wanted[start : start + SKUS_PER_CALL]
            found += await self.get("/products", params={"sku": batch}, into=list[Product])
        return found
