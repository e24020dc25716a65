"""The recommendations service: `GET /recommendations/{user_id}`."""

from functools import lru_cache

from starlette.requests import Request
from starlette.responses import Response

from gateway.demo.customers import get_customer
from gateway.demo.order_history import list_orders
from gateway.demo.products import PRODUCTS, ShopProduct
from gateway.demo.seeded_random import SeededRandom
from gateway.demo.user_id import parse_user_id
from gateway.fakes.json_service import create_json_service, encode_json, json_response


async def _list_recommendations(request: Request) -> Response:
    return json_response(_encode_recommendations(parse_user_id(request.path_params["user_id"])))


@lru_cache(maxsize=4096)
def _encode_recommendations(user_id: int) -> bytes:
    """Encode four to six products that are not in the newest order, best score first."""
    rng = SeededRandom("recommendations", user_id)
    bought = [line.product for line in list_orders(user_id, 1)[0].lines]
    others = [product for product in PRODUCTS if product not in bought]
    reasons = (
        f"Because you bought {rng.choice(bought).name}",
        f"Popular in {get_customer(user_id).city}",
        "Others looked at this too",
    )
    score, recommendations = 1_000, []
    for product in rng.sample(others, rng.randint(4, 6)):
        score -= rng.randint(20, 120)
        recommendations.append(_to_json(product, score / 1_000, rng.choice(reasons)))
    return encode_json(recommendations)


def _to_json(product: ShopProduct, score: float, reason: str) -> dict[str, object]:
    return {
        "sku": product.sku,
        "name": product.name,
        "price": product.price,
        "score": score,
        "image": product.image,
        "reason": reason,
    }


app = create_json_service("/recommendations/{user_id}", _list_recommendations)
