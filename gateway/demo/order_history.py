"""The order history of a customer: products, dates, and the status of each order."""

from dataclasses import dataclass

from gateway.demo.customers import get_customer
from gateway.demo.products import PRODUCTS, ShopProduct
from gateway.demo.seeded_random import SeededRandom
from gateway.demo.timestamps import DAY, NOW

_SHOP_OPENED = NOW.timestamp() - 7 * 365 * DAY
_TRACKING_PREFIXES = {"DHL": "JD", "UPS": "1Z", "GLS": "GL", "DPD": "05"}
_PAID = frozenset({"processing", "shipped", "delivered", "returned"})
_SHIPPED = frozenset({"shipped", "delivered", "returned"})
_NEWEST_ORDER_MAX_AGE = 12 * DAY


@dataclass(frozen=True, slots=True)
class OrderLine:
    """A product and its quantity."""

    product: ShopProduct
    quantity: int


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """One order, `age` seconds old."""

    age: int
    status: str
    lines: tuple[OrderLine, ...]
    carrier: str | None
    tracking: str | None

    @property
    def number(self) -> int:
        """The order number. It grows with time and is unique for a customer."""
        return int(NOW.timestamp() - _SHOP_OPENED) - self.age + 1_000_000_000

    @property
    def is_paid(self) -> bool:
        """Whether the customer has paid."""
        return self.status in _PAID

    @property
    def cents(self) -> int:
        """The total, in cents."""
        return sum(line.product.cents * line.quantity for line in self.lines)


def list_orders(user_id: int, limit: int) -> list[PlacedOrder]:
    """List the customer's last orders, newest first.

    The newest is at most 12 days old; the others are spread over the age of the account.
    """
    count = SeededRandom("history", user_id).randint(8, 60)
    interval = (get_customer(user_id).account_age - _NEWEST_ORDER_MAX_AGE) // (count - 1)
    return [_create_order(user_id, index, interval) for index in range(min(limit, count))]


def _create_order(user_id: int, index: int, interval: int) -> PlacedOrder:
    """Create the order with this index; 0 is the newest. `interval` is in seconds."""
    rng = SeededRandom("order", user_id, index)
    if index:
        age = _NEWEST_ORDER_MAX_AGE + interval * (index - 1) + rng.randbelow(interval)
    else:
        age = rng.randbelow(_NEWEST_ORDER_MAX_AGE)
    status = _choose_status(rng, age)
    products = rng.sample(PRODUCTS, rng.choice((1, 1, 1, 2, 2, 3)))
    carrier = rng.choice(tuple(_TRACKING_PREFIXES)) if status in _SHIPPED else None
    return PlacedOrder(
        age=age,
        status=status,
        lines=tuple(OrderLine(product, _choose_quantity(rng, product)) for product in products),
        carrier=carrier,
        tracking=f"{_TRACKING_PREFIXES[carrier]}{rng.randbelow(10**12):012}" if carrier else None,
    )


def _choose_quantity(rng: SeededRandom, product: ShopProduct) -> int:
    """Choose up to three of a cheap product, and one of an expensive one."""
    return rng.choice((1, 1, 1, 2, 3)) if product.cents < 3_000 else 1


def _choose_status(rng: SeededRandom, age: int) -> str:
    if rng.chance(4):
        return "cancelled"
    if age < DAY // 2:
        return "pending"
    if age < 2 * DAY:
        return "processing"
    if age < 6 * DAY:
        return "shipped"
    return "returned" if rng.chance(4) else "delivered"
