"""The contract of the demo services: the typed clients can read their responses for any user."""

import asyncio
import json
import os
import subprocess
import sys
from hashlib import blake2b

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from clients.catalog import Product
from clients.notifications import Notification
from clients.orders import Order
from clients.recommendations import Recommendation
from clients.users import User
from gateway.demo.user_id import MAX_ID
from tests.shop.demo.in_process import PATHS, get, get_dashboard

USER_IDS = st.integers(1, MAX_ID) | st.integers(1, 1_000)

TYPES: dict[str, TypeAdapter[object]] = {
    "users": TypeAdapter(User),
    "orders": TypeAdapter(list[Order]),
    "notifications": TypeAdapter(list[Notification]),
    "recommendations": TypeAdapter(list[Recommendation]),
    "catalog": TypeAdapter(list[Product]),
}

PRINT_DIGEST = """
import asyncio
from tests.shop.demo.test_services import digest
print(asyncio.run(digest()))
"""


async def digest() -> str:
    """A hash of all responses about some users."""
    bodies = [await get_dashboard(user_id) for user_id in (1, 7, 42, MAX_ID)]
    return blake2b(repr(bodies).encode(), digest_size=16).hexdigest()


def read_and_dump(service: str, body: bytes) -> object:
    """Parse the body into the client's type and dump it again; unknown fields are lost."""
    return json.loads(TYPES[service].dump_json(TYPES[service].validate_json(body)))


@pytest.mark.parametrize("service", PATHS)
async def test_a_response_matches_the_clients_type(service: str) -> None:
    response = await get(service, PATHS[service].format(7))

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert read_and_dump(service, response.content) == response.json()


async def test_a_catalog_response_matches_the_clients_type() -> None:
    response = await get("catalog", "/products?sku=TEA-2002")

    assert read_and_dump("catalog", response.content) == response.json() != []


@given(USER_IDS)
@settings(max_examples=60, deadline=None)
def test_responses_for_any_user_match_the_clients_types(user_id: int) -> None:
    for service, body in asyncio.run(get_dashboard(user_id)).items():
        assert read_and_dump(service, body) == json.loads(body)


@given(USER_IDS)
@settings(max_examples=40, deadline=None)
def test_a_dashboard_has_a_realistic_size(user_id: int) -> None:
    size = sum(map(len, asyncio.run(get_dashboard(user_id)).values()))

    assert 3_000 < size < 6_500


@given(st.lists(USER_IDS, min_size=2, max_size=2, unique=True))
@settings(max_examples=40, deadline=None)
def test_every_service_answers_differently_for_two_users(user_ids: list[int]) -> None:
    one, other = (asyncio.run(get_dashboard(user_id)) for user_id in user_ids)

    assert all(one[service] != other[service] for service in PATHS)


def test_another_process_gives_the_same_bytes() -> None:
    environment = {**os.environ, "PYTHONHASHSEED": "4711"}
    other = subprocess.run(
        [sys.executable, "-c", PRINT_DIGEST], env=environment, capture_output=True, check=True
    )

    assert other.stdout.decode().strip() == asyncio.run(digest())


async def test_the_data_never_change() -> None:
    """The documentation shows responses of the demo, so a change here makes it wrong."""
    assert await digest() == "20d1b03405c01dd025ff80950b5e31cf"
