"""The orders service: `GET /orders?user_id=&limit=`."""

import re
from functools import lru_cache

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from gateway.demo.history import Line, PlacedOrder, orders_of
from gateway.demo.service import answer, json_bytes, service, user_id
from gateway.demo.shop import CURRENCY
from gateway.demo.timestamps import ago

_MOST = 50
_LIMIT = re.compile(r"[0-9]{1,3}")


def orders() -> ASGIApp:
    """The service."""
    return service("/orders", _list)


async def _list(request: Request) -> Response:
    user = user_id(request.query_params.get("user_id"))
    return answer(_newest(user, _limit(request.query_params.get("limit", "10"))))


def _limit(text: str) -> int:
    if not _LIMIT.fullmatch(text) or not 1 <= int(text) <= _MOST:
        raise HTTPException(422, f"limit is a number from 1 to {_MOST}.")
    return int(text)


@lru_cache(maxsize=4096)
def _newest(user: int, limit: int) -> bytes:
    return json_bytes([_document(user, order) for order in orders_of(user, limit)])


def _document(user: int, order: PlacedOrder) -> dict[str, object]:
    return {
        "id": order.number,
        "user_id": user,
        "status": order.status,
        "total": order.cents / 100,
        "currency": CURRENCY,
        "items": [_item(line) for line in order.lines],
        "created_at": ago(order.age),
        "tracking": order.tracking,
        "carrier": order.carrier,
        "paid": order.paid,
    }


def _item(line: Line) -> dict[str, object]:
    product = line.product
    return {
        "sku": product.sku,
        "name": product.name,
        "quantity": line.quantity,
        "price": product.price,
    }
