"""The recommendations service: `GET /recommendations/{user_id}`."""

from functools import lru_cache

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from gateway.demo.history import orders_of
from gateway.demo.people import person
from gateway.demo.random_draws import Draw
from gateway.demo.service import answer, json_bytes, service, user_id
from gateway.demo.shop import RANGE, ShopProduct


def recommendations() -> ASGIApp:
    """The service."""
    return service("/recommendations/{user_id}", _list)


async def _list(request: Request) -> Response:
    return answer(_best(user_id(request.path_params["user_id"])))


@lru_cache(maxsize=4096)
def _best(user: int) -> bytes:
    draw = Draw("recommendations", user)
    bought = [line.product for line in orders_of(user, 1)[0].lines]
    others = [product for product in RANGE if product not in bought]
    reasons = (
        f"Because you bought {draw.pick(bought).name}",
        f"Popular in {person(user).city}",
        "Others looked at this too",
    )
    score, best = 1_000, []
    for product in draw.several(others, draw.between(4, 6)):
        score -= draw.between(20, 120)
        best.append(_document(product, score / 1_000, draw.pick(reasons)))
    return json_bytes(best)


def _document(product: ShopProduct, score: float, reason: str) -> dict[str, object]:
    return {
        "sku": product.sku,
        "name": product.name,
        "price": product.price,
        "score": score,
        "image": product.image,
        "reason": reason,
    }
