"""A client with one method for each kind of call, a variant of an existing service."""

from typing import Any

from gateway.upstream.client import NoContent
from gateway.upstream.model import ResponseModel
from tests.sample.clients.orders import Orders

URL = "http://shop.test/v1"


class Item(ResponseModel):
    """The response of the made-up service."""

    sku: str
    stock: dict[str, int] | None = None


class ExampleClient(Orders):
    """The client of a made-up service."""

    async def item(self, sku: str, **options: Any) -> Item:
        """GET with a segment."""
        return await self.get("/items/{sku}", sku=sku, into=Item, **options)

    async def search(self, **params: Any) -> list[Item]:
        """GET with parameters."""
        return await self.get("/items", params=params, into=list[Item])

    async def remove(self, sku: str) -> None:
        """DELETE; the response has no body."""
        await self.delete("/items/{sku}", sku=sku, into=NoContent)
