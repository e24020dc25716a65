"""Each fault as a client sees it, at the level of bytes where that matters."""

import asyncio

import httpx
import pytest

from tests.gateway.fakes.raw_http import PROFILE, put_dial, read_head, send_get, wait_for_counts


async def test_hang_sends_nothing(users: str, http: httpx.AsyncClient) -> None:
    await put_dial(http, users, fault="hang")
    async with send_get(users, PROFILE) as reader:
        await wait_for_counts(http, users, in_flight=1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.05)


@pytest.mark.parametrize("code", [404, 429, 500, 503])
async def test_status_is_a_problem_document(users: str, http: httpx.AsyncClient, code: int) -> None:
    await put_dial(http, users, fault="status", code=code, retry_after=9)
    response = await http.get(users + PROFILE)

    assert response.status_code == response.json()["status"] == code
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["retry-after"] == "9"


async def test_a_status_has_no_retry_after_by_default(users: str, http: httpx.AsyncClient) -> None:
    await put_dial(http, users, fault="status")
    response = await http.get(users + PROFILE)

    assert response.status_code == 503
    assert "retry-after" not in response.headers


async def test_malformed_is_json_of_another_shape(users: str, http: httpx.AsyncClient) -> None:
    await put_dial(http, users, fault="malformed")
    response = await http.get(users + PROFILE)

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert "id" not in response.json()


async def test_malformed_text_is_not_json(users: str, http: httpx.AsyncClient) -> None:
    await put_dial(http, users, fault="malformed", variant="text")
    response = await http.get(users + PROFILE)

    assert response.status_code == 200
    with pytest.raises(ValueError, match="Expecting value"):
        response.json()


async def test_drip_sends_single_bytes(users: str, http: httpx.AsyncClient) -> None:
    whole = (await http.get(users + PROFILE)).content
    await put_dial(http, users, fault="drip", every_ms=30)
    async with send_get(users, PROFILE) as reader:
        await read_head(reader)
        first, second = await reader.read(64), await reader.read(64)

    assert first + second == whole[:2]
    assert len(first) == len(second) == 1


async def test_drip_sends_the_whole_body(users: str, http: httpx.AsyncClient) -> None:
    whole = (await http.get(users + PROFILE)).content
    await put_dial(http, users, fault="drip", every_ms=0)

    assert (await http.get(users + PROFILE)).content == whole
    await wait_for_counts(http, users, finished=2, in_flight=0)
