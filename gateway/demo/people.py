"""Who a user id stands for: the facts that more than one service tells."""

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from gateway.demo.places import COUNTRIES, Country, postcode
from gateway.demo.random_draws import Draw
from gateway.demo.timestamps import DAY, YEAR

# Letters that have no plain one inside them, unlike é or ü.
_SPELLED_OUT = str.maketrans({"ß": "ss", "ł": "l", "Ł": "L", "ø": "o", "Ø": "O"})


@dataclass(frozen=True, slots=True)
class Person:
    """A customer of the shop; `member_for` is in seconds."""

    given_name: str
    family_name: str
    country: Country
    city: str
    postcode: str
    member_for: int

    @property
    def mailbox(self) -> str:
        """The name as an e-mail address can carry it."""
        return f"{_ascii(self.given_name)}.{_ascii(self.family_name)}".lower()


@lru_cache(maxsize=4096)
def person(user_id: int) -> Person:
    """The person behind that id."""
    draw = Draw("person", user_id)
    country = draw.pick(COUNTRIES)
    city, pattern = draw.pick(country.cities)
    return Person(
        given_name=draw.pick(country.given_names),
        family_name=draw.pick(country.family_names),
        country=country,
        city=city,
        postcode=postcode(pattern, draw),
        member_for=draw.between(200 * DAY, 6 * YEAR),
    )


def _ascii(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.translate(_SPELLED_OUT))
    return plain.encode("ascii", "ignore").decode()
