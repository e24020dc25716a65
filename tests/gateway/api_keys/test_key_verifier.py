"""API keys: a request with one, from the command that adds it to the one that revokes it."""

import asyncio
import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.api_keys.api_key import ApiKey, hash_text
from gateway.api_keys.key_verifier import EXPIRED_SECONDS, KeyVerifier
from gateway.cli.main import main
from gateway.errors.tree import DatabaseUnavailable, Unauthenticated
from gateway.settings.loader import load_settings
from gateway.settings.schema import Settings, StorageSettings
from gateway.storage.change_feed import Changes
from gateway.testing import TestGateway, lockgate
from tests.databases import create_file
from tests.gateway.auth.manual_clock import ManualClock


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    url = create_file(tmp_path)
    monkeypatch.setenv("LOCKGATE_DATABASE_URL", url)
    return url


def with_database(url: str) -> Settings:
    changes = {"database_url": url, "storage": StorageSettings(poll_seconds=0.05)}
    return load_settings().model_copy(update=changes)


def add_key(capsys: pytest.CaptureFixture[str], *scopes: str) -> tuple[str, str]:
    """Add a key with the command, and return its id and its text."""
    options = [option for scope in scopes for option in ("--scope", scope)]
    assert main(["keys", "add", "export", *options, "--json"]) == 0
    added = json.loads(capsys.readouterr().out)
    return added["id"], added["key"]


async def get(gateway: TestGateway, key: str) -> int:
    headers = {"Authorization": f"Bearer {key}"}
    return (await gateway.get("/dashboard/42", headers=headers)).status_code


async def wait_for(gateway: TestGateway, key: str, status: int) -> None:
    async with asyncio.timeout(20):
        while await get(gateway, key) != status:  # noqa: ASYNC110 - nothing sets an event
            await asyncio.sleep(0.02)


async def test_a_key_is_accepted_until_it_is_revoked(
    url: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "lockgate.access")
    async with lockgate(with_database(url)) as gateway:
        key_id, key = await asyncio.to_thread(add_key, capsys, "dashboard:read:any")
        await wait_for(gateway, key, 200)
        assert await get(gateway, key[:-1] + ("A" if key[-1] != "A" else "B")) == 401
        await asyncio.to_thread(main, ["keys", "revoke", key_id])
        await wait_for(gateway, key, 401)
    lines = [vars(it)["fields"] for it in caplog.records if it.name == "lockgate.access"]
    assert {line.get("caller") for line in lines if line["status"] == 200} == {"export"}
    assert key not in caplog.text + str(lines)


async def test_a_key_has_its_scopes_alone(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, narrow = await asyncio.to_thread(add_key, capsys, "orders:read")
    async with lockgate(with_database(url)) as gateway:
        await wait_for(gateway, narrow, 403)


async def test_a_key_expires(
    url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.cli.keys._DAY", -1)
    _, expired = await asyncio.to_thread(add_key, capsys, "dashboard:read:any")
    monkeypatch.undo()
    async with lockgate(with_database(url)) as gateway:
        await wait_for(gateway, expired, 401)


async def test_a_revocation_of_everything_covers_keys(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _, key = await asyncio.to_thread(add_key, capsys, "dashboard:read:any")
    async with lockgate(with_database(url)) as gateway:
        await wait_for(gateway, key, 200)
        await asyncio.to_thread(main, ["revoke", "all"])
        await wait_for(gateway, key, 401)


async def test_the_last_use_is_stored(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    key_id, key = await asyncio.to_thread(add_key, capsys, "dashboard:read:any")
    async with lockgate(with_database(url)) as gateway:
        await wait_for(gateway, key, 200)
    assert main(["keys", "list", "--json"]) == 0
    [listed] = json.loads(capsys.readouterr().out)
    assert (listed["id"], listed["state"]) == (key_id, "active")
    assert listed["last_used_at"] is not None
    assert main(["journal", "verify"]) == 0


def test_expired_keys_are_forgotten_a_week_later() -> None:
    clock = ManualClock(1_000.0)
    verifier = KeyVerifier(clock)
    keys = [ApiKey(f"k{n}", "a", hash_text(f"{n}"), ("a",), 0.0, 2_000.0 + n) for n in range(100)]
    verifier.apply(Changes(keys, is_complete=True))
    with pytest.raises(Unauthenticated) as refusal:
        verifier.verify("0", 2_000.0)
    assert refusal.value.reason == "expired_api_key"
    clock.time += 1_049 + EXPIRED_SECONDS
    for _ in range(7):  # each change of the database checks a few
        verifier.apply(Changes([], is_complete=False))
    assert len(verifier) == 50
    verifier.apply(Changes(keys, is_complete=True))
    assert len(verifier) == 50
    verifier.apply(Changes([replace(keys[99], is_revoked=True)], is_complete=False))
    assert len(verifier) == 49


def test_until_the_keys_are_read_none_is_accepted() -> None:
    with pytest.raises(DatabaseUnavailable):
        KeyVerifier().verify("lk_" + "a" * 43, 0.0)


async def test_without_a_database_a_key_is_no_token() -> None:
    async with lockgate() as gateway:
        assert await get(gateway, "lk_" + "a" * 43) == 401
