"""The dials: what is set, what is refused, for which requests and how many of them."""

import httpx
import pytest

from tests.gateway.demo.raw import asking, seen


@pytest.fixture
def users(demo: dict[str, str]) -> str:
    return demo["users"]


async def turn(http: httpx.AsyncClient, url: str, **dial: object) -> httpx.Response:
    return await http.put(f"{url}/_dial", json=dial)


async def statuses(http: httpx.AsyncClient, url: str, *user_ids: int) -> list[int]:
    return [(await http.get(f"{url}/users/{user_id}")).status_code for user_id in user_ids]


async def test_a_service_is_healthy_to_begin_with(users: str, http: httpx.AsyncClient) -> None:
    assert (await http.get(f"{users}/_dial")).json() == {"fault": "none", "latency_ms": 0}
    assert (await http.get(f"{users}/healthz")).status_code == 200


async def test_a_dial_says_how_it_stands(users: str, http: httpx.AsyncClient) -> None:
    dial = {"fault": "slow", "ms": 1, "times": 3, "match": {"user_id": 7}, "latency_ms": 2}
    put = await turn(http, users, **dial)
    await statuses(http, users, 7, 8)

    assert put.status_code == 200
    assert put.json() == dial
    assert (await http.get(f"{users}/_dial")).json() == {**dial, "times": 2}


async def test_a_fault_lasts_until_it_is_taken_back(users: str, http: httpx.AsyncClient) -> None:
    await turn(http, users, fault="status", code=503, latency_ms=1)
    assert await statuses(http, users, 1, 2) == [503, 503]

    assert (await http.delete(f"{users}/_dial")).status_code == 204
    assert await statuses(http, users, 1, 2) == [200, 200]
    assert (await http.get(f"{users}/_dial")).json() == {"fault": "none", "latency_ms": 0}


async def test_a_fault_ends_after_so_many_times(users: str, http: httpx.AsyncClient) -> None:
    await turn(http, users, fault="status", code=500, times=2)

    assert await statuses(http, users, 1, 1, 1, 1) == [500, 500, 200, 200]


async def test_a_fault_for_one_user_spares_the_others(
    demo: dict[str, str], http: httpx.AsyncClient
) -> None:
    for service in ("users", "orders"):
        await turn(http, demo[service], fault="status", code=404, match={"user_id": 7}, times=1)

    assert await statuses(http, demo["users"], 8, 77, 7, 7) == [200, 200, 404, 200]
    asked = [f"{demo['orders']}/orders?user_id={user_id}" for user_id in (8, 7, 7)]
    assert [(await http.get(url)).status_code for url in asked] == [200, 404, 200]


async def test_the_dials_of_two_services_are_apart(
    demo: dict[str, str], http: httpx.AsyncClient
) -> None:
    await turn(http, demo["users"], fault="status", code=500)

    assert (await http.get(f"{demo['orders']}/orders?user_id=7")).status_code == 200


async def test_an_unknown_fault_is_refused_and_the_right_ones_named(
    users: str, http: httpx.AsyncClient
) -> None:
    await turn(http, users, fault="status")
    answer = await turn(http, users, fault="slwo")

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    for fault in ["none", "slow", "hang", "status", "malformed", "truncated", "reset", "drip"]:
        assert f"'{fault}'" in answer.json()["detail"]
    assert (await http.get(f"{users}/_dial")).json()["fault"] == "status"


@pytest.mark.parametrize(
    ("dial", "mistake"),
    [
        ({"ms": 5}, "fault"),
        ({"fault": "slow", "m": 5}, "slow.m"),
        ({"fault": "slow", "ms": -1}, "slow.ms"),
        ({"fault": "hang", "ms": 5}, "hang.ms"),
        ({"fault": "status", "code": 200}, "status.code"),
        ({"fault": "reset", "times": 0}, "reset.times"),
        ({"fault": "drip", "match": {"order_id": 1}}, "drip.match"),
    ],
)
async def test_a_mistaken_dial_is_refused_with_its_place(
    users: str, http: httpx.AsyncClient, dial: dict[str, object], mistake: str
) -> None:
    answer = await turn(http, users, **dial)

    assert answer.status_code == 422
    assert mistake in answer.json()["detail"]


async def test_what_is_no_json_or_too_long_is_refused(users: str, http: httpx.AsyncClient) -> None:
    broken = await http.put(f"{users}/_dial", content=b"{")
    endless = await http.put(f"{users}/_dial", content=b" " * 5_000)

    assert (broken.status_code, endless.status_code) == (422, 413)
    assert (await http.get(f"{users}/_dial")).json()["fault"] == "none"


async def test_answers_are_counted_but_not_the_dials(users: str, http: httpx.AsyncClient) -> None:
    await http.get(f"{users}/healthz")
    await statuses(http, users, 1, 2, 0)

    counts = (await http.get(f"{users}/_seen")).json()
    assert counts == {"started": 3, "finished": 3, "aborted": 0, "in_flight": 0}


@pytest.mark.parametrize(
    "dial",
    [
        {"fault": "hang"},
        {"fault": "slow", "ms": 600_000},
        {"fault": "none", "latency_ms": 600_000},
        {"fault": "drip", "every_ms": 600_000},
    ],
)
async def test_a_client_that_leaves_is_noticed_and_counted(
    users: str, http: httpx.AsyncClient, dial: dict[str, object]
) -> None:
    await turn(http, users, **dial)
    async with asking(users, "/users/7"):
        await seen(http, users, started=1, in_flight=1, aborted=0)

    await seen(http, users, started=1, in_flight=0, aborted=1, finished=0)
