"""Errors of the ops app, and of what is not one, are for people: what was wrong, what to do."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from gateway.cli.limits import ops_client
from gateway.cli.limits.ops_address import OpsAddress
from gateway.cli.limits.ops_client import OpsClient
from gateway.cli.limits.ops_refusal import OpsUnreachable
from gateway.cli.main import main
from gateway.ops.ops_scopes import READ, WRITE
from tests.gateway.cli.limits.conftest import Ops

CHANGE = ("set", "dashboards", "60/minute", "--reason", "a", "--yes")


def test_without_a_token(ops: Ops) -> None:
    ops.monkeypatch.delenv("LOCKGATE_OPS_TOKEN")
    status, output, error = ops.run("list")
    assert (status, output) == (1, "")
    assert "the ops app needs a token: set LOCKGATE_OPS_TOKEN" in error
    assert "the audience `ops.audience`" in error


def test_a_token_of_another_audience(ops: Ops) -> None:
    token = ops.server.token(READ, WRITE, audience="lockgate-demo")
    status, output, error = ops.run("list", "--token", token)
    assert (status, output) == (1, "")
    assert "does not accept the token of --token (401)" in error
    assert "issued for the audience `ops.audience`" in error
    assert token not in error


def test_the_public_port_is_named(ops: Ops) -> None:
    problem = json.dumps({"title": "Not Found", "status": 404}).encode()
    with serve(404, "application/problem+json", problem) as url:
        status, _, error = ops.run("list", "--ops", url)
    assert status == 1
    assert "this is no ops app" in error
    assert "is it the public port, or has the URL a path?" in error


def test_a_misspelt_policy_is_corrected(ops: Ops) -> None:
    _, _, error = ops.run("show", "dashbords")
    assert "did you mean dashboards? (status 404)" in error


def test_a_token_without_the_scope(ops: Ops) -> None:
    status, _, error = ops.run(*CHANGE, "--token", ops.server.token(READ))
    assert status == 1
    assert "the token lacks a scope (403): this needs limits:write" in error
    assert ops.run("list", "--token", ops.server.token(WRITE))[0] == 1
    assert ops.get().version == 0


def test_an_unknown_policy(ops: Ops) -> None:
    status, _, error = ops.run("show", "dashbords")
    assert status == 1
    assert "there is no policy 'dashbords'; did you mean dashboards?" in error


def test_without_a_database(ops_without_database: Ops) -> None:
    status, _, error = ops_without_database.run(*CHANGE)
    assert status == 1
    assert "Limits cannot be changed: the gateway has no database" in error
    assert "set database_url" in error
    assert "120/minute" in ops_without_database.print("list")


def test_nothing_listens(ops: Ops) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    status, _, error = ops.run("list", "--ops", f"http://127.0.0.1:{port}")
    assert status == 1
    assert f"no ops app can be reached at http://127.0.0.1:{port}" in error
    assert "`lockgate ops` runs with `ops.audience` set" in error


def test_a_port_without_tls(ops: Ops) -> None:
    url = ops.server.url.replace("http:", "https:")
    status, _, error = ops.run("list", "--ops", url)
    assert status == 1
    assert f"no TLS connection to {url}: this port speaks no TLS" in error
    assert "is its URL http://…?" in error


@contextmanager
def serve(status: int, kind: str, body: bytes) -> Iterator[str]:
    """Serve one response to every request."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_PATCH = do_POST = do_GET  # noqa: N815 - names of the library

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


PROBLEM = "application/problem+json"


@pytest.mark.parametrize(
    ("status", "kind", "body", "message"),
    [
        (200, "text/html", "<html>", "is not that of an ops app of this version"),
        (200, "application/json", '{"limits": [{}]}', "of this version: limits.0.name: Field requ"),
        (404, "text/html", "no", "another program than an ops app responds"),
        (302, "text/html", "", "another program than an ops app responds"),
        (503, PROBLEM, {"detail": "There is no database."}, "There is no database. (status 503)"),
        (428, PROBLEM, {"detail": "Send If-Match."}, "does a proxy in between remove it?"),
        (400, PROBLEM, {"detail": "The path is malformed."}, "malformed. (status 400)"),
        (
            421,
            PROBLEM,
            {"detail": "Another host."},
            "Another host. (421: add the host of the URL to",
        ),
        (500, PROBLEM, "not JSON", "status 500"),
        (500, PROBLEM, {"detail": "a\x1b[2Jb\u202ec"}, r"a\x1b[2Jb\u202ec (status 500)"),
        (422, PROBLEM, {"errors": [{"field": "rate", "message": "is wrong"}]}, "rate: is wrong"),
        (422, PROBLEM, {"errors": [], "detail": "All of it."}, "lockgate: All of it."),
        (403, PROBLEM, {"detail": "Another reason."}, "Another reason. (403)"),
    ],
)
def test_what_a_server_may_say(
    status: int, kind: str, body: object, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    with serve(status, kind, text.encode()) as url:
        expected = 2 if status == 422 else 1
        assert main(["limits", "list", "--ops", url, "--token", "a.b.c"]) == expected
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.out == ""
    assert "a.b.c" not in printed.err


def test_a_response_without_end_is_given_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ops_client, "_MAX_DOCUMENT_BYTES", 10_000)
    with serve(200, "application/json", b" " * 100_000) as url:
        assert main(["limits", "list", "--ops", url]) == 1
    assert "a response has more than 10000 bytes" in capsys.readouterr().err


def test_a_server_that_does_not_respond(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        address = OpsAddress(url, None)
        with (
            OpsClient(address, 0.05) as client,
            pytest.raises(OpsUnreachable) as read,
        ):
            client.list_limits()
        with (
            OpsClient(address, 0.05) as client,
            pytest.raises(OpsUnreachable) as change,
        ):
            client.roll_back("a", 1, "a", version=2)
    assert "does not respond in time" in str(read.value)
    assert "it may have made the change" not in str(read.value)
    assert "it may have made the change: see `lockgate limits history`" in str(change.value)
