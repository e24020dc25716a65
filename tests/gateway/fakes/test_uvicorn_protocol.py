"""Faults that close or reset the connection, on asyncio and uvloop."""

import httpx
import pytest
import uvloop

from tests.gateway.fakes.raw_http import PROFILE, put_dial, read_head, send_get, wait_for_counts
from tests.gateway.fakes.sample_fakes import serve_sample_fakes


def content_length(head: bytes) -> int:
    return int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])


async def test_truncated_closes_before_the_body_is_complete(
    users: str, http: httpx.AsyncClient
) -> None:
    whole = (await http.get(users + PROFILE)).content
    await put_dial(http, users, fault="truncated")
    async with send_get(users, PROFILE) as reader:
        head, body = await read_head(reader), await reader.read()

    assert head.startswith(b"http/1.1 200")
    assert content_length(head) == len(whole)
    assert 0 < len(body) < len(whole)
    assert whole.startswith(body)
    with pytest.raises(httpx.RemoteProtocolError):
        await http.get(users + PROFILE)


async def test_reset_resets_the_connection(users: str, http: httpx.AsyncClient) -> None:
    await put_dial(http, users, fault="reset")
    async with send_get(users, PROFILE) as reader:
        with pytest.raises(ConnectionResetError):
            await reader.read()

    await wait_for_counts(http, users, finished=1, aborted=0, in_flight=0)


@pytest.mark.parametrize("fault", ["truncated", "reset", "hang"])
async def test_a_fault_logs_no_error(
    users: str, http: httpx.AsyncClient, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    await put_dial(http, users, fault=fault)
    async with send_get(users, PROFILE):
        await wait_for_counts(http, users, started=1)
    await wait_for_counts(http, users, in_flight=0)

    assert not [record for record in caplog.records if record.name.startswith("uvicorn")]


def test_connection_faults_work_on_uvloop_too() -> None:
    async def check() -> None:
        async with (
            serve_sample_fakes() as fakes,
            httpx.AsyncClient(trust_env=False, verify=False) as http,
        ):
            await test_truncated_closes_before_the_body_is_complete(fakes["users"], http)
            await put_dial(http, fakes["orders"], fault="reset")
            async with send_get(fakes["orders"], "/orders?user_id=7") as reader:
                with pytest.raises(ConnectionResetError):
                    await reader.read()

    uvloop.run(check())
