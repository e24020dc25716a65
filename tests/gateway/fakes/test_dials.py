"""Setting dials: valid and invalid values, and which requests get the fault."""

import httpx
import pytest

from tests.gateway.fakes.raw_http import send_get, wait_for_counts


async def set_dial(http: httpx.AsyncClient, url: str, **dial: object) -> httpx.Response:
    return await http.put(f"{url}/_dial", json=dial)


async def statuses(http: httpx.AsyncClient, url: str, *user_ids: int) -> list[int]:
    return [(await http.get(f"{url}/users/{user_id}")).status_code for user_id in user_ids]


async def test_a_service_starts_healthy(users: str, http: httpx.AsyncClient) -> None:
    assert (await http.get(f"{users}/_dial")).json() == {"fault": "none", "latency_ms": 0}
    assert (await http.get(f"{users}/healthz")).status_code == 200


async def test_a_dial_can_be_read(users: str, http: httpx.AsyncClient) -> None:
    dial = {"fault": "slow", "ms": 1, "times": 3, "match": {"user_id": 7}, "latency_ms": 2}
    put = await set_dial(http, users, **dial)
    await statuses(http, users, 7, 8)

    assert put.status_code == 200
    assert put.json() == dial
    assert (await http.get(f"{users}/_dial")).json() == {**dial, "times": 2}


async def test_a_fault_lasts_until_it_is_deleted(users: str, http: httpx.AsyncClient) -> None:
    await set_dial(http, users, fault="status", code=503, latency_ms=1)
    assert await statuses(http, users, 1, 2) == [503, 503]

    assert (await http.delete(f"{users}/_dial")).status_code == 204
    assert await statuses(http, users, 1, 2) == [200, 200]
    assert (await http.get(f"{users}/_dial")).json() == {"fault": "none", "latency_ms": 0}


async def test_a_fault_ends_after_the_given_number_of_requests(
    users: str, http: httpx.AsyncClient
) -> None:
    await set_dial(http, users, fault="status", code=500, times=2)

    assert await statuses(http, users, 1, 1, 1, 1) == [500, 500, 200, 200]


async def test_a_fault_can_be_limited_to_one_user(
    fakes: dict[str, str], http: httpx.AsyncClient
) -> None:
    for service in ("users", "orders"):
        await set_dial(
            http, fakes[service], fault="status", code=404, match={"user_id": 7}, times=1
        )

    assert await statuses(http, fakes["users"], 8, 77, 7, 7) == [200, 200, 404, 200]
    urls = [f"{fakes['orders']}/orders?user_id={user_id}" for user_id in (8, 7, 7)]
    assert [(await http.get(url)).status_code for url in urls] == [200, 404, 200]


async def test_each_service_has_its_own_dial(
    fakes: dict[str, str], http: httpx.AsyncClient
) -> None:
    await set_dial(http, fakes["users"], fault="status", code=500)

    assert (await http.get(f"{fakes['orders']}/orders?user_id=7")).status_code == 200


async def test_an_unknown_fault_is_refused_and_the_known_ones_are_listed(
    users: str, http: httpx.AsyncClient
) -> None:
    await set_dial(http, users, fault="status")
    response = await set_dial(http, users, fault="slwo")

    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    for fault in ["none", "slow", "hang", "status", "malformed", "truncated", "reset", "drip"]:
        assert f"'{fault}'" in response.json()["detail"]
    assert (await http.get(f"{users}/_dial")).json()["fault"] == "status"


@pytest.mark.parametrize(
    ("dial", "path"),
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
async def test_an_invalid_dial_is_refused_with_the_path_of_the_error(
    users: str, http: httpx.AsyncClient, dial: dict[str, object], path: str
) -> None:
    response = await set_dial(http, users, **dial)

    assert response.status_code == 422
    assert path in response.json()["detail"]


async def test_a_body_that_is_not_json_or_too_long_is_refused(
    users: str, http: httpx.AsyncClient
) -> None:
    invalid = await http.put(f"{users}/_dial", content=b"{")
    too_long = await http.put(f"{users}/_dial", content=b" " * 5_000)

    assert (invalid.status_code, too_long.status_code) == (422, 413)
    assert (await http.get(f"{users}/_dial")).json()["fault"] == "none"


async def test_requests_are_counted_except_those_to_the_dial(
    users: str, http: httpx.AsyncClient
) -> None:
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
async def test_a_client_that_disconnects_is_counted_as_aborted(
    users: str, http: httpx.AsyncClient, dial: dict[str, object]
) -> None:
    await set_dial(http, users, **dial)
    async with send_get(users, "/users/7"):
        await wait_for_counts(http, users, started=1, in_flight=1, aborted=0)

    await wait_for_counts(http, users, started=1, in_flight=0, aborted=1, finished=0)
