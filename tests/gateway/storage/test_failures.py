"""A database that does not respond, in each way, is unavailable in words, and never a mistake."""

import asyncio
import logging
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.auth.clock import Clock
from gateway.cli.main import main
from gateway.errors.tree import DatabaseUnavailable
from gateway.resources import Resources
from gateway.settings.schema import Settings, StorageSettings
from gateway.storage import database as database_module
from gateway.storage.change_feed import ChangeFeed
from gateway.storage.database import DatabaseState
from gateway.storage.journal import Change, append_change, read_head
from gateway.storage.open_storage import check_storage, create_database, open_storage
from gateway.storage.upgrade import upgrade_schema
from tests.databases import OpenDatabase, create_file, upgrade_database, wait_until
from tests.postgresql_server import PostgresqlServer
from tests.redis_server import find_free_port

_STORAGE = StorageSettings(timeout_seconds=0.5)


@pytest.fixture
def silent_url() -> Iterator[str]:
    """The URL of a server that accepts connections, and never responds."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"postgresql://jane:hunter2@127.0.0.1:{listener.getsockname()[1]}/lockgate"


async def test_a_server_that_never_responds_does_not_end_a_start(silent_url: str) -> None:
    settings = Settings(database_url=silent_url, storage=_STORAGE)
    async with open_storage(settings, Resources()) as storage:
        assert storage is not None
        with pytest.raises(DatabaseUnavailable):
            await storage.database.read(read_head)
        assert not storage.feed.is_loaded
    assert check_storage(settings).errors == []


@pytest.mark.parametrize(
    "command", [["db", "status"], ["db", "upgrade"], ["clients", "list"], ["revoke", "all"]]
)
def test_a_server_that_never_responds_fails_a_command(
    command: list[str],
    silent_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LOCKGATE_DATABASE_URL", silent_url)
    monkeypatch.setattr("gateway.cli.db.UPGRADE_SECONDS", 2)
    assert main(command) == 1
    error = capsys.readouterr().err
    assert error.startswith("lockgate: ")
    assert "does not respond" in error
    assert "hunter2" not in error
    assert error.count("\n") == 1


async def test_a_frozen_server_keeps_the_feed_polling(
    own_postgresql: PostgresqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the connections that it has, and with those that it cannot open."""
    monkeypatch.setattr(database_module, "COOLDOWN_SECONDS", 0)
    url = await asyncio.to_thread(upgrade_database, own_postgresql.create_database())
    database = create_database(Settings(database_url=url, storage=_STORAGE))
    feed = ChangeFeed(database, Clock(), poll_seconds=0.01)
    await feed.refresh()
    own_postgresql.pause()
    watching = asyncio.create_task(feed.watch())
    try:
        for _ in range(3):
            with pytest.raises(DatabaseUnavailable):
                await feed.refresh()
        assert not watching.done()
        age = feed.age
    finally:
        own_postgresql.resume()
    await wait_until(lambda: feed.age < age)
    watching.cancel()
    await asyncio.wait({watching})
    await asyncio.to_thread(database.close)


@pytest.mark.parametrize(
    ("url", "explanation"),
    [
        ("postgresql://jane:hunter2@127.0.0.1:{free}/a", "no server listens at 127.0.0.1:{free}"),
        (
            "postgresql://jane:hunter2@127.0.0.1:{port}/a",
            "the server at 127.0.0.1:{port} refuses the user or the password",
        ),
        (
            "postgresql://lockgate:hunter2@127.0.0.1:{port}/absent",
            "the server at 127.0.0.1:{port} has no such database",
        ),
        (
            "postgresql://lockgate@127.0.0.1:{port}/postgres?sslmode=require",
            "TLS with the server at 127.0.0.1:{port} fails",
        ),
    ],
)
def test_why_there_is_no_connection(
    url: str, explanation: str, postgresql: PostgresqlServer
) -> None:
    places = {"free": find_free_port(), "port": postgresql.port}
    settings = Settings(database_url=url.format(**places), storage=StorageSettings())
    database = create_database(settings)
    with pytest.raises(DatabaseUnavailable) as caught:
        database.read_now(read_head)
    assert caught.value.explanation == explanation.format(**places)
    database.close()


def test_a_host_that_cannot_be_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    database = create_database(Settings(database_url="postgresql://jane@db.test/a"))
    with pytest.raises(DatabaseUnavailable) as caught:
        database.read_now(read_head)
    assert caught.value.explanation == "the host of db.test:5432 cannot be resolved"
    database.close()


@pytest.mark.parametrize("state", ["57P01", "57P05", "25P03", "08006", "53300", "XX000", "58030"])
def test_an_error_of_the_server_is_no_mistake(state: str, postgresql: PostgresqlServer) -> None:
    database = create_database(Settings(database_url=postgresql.create_database()))
    fail = text(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$")
    with pytest.raises(DatabaseUnavailable):
        database.read_now(lambda connection: connection.execute(fail))
    database.close()


async def test_one_write_that_waits_for_a_lock_fails_alone(
    open_database: OpenDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    patient, database = open_database(), open_database(timeout=0.2)
    await patient.write(upgrade_schema)
    entered, leave = threading.Event(), threading.Event()

    def hold(connection: object) -> None:
        append_change(connection, Change("jane", "client.add", "bff"))  # type: ignore[arg-type]
        entered.set()
        leave.wait(20)

    holding = asyncio.create_task(patient.write(hold))
    await asyncio.to_thread(entered.wait, 10)
    with caplog.at_level(logging.WARNING, "lockgate.storage"), pytest.raises(DatabaseUnavailable):
        await database.write(lambda it: append_change(it, Change("jane", "client.add", "jobs")))
    assert database.state is DatabaseState.OK
    assert (await database.read(read_head)).seq == 0
    assert "database.transaction_failed" in caplog.text
    leave.set()
    await asyncio.gather(holding, return_exceptions=True)


async def test_a_mistake_shows_that_the_database_responds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "COOLDOWN_SECONDS", 0)
    database = create_database(Settings(database_url=create_file(tmp_path)))
    path = tmp_path / "lockgate.db"
    content = path.read_bytes()
    path.write_bytes(b"no database" * 100)
    with pytest.raises(DatabaseUnavailable):
        await database.read(read_head)
    assert "unavailable" in repr(database)
    path.write_bytes(content)
    with pytest.raises(ZeroDivisionError):
        await database.read(lambda _: 1 / 0)
    assert database.state is DatabaseState.OK
    await asyncio.to_thread(database.close)
