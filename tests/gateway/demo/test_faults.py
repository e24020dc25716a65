"""Each fault as a client meets it: on the wire, byte by byte where that is the point."""

import asyncio
import time

import httpx
import pytest
import uvloop

from gateway.demo.serve_demo import ANY_PORTS, serve_demo
from tests.gateway.demo.raw import asking, header, seen

PROFILE = "/users/7"


@pytest.fixture
def users(demo: dict[str, str]) -> str:
    return demo["users"]


async def turn(http: httpx.AsyncClient, url: str, **dial: object) -> None:
    (await http.put(f"{url}/_dial", json=dial)).raise_for_status()


def length(fields: bytes) -> int:
    return int(fields.partition(b"content-length: ")[2].split(b"\r\n")[0])


async def test_slow_takes_its_time_in_place_of_the_latency(
    users: str, http: httpx.AsyncClient
) -> None:
    await turn(http, users, fault="slow", ms=60, latency_ms=600_000)
    begun = time.monotonic()
    answer = await http.get(users + PROFILE)

    assert time.monotonic() - begun >= 0.055
    assert answer.json()["id"] == 7


async def test_latency_delays_a_healthy_answer(users: str, http: httpx.AsyncClient) -> None:
    await turn(http, users, fault="none", latency_ms=60)
    begun = time.monotonic()
    answer = await http.get(users + PROFILE)

    assert time.monotonic() - begun >= 0.055
    assert answer.json()["id"] == 7


async def test_hang_says_nothing_at_all(users: str, http: httpx.AsyncClient) -> None:
    await turn(http, users, fault="hang")
    async with asking(users, PROFILE) as reader:
        await seen(http, users, in_flight=1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.05)


@pytest.mark.parametrize("code", [404, 429, 500, 503])
async def test_status_is_a_problem_document(users: str, http: httpx.AsyncClient, code: int) -> None:
    await turn(http, users, fault="status", code=code, retry_after=9)
    answer = await http.get(users + PROFILE)

    assert answer.status_code == answer.json()["status"] == code
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "9"


async def test_a_status_gives_no_hint_unless_told_to(users: str, http: httpx.AsyncClient) -> None:
    await turn(http, users, fault="status")
    answer = await http.get(users + PROFILE)

    assert answer.status_code == 503
    assert "retry-after" not in answer.headers


async def test_malformed_is_json_of_another_shape(users: str, http: httpx.AsyncClient) -> None:
    await turn(http, users, fault="malformed")
    answer = await http.get(users + PROFILE)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert "id" not in answer.json()


async def test_malformed_text_is_no_json(users: str, http: httpx.AsyncClient) -> None:
    await turn(http, users, fault="malformed", variant="text")
    answer = await http.get(users + PROFILE)

    assert answer.status_code == 200
    with pytest.raises(ValueError, match="Expecting value"):
        answer.json()


async def test_truncated_ends_short_of_its_length(users: str, http: httpx.AsyncClient) -> None:
    whole = (await http.get(users + PROFILE)).content
    await turn(http, users, fault="truncated")
    async with asking(users, PROFILE) as reader:
        fields, body = await header(reader), await reader.read()

    assert fields.startswith(b"http/1.1 200")
    assert length(fields) == len(whole)
    assert 0 < len(body) < len(whole)
    assert whole.startswith(body)
    with pytest.raises(httpx.RemoteProtocolError):
        await http.get(users + PROFILE)


async def test_reset_is_a_reset(users: str, http: httpx.AsyncClient) -> None:
    await turn(http, users, fault="reset")
    async with asking(users, PROFILE) as reader:
        with pytest.raises(ConnectionResetError):
            await reader.read()

    await seen(http, users, finished=1, aborted=0, in_flight=0)


async def test_drip_sends_single_bytes(users: str, http: httpx.AsyncClient) -> None:
    whole = (await http.get(users + PROFILE)).content
    await turn(http, users, fault="drip", every_ms=30)
    async with asking(users, PROFILE) as reader:
        await header(reader)
        first, second = await reader.read(64), await reader.read(64)

    assert first + second == whole[:2]
    assert len(first) == len(second) == 1


async def test_drip_comes_to_an_end(users: str, http: httpx.AsyncClient) -> None:
    whole = (await http.get(users + PROFILE)).content
    await turn(http, users, fault="drip", every_ms=0)

    assert (await http.get(users + PROFILE)).content == whole
    await seen(http, users, finished=2, in_flight=0)


@pytest.mark.parametrize("fault", ["truncated", "reset", "hang"])
async def test_a_service_breaks_off_quietly(
    users: str, http: httpx.AsyncClient, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    await turn(http, users, fault=fault)
    async with asking(users, PROFILE):
        await seen(http, users, started=1)
    await seen(http, users, in_flight=0)

    assert not [record for record in caplog.records if record.name.startswith("uvicorn")]


def test_the_wire_faults_are_the_same_on_the_loop_of_the_demo() -> None:
    async def observe() -> None:
        async with (
            serve_demo(latency_ms=0, ports=ANY_PORTS) as demo,
            httpx.AsyncClient(trust_env=False, verify=False) as http,
        ):
            await test_truncated_ends_short_of_its_length(demo["users"], http)
            await turn(http, demo["orders"], fault="reset")
            async with asking(demo["orders"], "/orders?user_id=7") as reader:
                with pytest.raises(ConnectionResetError):
                    await reader.read()

    uvloop.run(observe())
