"""`lockgate health` asks the gateway at the configured address."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from pathlib import Path
from unittest import mock

import pytest

from gateway.app import create_app
from gateway.app_loader import Application
from gateway.cli.main import main
from gateway.server.lifecycle import open_server
from gateway.settings.schema import Server, Settings
from tests.gateway.ops.ops_server import OpsServer, make_settings, run_ops


@pytest.fixture
async def ops() -> AsyncIterator[OpsServer]:
    with make_settings(has_database=False) as settings:
        async with run_ops(settings) as server:
            yield server


async def ask(*options: str) -> int:
    return await asyncio.to_thread(main, ["health", *options])


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1", "::"])
async def test_it_finds_the_gateway_at_the_configured_address(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], host: str
) -> None:
    app = create_app(Settings(), application=Application())
    async with open_server(app, Server(host=host, port=0)) as server:
        monkeypatch.setenv("LOCKGATE_SERVER__HOST", host)
        monkeypatch.setenv("LOCKGATE_SERVER__PORT", server.url.rpartition(":")[2])
        assert await ask() == 0
    assert capsys.readouterr().out == "The gateway is serving.\n"


async def test_a_file_and_options_give_the_address(tmp_path: Path) -> None:
    app = create_app(Settings(), application=Application())
    async with open_server(app, Server(host="127.0.0.1", port=0)) as server:
        port = server.url.rpartition(":")[2]
        file = tmp_path / "prod.toml"
        file.write_text(f"[server]\nport = {port}\n")
        assert await ask("--config", str(file)) == 0
        assert await ask("--config", str(file), "--port", "1") == 1
        assert await ask("--host", "127.0.0.1", "--port", port) == 0


@pytest.mark.parametrize(
    "command",
    [
        ["{python}", "-c", "{sleep}", "lockgate", "serve", "--config", "prod.toml"],
        ["{python}", "-c", "{sleep}", "lockgate", "serve", "--config=prod.toml", "--host=::1"],
        ["{python}", "-c", "{sleep}", "--", "lockgate", "serve", "--port", "{port}"],
        ["sh", "-c", "'{python}' -c '{sleep}' lockgate serve --port \"$PORT\"; true"],
        ["sh", "-c", "'{python}' -c '{sleep}' -m gateway.cli serve --port $PORT & wait", "serve"],
        ["env", "LOCKGATE_SERVER__PORT={port}", "{python}", "-c", "{sleep}", "lockgate", "serve"],
    ],
)
async def test_it_follows_the_process_that_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    app = create_app(Settings(), application=Application())
    host = "::1" if "--host=::1" in command else "127.0.0.1"
    async with open_server(app, Server(host=host, port=0)) as running:
        port = running.url.rpartition(":")[2]
        (tmp_path / "prod.toml").write_text(f"[server]\nport = {port}\nhost = '127.0.0.1'\n")
        sleep = "print(flush=True); import time; time.sleep(60)"
        names = {"python": sys.executable, "sleep": sleep, "port": port}
        words = [word.format(**names) for word in command]
        process = await asyncio.create_subprocess_exec(
            *words,
            cwd=tmp_path,
            env={**os.environ, "PORT": port},
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            assert process.stdout is not None
            await process.stdout.readline()
            with mock.patch.dict(os.environ):
                monkeypatch.delenv("LOCKGATE_SERVER__PORT", raising=False)
                assert await ask("--pid", str(process.pid)) == 0
                assert await ask("--pid", str(process.pid), "--port", "1") == 1
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["cat"], "process {pid} (cat) does not run `lockgate serve`"),
        (["sh", "-c", "cat; lockgate serve"], "process {pid} (sh) does not run"),
        (["sh", "-c", "cat; true", "caddy", "serve"], "process {pid} (sh) does not run"),
    ],
)
def test_another_process_is_a_failure_even_if_a_gateway_serves(
    words: list[str], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, start_new_session=True) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(b"\n")
            process.stdin.flush()
            assert process.stdout.readline() == b"\n"
            assert main(["health", "--pid", str(process.pid)]) == 1
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    assert f"lockgate: {error}".format(pid=process.pid) in capsys.readouterr().err


async def test_the_ops_port_is_asked_and_lockgate_ops_has_no_other(
    ops: OpsServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    port = ops.url.rpartition(":")[2]
    assert await ask("--ops", "--port", port) == 0
    assert capsys.readouterr().out == "The ops app is serving.\n"
    words = [sys.executable, "-c", "print(flush=True); input()", "lockgate", "ops", "--port", port]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=pipe)
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"\n"  # from here on it has its arguments
        assert await ask("--pid", str(process.pid)) == 0
    finally:
        await process.communicate(b"\n")
    monkeypatch.setenv("LOCKGATE_OPS__PORT", "1")
    assert await ask("--ops") == 1
    assert "the ops app does not serve on 127.0.0.1, port 1: " in capsys.readouterr().err


@pytest.mark.parametrize("pid", ["4194305", "0", "-1"])
def test_a_missing_process_is_a_failure(pid: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["health", f"--pid={pid}"]) == 1
    assert capsys.readouterr().err == f"lockgate: there is no process {pid}\n"


def test_a_gateway_that_does_not_run_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert main(["health", "--host", "127.0.0.1", "--port", str(port)]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"lockgate: the gateway does not serve on 127.0.0.1, port {port}: ")


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "it responded to /healthz with status 404"),
        (b"SSH-2.0-x\r\n", "SSH-2.0-x"),
    ],
)
async def test_another_program_on_the_port_is_a_failure(
    capsys: pytest.CaptureFixture[str], response: bytes, error: str
) -> None:
    async def respond(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(response)
        writer.close()

    async with await asyncio.start_server(respond, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await ask("--host", "127.0.0.1", "--port", str(port)) == 1
    assert error in capsys.readouterr().err


def test_invalid_settings_are_a_failure_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["health", "--port", "eighty"]) == 1
    assert "lockgate: --port: must be an integer" in capsys.readouterr().err


def test_the_module_alone_does_not_import_the_gateway() -> None:
    program = (
        "import sys; import gateway.cli.health; "
        "sys.exit(any(name in sys.modules for name in ('fastapi', 'gateway.app', 'httpx')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
