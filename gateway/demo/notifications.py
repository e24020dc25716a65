"""The notifications service: `GET /notifications/unread?user_id=`."""

from functools import lru_cache

from starlette.requests import Request
from starlette.responses import Response

from gateway.demo.order_history import PlacedOrder, list_orders
from gateway.demo.products import PRODUCTS
from gateway.demo.seeded_random import SeededRandom
from gateway.demo.timestamps import DAY, HOUR, format_timestamp
from gateway.demo.user_id import parse_user_id
from gateway.fakes.json_service import create_json_service, encode_json, json_response

_ORDER_MESSAGES = {
    "pending": ("Waiting for your payment", "Order {number} leaves as soon as it is paid."),
    "processing": ("We are packing", "Order {number} is being packed."),
    "shipped": ("On its way", "{carrier} has your order {number}: {tracking}."),
    "delivered": ("Delivered", "Order {number} has arrived. How was it?"),
    "returned": ("Refund sent", "The money for order {number} is on its way back."),
    "cancelled": ("Cancelled", "Order {number} was cancelled; nothing was charged."),
}
_SHOP_MESSAGES = (
    ("offer", "Ten percent off", "{product} costs ten percent less this week."),
    ("offer", "Twice the points", "Buy {product} by Sunday and collect points twice."),
    ("stock", "Back in stock", "{product} is here again."),
    ("stock", "Nearly gone", "Few are left of what you watch: {product}."),
    ("account", "New sign-in", "Somebody signed in from a new browser. Was it you?"),
    ("account", "Your points", "Some of your points expire at the end of the month."),
)


async def _list_unread(request: Request) -> Response:
    return json_response(_encode_unread(parse_user_id(request.query_params.get("user_id"))))


@lru_cache(maxsize=4096)
def _encode_unread(user_id: int) -> bytes:
    """Encode one notification about the newest order, then up to three from the shop."""
    rng = SeededRandom("notifications", user_id)
    age = rng.randint(HOUR, DAY)
    unread = [_notify_of_order(rng, list_orders(user_id, 1)[0], age)]
    for kind, title, template in rng.sample(_SHOP_MESSAGES, rng.randbelow(4)):
        age += rng.randint(HOUR, 4 * DAY)
        body = template.format(product=rng.choice(PRODUCTS).name)
        unread.append(_to_json(rng, kind, title, body, age))
    return encode_json(unread)


def _notify_of_order(rng: SeededRandom, order: PlacedOrder, age: int) -> dict[str, object]:
    title, template = _ORDER_MESSAGES[order.status]
    body = template.format(number=order.number, carrier=order.carrier, tracking=order.tracking)
    return _to_json(rng, "order", title, body, min(age, order.age))


def _to_json(rng: SeededRandom, kind: str, title: str, body: str, age: int) -> dict[str, object]:
    return {
        "id": rng.randint(10**8, 10**9),
        "type": kind,
        "title": title,
        "body": body,
        "read": False,
        "at": format_timestamp(age),
    }


app = create_json_service("/notifications/unread", _list_unread)
