"""Addresses match their country."""

import re

from gateway.demo.countries import COUNTRIES, draw_postcode
from gateway.demo.seeded_random import SeededRandom
from tests.shop.demo.in_process import get

PATTERNS = {
    (country.code, city): pattern for country in COUNTRIES for city, pattern in country.cities
}


def as_regex(pattern: str) -> str:
    return pattern.replace("#", "[0-9]").replace("@", "[A-Z]")


async def test_an_address_matches_the_country_and_the_locale() -> None:
    locales = {country.code: country.locale for country in COUNTRIES}
    for user_id in range(1, 150):
        user = (await get("users", f"/users/{user_id}")).json()
        address = user["address"]

        assert user["id"] == user_id
        assert user["locale"] == locales[address["country"]]
        pattern = PATTERNS[address["country"], address["city"]]
        assert re.fullmatch(as_regex(pattern), address["postcode"])


def test_a_postcode_matches_its_pattern() -> None:
    assert re.fullmatch("SW1A [0-9][A-Z]{2}", draw_postcode("SW1A #@@", SeededRandom("any")))
