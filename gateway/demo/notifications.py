"""The notifications service: `GET /notifications/unread?user_id=`."""

from functools import lru_cache

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from gateway.demo.history import PlacedOrder, orders_of
from gateway.demo.random_draws import Draw
from gateway.demo.service import answer, json_bytes, service, user_id
from gateway.demo.shop import RANGE
from gateway.demo.timestamps import DAY, HOUR, ago

_OF_ORDERS = {
    "pending": ("Waiting for your payment", "PlacedOrder {number} leaves as soon as it is paid."),
    "processing": ("We are packing", "PlacedOrder {number} is being packed."),
    "shipped": ("On its way", "{carrier} has your order {number}: {tracking}."),
    "delivered": ("Delivered", "PlacedOrder {number} has arrived. How was it?"),
    "returned": ("Refund sent", "The money for order {number} is on its way back."),
    "cancelled": ("Cancelled", "PlacedOrder {number} was cancelled; nothing was charged."),
}
_OF_THE_SHOP = (
    ("offer", "Ten percent off", "{product} costs ten percent less this week."),
    ("offer", "Twice the points", "Buy {product} by Sunday and collect points twice."),
    ("stock", "Back in stock", "{product} is here again."),
    ("stock", "Nearly gone", "Few are left of what you watch: {product}."),
    ("account", "New sign-in", "Somebody signed in from a new browser. Was it you?"),
    ("account", "Your points", "Some of your points expire at the end of the month."),
)


def notifications() -> ASGIApp:
    """The service."""
    return service("/notifications/unread", _list)


async def _list(request: Request) -> Response:
    return answer(_unread(user_id(request.query_params.get("user_id"))))


@lru_cache(maxsize=4096)
def _unread(user: int) -> bytes:
    draw = Draw("notifications", user)
    age = draw.between(HOUR, DAY)
    unread = [_about_order(draw, orders_of(user, 1)[0], age)]
    for kind, title, body in draw.several(_OF_THE_SHOP, draw.below(4)):
        age += draw.between(HOUR, 4 * DAY)
        text = body.format(product=draw.pick(RANGE).name)
        unread.append(_document(draw, kind, title, text, age))
    return json_bytes(unread)


def _about_order(draw: Draw, order: PlacedOrder, age: int) -> dict[str, object]:
    title, body = _OF_ORDERS[order.status]
    text = body.format(number=order.number, carrier=order.carrier, tracking=order.tracking)
    return _document(draw, "order", title, text, min(age, order.age))


def _document(draw: Draw, kind: str, title: str, body: str, age: int) -> dict[str, object]:
    return {
        "id": draw.between(10**8, 10**9),
        "type": kind,
        "title": title,
        "body": body,
        "read": False,
        "at": ago(age),
    }
