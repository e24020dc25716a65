"""What a customer bought, when, and how far each order has come."""

from dataclasses import dataclass

from gateway.demo.people import person
from gateway.demo.random_draws import Draw
from gateway.demo.shop import RANGE, ShopProduct
from gateway.demo.timestamps import DAY, NOW

_SHOP_OPENED = NOW.timestamp() - 7 * 365 * DAY
_CARRIERS = {"DHL": "JD", "UPS": "1Z", "GLS": "GL", "DPD": "05"}
_PAID = frozenset({"processing", "shipped", "delivered", "returned"})
_SENT = frozenset({"shipped", "delivered", "returned"})
_RECENT = 12 * DAY


@dataclass(frozen=True, slots=True)
class Line:
    """So many of one product."""

    product: ShopProduct
    quantity: int


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """One order, `age` seconds old. Whether it is paid and has a parcel follows from its status."""

    age: int
    status: str
    lines: tuple[Line, ...]
    carrier: str | None
    tracking: str | None

    @property
    def number(self) -> int:
        """Grows with time, as the numbers of a shop do; no two orders of a customer share one."""
        return int(NOW.timestamp() - _SHOP_OPENED) - self.age + 1_000_000_000

    @property
    def paid(self) -> bool:
        """Whether the money has come."""
        return self.status in _PAID

    @property
    def cents(self) -> int:
        """The sum of the lines."""
        return sum(line.product.cents * line.quantity for line in self.lines)


def orders_of(user: int, limit: int) -> list[PlacedOrder]:
    """The last orders of that user, newest first: one of these days, the rest over the years."""
    count = Draw("history", user).between(8, 60)
    gap = (person(user).member_for - _RECENT) // (count - 1)
    return [_order(user, turn, gap) for turn in range(min(limit, count))]


def _order(user: int, turn: int, gap: int) -> PlacedOrder:
    draw = Draw("order", user, turn)
    age = _RECENT + gap * (turn - 1) + draw.below(gap) if turn else draw.below(_RECENT)
    status = _status(draw, age)
    products = draw.several(RANGE, draw.pick((1, 1, 1, 2, 2, 3)))
    carrier = draw.pick(tuple(_CARRIERS)) if status in _SENT else None
    return PlacedOrder(
        age=age,
        status=status,
        lines=tuple(Line(product, _quantity(draw, product)) for product in products),
        carrier=carrier,
        tracking=f"{_CARRIERS[carrier]}{draw.below(10**12):012}" if carrier else None,
    )


def _quantity(draw: Draw, product: ShopProduct) -> int:
    """Nobody buys three espresso machines."""
    return draw.pick((1, 1, 1, 2, 3)) if product.cents < 3_000 else 1


def _status(draw: Draw, age: int) -> str:
    if draw.chance(4):
        return "cancelled"
    if age < DAY // 2:
        return "pending"
    if age < 2 * DAY:
        return "processing"
    if age < 6 * DAY:
        return "shipped"
    return "returned" if draw.chance(4) else "delivered"
