"""`lockgate token`."""

import asyncio
from asyncio import StreamReader, StreamWriter

import pytest

from gateway.cli.main import main


def test_token_without_a_demo_suggests_to_start_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["token", "--port", "1"]) == 1
    assert "lockgate demo" in capsys.readouterr().err


@pytest.mark.parametrize("status", ["200 OK", "404 Not Found"])
@pytest.mark.parametrize("body", ["{}", "[]", "<html>", '{"detail": [1], "access_token": 1}', ""])
async def test_another_program_on_the_port_is_no_demo(
    capsys: pytest.CaptureFixture[str], status: str, body: str
) -> None:
    async def respond(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode())
        writer.close()

    async with await asyncio.start_server(respond, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await asyncio.to_thread(main, ["token", "--port", str(port)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"lockgate: no demo responds on 127.0.0.1:{port} (")
