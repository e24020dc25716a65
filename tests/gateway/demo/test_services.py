"""The wire contract: what the services answer is what the typed clients read, for any user id."""

import asyncio
import json
import os
import subprocess
import sys
from hashlib import blake2b

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from clients.catalog import Product
from clients.notifications import Notification
from clients.orders import Order
from clients.recommendations import Recommendation
from clients.users import User
from gateway.demo.service import LARGEST_ID
from tests.gateway.demo.inside import PATHS, ask, dashboard

USER_IDS = st.integers(1, LARGEST_ID) | st.integers(1, 1_000)
TYPES: dict[str, TypeAdapter[object]] = {
    "users": TypeAdapter(User),
    "orders": TypeAdapter(list[Order]),
    "notifications": TypeAdapter(list[Notification]),
    "recommendations": TypeAdapter(list[Recommendation]),
    "catalog": TypeAdapter(list[Product]),
}

PRINT_DIGEST = """
import asyncio
from tests.gateway.demo.test_services import digest
print(asyncio.run(digest()))
"""


async def digest() -> str:
    """One number for everything the services say about some users."""
    said = [await dashboard(user_id) for user_id in (1, 7, 42, LARGEST_ID)]
    return blake2b(repr(said).encode(), digest_size=16).hexdigest()


def as_sent(service: str, body: bytes) -> object:
    """The body read into the clients' types and out again: what of it they know."""
    return json.loads(TYPES[service].dump_json(TYPES[service].validate_json(body)))


@pytest.mark.parametrize("service", PATHS)
async def test_a_service_answers_in_the_clients_types(
    service: str, demo: dict[str, str], http: httpx.AsyncClient
) -> None:
    answer = await http.get(demo[service] + PATHS[service].format(7))

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert as_sent(service, answer.content) == answer.json()


async def test_the_catalog_answers_in_the_clients_types(
    demo: dict[str, str], http: httpx.AsyncClient
) -> None:
    answer = await http.get(f"{demo['catalog']}/products", params={"sku": "TEA-2002"})

    assert as_sent("catalog", answer.content) == answer.json() != []


@given(USER_IDS)
@settings(max_examples=60, deadline=None)
def test_any_user_id_brings_answers_in_the_clients_types(user_id: int) -> None:
    for service, body in asyncio.run(dashboard(user_id)).items():
        assert as_sent(service, body) == json.loads(body)


@given(USER_IDS)
@settings(max_examples=40, deadline=None)
def test_a_dashboard_has_the_size_of_a_real_one(user_id: int) -> None:
    size = sum(map(len, asyncio.run(dashboard(user_id)).values()))

    assert 3_000 < size < 6_500


@given(st.lists(USER_IDS, min_size=2, max_size=2, unique=True))
@settings(max_examples=40, deadline=None)
def test_two_users_are_told_apart_by_every_service(user_ids: list[int]) -> None:
    one, other = (asyncio.run(dashboard(user_id)) for user_id in user_ids)

    assert all(one[service] != other[service] for service in PATHS)


def test_another_process_says_the_same_byte_for_byte() -> None:
    environment = {**os.environ, "PYTHONHASHSEED": "4711"}
    other = subprocess.run(
        [sys.executable, "-c", PRINT_DIGEST], env=environment, capture_output=True, check=True
    )

    assert other.stdout.decode().strip() == asyncio.run(digest())


@pytest.mark.parametrize("service", PATHS)
@pytest.mark.parametrize("nobody", ["0", "-1", "007", "1.5", "one", "%D9%A1", str(LARGEST_ID + 1)])
async def test_an_id_nobody_can_have_is_not_found(service: str, nobody: str) -> None:
    answer = await ask(service, PATHS[service].format(nobody))

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 404


@pytest.mark.parametrize("path", ["/orders", "/notifications/unread"])
async def test_a_missing_user_id_is_a_mistake(path: str) -> None:
    answer = await ask(path.split("/")[1], path)

    assert answer.status_code == 422
    assert "user_id" in answer.json()["detail"]


async def test_a_path_that_is_not_served_is_a_problem_document() -> None:
    answer = await ask("users", "/nothing/here")

    assert answer.status_code == 404
    assert answer.json()["title"] == "Not Found"
