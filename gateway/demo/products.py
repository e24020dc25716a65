"""The products of the demo shop: coffee, tea and equipment, priced in euro."""

from dataclasses import dataclass

from gateway.demo.seeded_random import SeededRandom

CURRENCY = "EUR"


@dataclass(frozen=True, slots=True)
class ShopProduct:
    """A product. Its price is kept in cents, so that sums are exact."""

    sku: str
    name: str
    cents: int

    @property
    def price(self) -> float:
        """The price in euro, as the services return it."""
        return self.cents / 100

    @property
    def image(self) -> str:
        """The URL of its image (nothing is served there)."""
        return f"https://img.demo.invalid/{self.sku.lower()}.webp"

    @property
    def in_stock(self) -> bool:
        """Whether it is in stock: 90 % of the products are."""
        return SeededRandom("stock", self.sku).chance(90)


_PRODUCT_LINES = """
BEA-1001  1290  Ethiopia Yirgacheffe, 250 g
BEA-1002  1150  Colombia Huila, 250 g
BEA-1003  1390  Kenya Nyeri AA, 250 g
BEA-1004   990  House espresso, 250 g
BEA-1005  3490  House espresso, 1 kg
BEA-1006  1190  Guatemala Antigua, 250 g
BEA-1007  1250  Decaf Mexico Chiapas, 250 g
BEA-1008  1850  Panama Boquete, 200 g
TEA-2001   890  Darjeeling first flush, 100 g
TEA-2002  1090  Sencha Uji, 100 g
TEA-2003   750  Assam breakfast, 125 g
TEA-2004  2400  Ceremonial matcha, 40 g
TEA-2005   690  Peppermint leaves, 80 g
TEA-2006  1350  Milky oolong, 100 g
TEA-2007   820  Rooibos vanilla, 125 g
BRW-3001  2990  Pour-over dripper, size 02
BRW-3002  3850  French press, 1 l
BRW-3003  3490  Moka pot, 6 cups
BRW-3004  4200  Glass coffee maker, 6 cups
BRW-3005  3995  Travel press, 250 ml
BRW-3006  8900  Gooseneck kettle, 0.9 l
BRW-3007 12900  Electric kettle with thermostat
BRW-3008 24900  Filter machine with timer
BRW-3009 54900  Espresso machine, single boiler
GRI-4001  5900  Hand grinder, steel burrs
GRI-4002 13900  Hand grinder, travel
GRI-4003 19900  Electric burr grinder
GRI-4004 34900  Espresso grinder, 64 mm
CUP-5001  1450  Espresso cup with saucer
CUP-5002  1850  Cappuccino cup, stoneware
CUP-5003  2200  Tumbler, double wall, 350 ml
CUP-5004  3400  Cast-iron teapot, 0.8 l
CUP-5005  1600  Latte glass, pair
CUP-5006  2650  Thermos mug, 400 ml
CUP-5007  1250  Matcha bowl
ACC-6001   650  Paper filters 02, 100 pieces
ACC-6002  2450  Milk jug, 600 ml
ACC-6003  4900  Scale with timer
ACC-6004  2900  Tamper, 58 mm
ACC-6005  1590  Bamboo whisk
ACC-6006  1190  Descaler, 500 ml
ACC-6007   890  Cleaning brush
ACC-6008  1990  Storage tin, 500 g
ACC-6009  3250  Knock box
ACC-6010   990  Tea strainer, fine
ACC-6011  1450  Water filter cartridge
"""


def _parse_product(line: str) -> ShopProduct:
    sku, cents, name = line.split(maxsplit=2)
    return ShopProduct(sku, name, int(cents))


PRODUCTS = tuple(map(_parse_product, _PRODUCT_LINES.strip().splitlines()))
PRODUCTS_BY_SKU = {product.sku: product for product in PRODUCTS}
