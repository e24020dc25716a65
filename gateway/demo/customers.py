"""The customer behind a user id: the data that several services share."""

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from gateway.demo.countries import COUNTRIES, Country, draw_postcode
from gateway.demo.seeded_random import SeededRandom
from gateway.demo.timestamps import DAY, YEAR

# Letters that Unicode does not decompose into a plain letter and an accent, unlike é or ü.
_TRANSLITERATIONS = str.maketrans({"ß": "ss", "ł": "l", "Ł": "L", "ø": "o", "Ø": "O"})


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer of the shop; `account_age` is in seconds."""

    given_name: str
    family_name: str
    country: Country
    city: str
    postcode: str
    account_age: int

    @property
    def mailbox(self) -> str:
        """The local part of the e-mail address: the name in ASCII, lower-case."""
        return f"{_to_ascii(self.given_name)}.{_to_ascii(self.family_name)}".lower()


@lru_cache(maxsize=4096)
def get_customer(user_id: int) -> Customer:
    """Return the customer with this id."""
    rng = SeededRandom("person", user_id)
    country = rng.choice(COUNTRIES)
    city, pattern = rng.choice(country.cities)
    return Customer(
        given_name=rng.choice(country.given_names),
        family_name=rng.choice(country.family_names),
        country=country,
        city=city,
        postcode=draw_postcode(pattern, rng),
        account_age=rng.randint(200 * DAY, 6 * YEAR),
    )


def _to_ascii(name: str) -> str:
    decomposed = unicodedata.normalize("NFKD", name.translate(_TRANSLITERATIONS))
    return decomposed.encode("ascii", "ignore").decode()
