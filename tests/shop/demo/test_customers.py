"""Customers have an email address made of their name."""

import re

from tests.shop.demo.in_process import get


async def test_an_email_address_is_the_name_in_ascii() -> None:
    for user_id in range(1, 150):
        email = (await get("users", f"/users/{user_id}")).json()["email"]

        assert re.fullmatch(r"[a-z]+\.[a-z]+[0-9]{2}@example\.(com|net|org)", email)
