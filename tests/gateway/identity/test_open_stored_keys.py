"""Signing keys in the database, of gateways that run: made, followed, rotated, never shown."""

import asyncio
import logging
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import jwt
import pytest

from gateway.errors.tree import DatabaseUnavailable
from gateway.identity.age_rotation import DAY
from gateway.identity.encryption_rotation import create_key_file
from gateway.identity.internal_tokens import InternalTokens
from gateway.identity.open_identity import open_signing_keys
from gateway.identity.setting_errors import find_identity_errors
from gateway.identity.signing_key_provider import SigningKeyProvider
from gateway.resources import Resources
from gateway.settings.errors import InvalidSettings
from gateway.settings.schema import Settings
from gateway.storage.database import Database
from gateway.storage.open_storage import open_storage
from gateway.testing import TestGateway, lockgate
from tests.databases import upgrade_database, wait_until
from tests.docs.project import ROOT
from tests.gateway.auth.manual_clock import ManualClock
from tests.gateway.identity import stored
from tests.gateway.identity.callers import make_caller
from tests.postgresql_server import PostgresqlServer


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "keys.jwks"
    create_key_file(path)
    return path


@pytest.fixture
def settings(database: Database, database_url: str, key_file: Path) -> Settings:
    """Settings with a database that has the schema."""
    return stored.configure(database_url, key_file)


def read_content(path: Path) -> bytes:
    return path.read_bytes()


def create_copy(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)


def get_keys(gateway: TestGateway) -> SigningKeyProvider:
    keys: SigningKeyProvider = gateway.app.state.resources[SigningKeyProvider]
    return keys


async def get_status(gateway: TestGateway) -> tuple[int, str]:
    ready = await gateway.get("/readyz")
    return ready.status_code, ready.json()["signing_keys"]


def issue(gateway: TestGateway) -> str:
    tokens: InternalTokens = gateway.app.state.resources[InternalTokens]
    return tokens.issue(make_caller(expires_at=4e9), "users", ())


@asynccontextmanager
async def start_process(settings: Settings) -> AsyncIterator[asyncio.subprocess.Process]:
    arguments = [str(settings.database_url), str(settings.identity.key_file)]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.gateway.identity.key_process", *arguments,
        cwd=ROOT, stdin=pipe, stdout=pipe,
    )  # fmt: skip
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        assert await asyncio.wait_for(process.wait(), 30) == 0


async def read_ids(process: asyncio.subprocess.Process) -> list[str]:
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), 30)
    return line.decode().split()


async def test_two_processes_make_one_first_key_and_follow_each_rotation(
    settings: Settings, database: Database, key_file: Path
) -> None:
    async with AsyncExitStack() as stack:
        starting = [stack.enter_async_context(start_process(settings)) for _ in range(2)]
        processes = await asyncio.gather(*starting)
        [first], other = [await read_ids(process) for process in processes]
        assert other == [first]
        ids = (await asyncio.to_thread(stored.rotate, database, key_file, time.time())).ids
        assert ids[0] == first
        assert [await read_ids(process) for process in processes] == [ids, ids]


async def test_the_keys_are_published_and_sign(settings: Settings) -> None:
    async with lockgate(settings) as gateway:
        assert (await gateway.get("/readyz")).json()["signing_keys"] == "ok"
        (published,) = (await gateway.get("/.well-known/jwks.json")).json()["keys"]
        token = issue(gateway)
    claims = jwt.decode(token, jwt.PyJWK(published), audience="users", algorithms=["ES256"])
    assert claims["iss"] == settings.identity.issuer
    async with lockgate(settings) as again:
        assert get_keys(again).get_keys().ids == [published["kid"]]


async def test_keys_of_another_key_file_leave_the_former_in_force(
    settings: Settings, database: Database, key_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = read_content(key_file)
    async with lockgate(settings) as gateway:
        keys = get_keys(gateway)
        [first] = keys.get_keys().ids
        # As on a machine that does not have the new key file yet.
        other = key_file.with_name("other.jwks")
        create_copy(other, own)
        stored.reencrypt(database, other)
        await wait_until(lambda: keys.error != "")
        assert await get_status(gateway) == (200, "stale")
        assert issue(gateway)
        create_copy(key_file, read_content(other))
        await wait_until(lambda: keys.error == "")
        assert await get_status(gateway) == (200, "ok")
        assert keys.get_keys().ids == [first]
    events = [record.getMessage() for record in caplog.records]
    failures = [event for event in events if event.startswith("signing_keys.reload_failed")]
    assert len(failures) == 1
    assert "which the key file lacks" in failures[0]
    create_copy(key_file, own)
    [error] = find_identity_errors(settings)
    assert error.path == "identity.key_file"
    assert f"cannot decrypt the database: the signing key {first}: it was encrypted" in str(error)
    with pytest.raises(InvalidSettings, match=r"identity.key_file: .* cannot decrypt the database"):
        async with lockgate(settings):
            pass


async def test_a_rotation_of_the_key_file_is_no_failure(
    settings: Settings, database: Database, key_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with lockgate(settings) as gateway:
        keys = get_keys(gateway)
        [first] = keys.get_keys().ids
        caplog.clear()
        with caplog.at_level(logging.INFO, "lockgate.identity"):
            stored.reencrypt(database, key_file)
            ids = stored.rotate(database, key_file, time.time()).ids
            await wait_until(lambda: keys.get_keys().ids == ids)
        assert ids[0] == first
        assert not keys.error
    names = [record.getMessage().partition(" ")[0] for record in caplog.records]
    assert names == ["signing_keys.changed"]


async def test_a_database_that_is_down_leaves_the_keys_in_force(
    own_postgresql: PostgresqlServer, key_file: Path
) -> None:
    settings = stored.configure(upgrade_database(own_postgresql.create_database()), key_file)
    own_postgresql.kill()
    assert find_identity_errors(settings) == []
    async with lockgate(settings) as gateway:
        keys = get_keys(gateway)
        assert await get_status(gateway) == (503, "loading")
        unavailable = await gateway.get("/.well-known/jwks.json")
        assert unavailable.status_code == 503
        assert unavailable.headers["retry-after"] == "1"
        with pytest.raises(DatabaseUnavailable):
            issue(gateway)
        own_postgresql.start()
        await wait_until(lambda: keys.is_loaded)
        [first] = keys.get_keys().ids
        assert (await gateway.get("/.well-known/jwks.json")).json()["keys"][0]["kid"] == first
        own_postgresql.kill()
        assert issue(gateway)
        assert (await gateway.get("/.well-known/jwks.json")).status_code == 200
        assert (await gateway.get("/readyz")).json()["signing_keys"] == "ok"


async def test_of_several_processes_one_rotates_by_age(
    settings: Settings, database: Database, key_file: Path
) -> None:
    clock = ManualClock(time.time())
    async with AsyncExitStack() as stack:
        providers = list[SigningKeyProvider]()
        for _ in range(3):
            resources = Resources()
            storage = await stack.enter_async_context(open_storage(settings, resources))
            opening = open_signing_keys(settings, resources, clock=clock)
            keys = await stack.enter_async_context(opening)
            assert keys is not None
            providers.append(keys)
            assert storage is not None
            await storage.feed.refresh()
        [first] = {key_id for keys in providers for key_id in keys.get_keys().ids}
        await clock.advance(30 * DAY - 10)
        await clock.advance(20)
        await wait_until(lambda: all(len(keys.get_keys().ids) == 2 for keys in providers))
        [ids] = {tuple(keys.get_keys().ids) for keys in providers}
    assert ids[0] == first
    kept = stored.read(database, key_file)
    assert kept is not None
    assert tuple(kept.ids) == ids


async def test_no_secret_is_in_the_database_or_in_the_log_or_in_a_repr(
    settings: Settings, database: Database, key_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with lockgate(settings) as gateway:
        resources: Resources = gateway.app.state.resources
        stored.rotate(database, key_file, time.time())
        stored.reencrypt(database, key_file)
        keys = get_keys(gateway)
        await wait_until(lambda: len(keys.get_keys().ids) == 2)
        secrets = stored.list_secrets(keys.get_keys(), key_file)
        shown = repr(dict(resources)) + caplog.text + (await gateway.get("/readyz")).text
    assert len(secrets) == 8
    everything = stored.dump(database) + shown.encode()
    assert [secret for secret in secrets if secret in everything] == []
    assert keys.get_keys().ids[0].encode() in everything
