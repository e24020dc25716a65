"""The orders service: `GET /orders?user_id=&limit=`."""

import re
from functools import lru_cache

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.demo.order_history import OrderLine, PlacedOrder, list_orders
from gateway.demo.products import CURRENCY
from gateway.demo.timestamps import format_timestamp
from gateway.demo.user_id import parse_user_id
from gateway.fakes.json_service import create_json_service, encode_json, json_response

_MAX_LIMIT = 50
_LIMIT = re.compile(r"[0-9]{1,3}")


async def _list_orders(request: Request) -> Response:
    user_id = parse_user_id(request.query_params.get("user_id"))
    limit = _parse_limit(request.query_params.get("limit", "10"))
    return json_response(_encode_orders(user_id, limit))


def _parse_limit(text: str) -> int:
    if not _LIMIT.fullmatch(text) or not 1 <= int(text) <= _MAX_LIMIT:
        raise HTTPException(422, f"limit must be an integer from 1 to {_MAX_LIMIT}.")
    return int(text)


@lru_cache(maxsize=4096)
def _encode_orders(user_id: int, limit: int) -> bytes:
    return encode_json([_order_to_json(user_id, order) for order in list_orders(user_id, limit)])


def _order_to_json(user_id: int, order: PlacedOrder) -> dict[str, object]:
    return {
        "id": order.number,
        "user_id": user_id,
        "status": order.status,
        "total": order.cents / 100,
        "currency": CURRENCY,
        "items": [_line_to_json(line) for line in order.lines],
        "created_at": format_timestamp(order.age),
        "tracking": order.tracking,
        "carrier": order.carrier,
        "paid": order.is_paid,
    }


def _line_to_json(line: OrderLine) -> dict[str, object]:
    product = line.product
    return {
        "sku": product.sku,
        "name": product.name,
        "quantity": line.quantity,
        "price": product.price,
    }


app = create_json_service("/orders", _list_orders)
