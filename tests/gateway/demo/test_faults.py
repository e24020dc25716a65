"""Each fault as a client sees it, at the level of bytes where that matters."""

import asyncio
import time

import httpx
import pytest
import uvloop

from gateway.demo.serve_demo import ANY_PORTS, serve_demo
from tests.gateway.demo.raw_http import read_head, send_get, wait_for_counts

PROFILE = "/users/7"


@pytest.fixture
def users(demo: dict[str, str]) -> str:
    return demo["users"]


async def set_dial(http: httpx.AsyncClient, url: str, **dial: object) -> None:
    (await http.put(f"{url}/_dial", json=dial)).raise_for_status()


def content_length(head: bytes) -> int:
    return int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])


async def test_slow_replaces_the_latency(users: str, http: httpx.AsyncClient) -> None:
    await set_dial(http, users, fault="slow", ms=60, latency_ms=600_000)
    started_at = time.monotonic()
    response = await http.get(users + PROFILE)

    assert time.monotonic() - started_at >= 0.055
    assert response.json()["id"] == 7


async def test_latency_delays_a_healthy_response(users: str, http: httpx.AsyncClient) -> None:
    await set_dial(http, users, fault="none", latency_ms=60)
    started_at = time.monotonic()
    response = await http.get(users + PROFILE)

    assert time.monotonic() - started_at >= 0.055
    assert response.json()["id"] == 7


async def test_hang_sends_nothing(users: str, http: httpx.AsyncClient) -> None:
    await set_dial(http, users, fault="hang")
    async with send_get(users, PROFILE) as reader:
        await wait_for_counts(http, users, in_flight=1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.05)


@pytest.mark.parametrize("code", [404, 429, 500, 503])
async def test_status_is_a_problem_document(users: str, http: httpx.AsyncClient, code: int) -> None:
    await set_dial(http, users, fault="status", code=code, retry_after=9)
    response = await http.get(users + PROFILE)

    assert response.status_code == response.json()["status"] == code
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["retry-after"] == "9"


async def test_a_status_has_no_retry_after_by_default(users: str, http: httpx.AsyncClient) -> None:
    await set_dial(http, users, fault="status")
    response = await http.get(users + PROFILE)

    assert response.status_code == 503
    assert "retry-after" not in response.headers


async def test_malformed_is_json_of_another_shape(users: str, http: httpx.AsyncClient) -> None:
    await set_dial(http, users, fault="malformed")
    response = await http.get(users + PROFILE)

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert "id" not in response.json()


async def test_malformed_text_is_not_json(users: str, http: httpx.AsyncClient) -> None:
    await set_dial(http, users, fault="malformed", variant="text")
    response = await http.get(users + PROFILE)

    assert response.status_code == 200
    with pytest.raises(ValueError, match="Expecting value"):
        response.json()


async def test_truncated_closes_before_the_body_is_complete(
    users: str, http: httpx.AsyncClient
) -> None:
    whole = (await http.get(users + PROFILE)).content
    await set_dial(http, users, fault="truncated")
    async with send_get(users, PROFILE) as reader:
        head, body = await read_head(reader), await reader.read()

    assert head.startswith(b"http/1.1 200")
    assert content_length(head) == len(whole)
    assert 0 < len(body) < len(whole)
    assert whole.startswith(body)
    with pytest.raises(httpx.RemoteProtocolError):
        await http.get(users + PROFILE)


async def test_reset_resets_the_connection(users: str, http: httpx.AsyncClient) -> None:
    await set_dial(http, users, fault="reset")
    async with send_get(users, PROFILE) as reader:
        with pytest.raises(ConnectionResetError):
            await reader.read()

    await wait_for_counts(http, users, finished=1, aborted=0, in_flight=0)


async def test_drip_sends_single_bytes(users: str, http: httpx.AsyncClient) -> None:
    whole = (await http.get(users + PROFILE)).content
    await set_dial(http, users, fault="drip", every_ms=30)
    async with send_get(users, PROFILE) as reader:
        await read_head(reader)
        first, second = await reader.read(64), await reader.read(64)

    assert first + second == whole[:2]
    assert len(first) == len(second) == 1


async def test_drip_sends_the_whole_body(users: str, http: httpx.AsyncClient) -> None:
    whole = (await http.get(users + PROFILE)).content
    await set_dial(http, users, fault="drip", every_ms=0)

    assert (await http.get(users + PROFILE)).content == whole
    await wait_for_counts(http, users, finished=2, in_flight=0)


@pytest.mark.parametrize("fault", ["truncated", "reset", "hang"])
async def test_a_fault_logs_no_error(
    users: str, http: httpx.AsyncClient, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    await set_dial(http, users, fault=fault)
    async with send_get(users, PROFILE):
        await wait_for_counts(http, users, started=1)
    await wait_for_counts(http, users, in_flight=0)

    assert not [record for record in caplog.records if record.name.startswith("uvicorn")]


def test_connection_faults_work_on_uvloop_too() -> None:
    async def check() -> None:
        async with (
            serve_demo(latency_ms=0, ports=ANY_PORTS) as demo,
            httpx.AsyncClient(trust_env=False, verify=False) as http,
        ):
            await test_truncated_closes_before_the_body_is_complete(demo["users"], http)
            await set_dial(http, demo["orders"], fault="reset")
            async with send_get(demo["orders"], "/orders?user_id=7") as reader:
                with pytest.raises(ConnectionResetError):
                    await reader.read()

    uvloop.run(check())
