"""The catalog service: `GET /products?sku=A&sku=B`."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.demo.products import CURRENCY, PRODUCTS_BY_SKU, ShopProduct
from gateway.fakes.json_service import create_json_service, encode_json, json_response

_MAX_SKUS = 100


async def _list_products(request: Request) -> Response:
    """Return each product once, in the order requested. Unknown SKUs are skipped."""
    skus = request.query_params.getlist("sku")
    if not 1 <= len(skus) <= _MAX_SKUS:
        raise HTTPException(422, f"Send 1 to {_MAX_SKUS} sku parameters, not {len(skus)}.")
    found = [PRODUCTS_BY_SKU[sku] for sku in dict.fromkeys(skus) if sku in PRODUCTS_BY_SKU]
    return json_response(encode_json([_to_json(product) for product in found]))


def _to_json(product: ShopProduct) -> dict[str, object]:
    return {
        "sku": product.sku,
        "name": product.name,
        "price": product.price,
        "currency": CURRENCY,
        "in_stock": product.in_stock,
        "image": product.image,
    }


app = create_json_service("/products", _list_products)
