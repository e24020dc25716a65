"""The catalog service: `GET /products?sku=A&sku=B`."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from gateway.demo.service import answer, json_bytes, service
from gateway.demo.shop import CURRENCY, PRODUCTS, ShopProduct

_MOST = 100


def catalog() -> ASGIApp:
    """The service."""
    return service("/products", _list)


async def _list(request: Request) -> Response:
    """Each product once, in the order asked; what the shop does not have is left out."""
    asked = request.query_params.getlist("sku")
    if not 1 <= len(asked) <= _MOST:
        raise HTTPException(422, f"Ask for 1 to {_MOST} skus.")
    found = [PRODUCTS[sku] for sku in dict.fromkeys(asked) if sku in PRODUCTS]
    return answer(json_bytes([_document(product) for product in found]))


def _document(product: ShopProduct) -> dict[str, object]:
    return {
        "sku": product.sku,
        "name": product.name,
        "price": product.price,
        "currency": CURRENCY,
        "in_stock": product.in_stock,
        "image": product.image,
    }
