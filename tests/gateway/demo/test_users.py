"""The users are people from somewhere."""

import re

from gateway.demo.places import COUNTRIES, postcode
from gateway.demo.random_draws import Draw
from tests.gateway.demo.inside import ask

PATTERNS = {
    (country.code, city): pattern for country in COUNTRIES for city, pattern in country.cities
}


def as_regex(pattern: str) -> str:
    return pattern.replace("#", "[0-9]").replace("@", "[A-Z]")


async def test_an_address_fits_the_country_and_the_locale() -> None:
    locales = {country.code: country.locale for country in COUNTRIES}
    for user_id in range(1, 150):
        user = (await ask("users", f"/users/{user_id}")).json()
        address = user["address"]

        assert user["id"] == user_id
        assert user["locale"] == locales[address["country"]]
        pattern = PATTERNS[address["country"], address["city"]]
        assert re.fullmatch(as_regex(pattern), address["postcode"])


async def test_an_email_address_is_the_name_in_plain_letters() -> None:
    for user_id in range(1, 150):
        email = (await ask("users", f"/users/{user_id}")).json()["email"]

        assert re.fullmatch(r"[a-z]+\.[a-z]+[0-9]{2}@example\.(com|net|org)", email)


async def test_every_plan_occurs_and_most_users_are_active() -> None:
    users = [(await ask("users", f"/users/{user_id}")).json() for user_id in range(1, 200)]

    assert {user["plan"] for user in users} == {"free", "plus", "pro"}
    assert 150 < sum(user["is_active"] for user in users) < 199


def test_a_postcode_keeps_what_its_pattern_says() -> None:
    assert re.fullmatch("SW1A [0-9][A-Z]{2}", postcode("SW1A #@@", Draw("any")))
