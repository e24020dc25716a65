"""A client with one method per thing to try, a variant of a named one so that no list grows."""

from typing import Any

from clients.orders import Orders
from gateway.upstream.client import NoContent
from gateway.upstream.model import ResponseModel

URL = "http://shop.test/v1"


class Item(ResponseModel):
    """What the made-up service answers."""

    sku: str
    stock: dict[str, int] | None = None


class Shop(Orders):
    """A made-up service."""

    async def item(self, sku: str, **options: Any) -> Item:
        """GET with a segment."""
        return await self.get("/items/{sku}", sku=sku, into=Item, **options)

    async def search(self, **params: Any) -> list[Item]:
        """GET with parameters."""
        return await self.get("/items", params=params, into=list[Item])

    async def remove(self, sku: str) -> None:
        """DELETE, nothing comes back."""
        await self.delete("/items/{sku}", sku=sku, into=NoContent)
