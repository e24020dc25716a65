"""Wrong API keys are limited per client address, and never lock out a right one."""

import asyncio
import logging

import pytest

from gateway.settings.rate import Rate
from gateway.testing import lockgate
from tests.gateway.api_keys.test_key_verifier import add_key, url, wait_for, with_database

__all__ = ["url"]

WRONG = "lk_" + "a" * 43


async def test_wrong_keys_are_limited_and_a_right_one_still_passes(
    url: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "lockgate.access")
    settings = with_database(url)
    tokens = settings.tokens.model_copy(update={"wrong_key_limit": Rate(3, 3_600)})
    _, key = await asyncio.to_thread(add_key, capsys, "dashboard:read:any")
    async with lockgate(settings.model_copy(update={"tokens": tokens})) as gateway:
        await wait_for(gateway, key, 200)
        caplog.clear()

        async def get(token: str) -> tuple[int, dict[str, str], dict[str, object]]:
            headers = {"Authorization": f"Bearer {token}"}
            response = await gateway.get("/dashboard/42", headers=headers)
            return response.status_code, dict(response.headers), response.json()

        replies = [await get(WRONG) for _ in range(5)]
        assert [status for status, _, _ in replies] == [401, 401, 401, 429, 429]
        _, headers, problem = replies[3]
        assert 1 <= int(headers["retry-after"]) <= 3_600
        assert problem["violated-policies"] == ["wrong_api_keys"]
        assert (await get(key))[0] == 200
        assert (await get("not.a.key"))[0] == 401  # a wrong token is not counted
    lines = [vars(it)["fields"] for it in caplog.records if it.name == "lockgate.access"]
    assert [line.get("reason") for line in lines[:5]] == ["unknown_api_key"] * 5
    assert [line.get("refused_by") for line in lines[:5]] == [None] * 3 + ["wrong_api_keys"] * 2
    assert WRONG not in str(lines)


async def test_wrong_keys_are_counted_only_when_the_keys_are_known(url: str) -> None:
    """Without a database, the text of a key is a malformed token."""
    tokens = with_database(url).tokens.model_copy(update={"wrong_key_limit": Rate(1, 3_600)})
    settings = with_database(url).model_copy(update={"database_url": None, "tokens": tokens})
    async with lockgate(settings) as gateway:
        headers = {"Authorization": f"Bearer {WRONG}"}
        statuses = [
            (await gateway.get("/dashboard/42", headers=headers)).status_code for _ in range(3)
        ]
    assert statuses == [401, 401, 401]
