"""The users have realistic names and addresses."""

import re

from gateway.demo.countries import COUNTRIES, draw_postcode
from gateway.demo.seeded_random import SeededRandom
from tests.gateway.demo.in_process import get

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


async def test_an_email_address_is_the_name_in_ascii() -> None:
    for user_id in range(1, 150):
        email = (await get("users", f"/users/{user_id}")).json()["email"]

        assert re.fullmatch(r"[a-z]+\.[a-z]+[0-9]{2}@example\.(com|net|org)", email)


async def test_every_plan_occurs_and_most_users_are_active() -> None:
    users = [(await get("users", f"/users/{user_id}")).json() for user_id in range(1, 200)]

    assert {user["plan"] for user in users} == {"free", "plus", "pro"}
    assert 150 < sum(user["is_active"] for user in users) < 199


def test_a_postcode_matches_its_pattern() -> None:
    assert re.fullmatch("SW1A [0-9][A-Z]{2}", draw_postcode("SW1A #@@", SeededRandom("any")))
