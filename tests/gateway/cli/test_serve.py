"""`lockgate serve` refuses to start with an error that names the cause."""

import json
import os
import socket
import sys
from pathlib import Path

import pytest

from gateway.cli.main import main
from tests.gateway.cli.conftest import KEYS


def test_serve_refuses_to_start_without_an_issuer(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve"]) == 2
    message = capsys.readouterr().err
    assert "issuers: no identity provider is set" in message
    assert "LOCKGATE_ISSUERS" in message


@pytest.mark.parametrize("content", ["{}", "not json", '{"keys": []}'])
def test_serve_refuses_a_key_file_without_keys(
    issuer: Path, content: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer.write_text(content)
    monkeypatch.setenv("LOCKGATE_SERVER__PORT", "0")
    assert main(["serve"]) == 2
    assert str(issuer) in capsys.readouterr().err


def test_serve_prints_the_errors_that_check_prints(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCKGATE_LIMITS__DASHBORDS", "1/second")
    monkeypatch.setenv("LOCKGATE_APP__PACKAGE", "no_such_package")
    assert main(["check"]) == main(["serve"]) == 2
    printed = capsys.readouterr()
    assert printed.err.splitlines() == [f"lockgate: {line}" for line in printed.out.splitlines()]
    assert len(printed.out.splitlines()) == 1


def test_a_port_in_use_is_reported(
    issuer: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer.write_bytes(KEYS)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        monkeypatch.setenv("LOCKGATE_SERVER__HOST", "127.0.0.1")
        monkeypatch.setenv("LOCKGATE_SERVER__PORT", str(port))
        assert main(["serve"]) == 1
    error = capsys.readouterr().err
    assert f"server.port: cannot listen on 127.0.0.1:{port}: " in error
    assert f"(process {os.getpid()}) listens there" in error


def test_an_ops_port_in_use_is_reported(
    issuer: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer.write_bytes(KEYS)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        monkeypatch.setenv("LOCKGATE_SERVER__HOST", "127.0.0.1")
        monkeypatch.setenv("LOCKGATE_SERVER__PORT", "0")
        monkeypatch.setenv("LOCKGATE_OPS__AUDIENCE", "operators")
        monkeypatch.setenv("LOCKGATE_OPS__PORT", str(port))
        assert main(["serve"]) == main(["ops"]) == 1
    error = capsys.readouterr().err
    assert f"ops.port: cannot listen on 127.0.0.1:{port}: " in error
    assert "(set LOCKGATE_OPS__PORT to a free port)" in error


def test_check_says_where_the_ops_api_runs_with_several_processes(
    issuer: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    issuer.write_bytes(KEYS)
    monkeypatch.setenv("LOCKGATE_OPS__AUDIENCE", "operators")
    monkeypatch.setenv("LOCKGATE_COUNTERS__PROCESSES", "3")
    assert main(["check"]) == 0
    note = "The ops API runs with `lockgate ops`, because counters.processes is 3."
    assert note in capsys.readouterr().out.splitlines()


def test_lockgate_ops_needs_an_audience(issuer: Path, capsys: pytest.CaptureFixture[str]) -> None:
    issuer.write_bytes(KEYS)
    assert main(["ops"]) == 2
    assert "ops.audience: is not set" in capsys.readouterr().err


def test_a_host_that_cannot_be_resolved_is_reported(
    issuer: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    issuer.write_bytes(KEYS)
    assert main(["serve", "--host", "no-such-host.invalid"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("lockgate: --host: the host cannot be resolved: ")
    assert "(got 'no-such-host.invalid'; " in error


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("raise OSError('no redis://:s3cret@h')", "OSError"),
        ("raise SystemExit(3)", "SystemExit"),
        ("__import__('json').loads('')", "JSONDecodeError"),
    ],
)
def test_a_lifespan_that_fails_is_logged_with_its_traceback(  # noqa: PLR0917
    tmp_path: Path,
    issuer: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    statement: str,
    error: str,
) -> None:
    issuer.write_bytes(KEYS)
    package = tmp_path / "kiosk_lifespan"
    for name in [name for name in sys.modules if name.startswith(package.name)]:
        monkeypatch.delitem(sys.modules, name)
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "limits.py").write_text(
        "from gateway.ratelimit import RateLimit\nALL = RateLimit('all', '1/second')\n"
    )
    (package / "lifespan.py").write_text(
        "from contextlib import asynccontextmanager\n"
        "@asynccontextmanager\nasync def lifespan(resources):\n"
        f"    {statement}\n    yield\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("LOCKGATE_APP__PACKAGE", "kiosk_lifespan")
    assert main(["serve", "--host", "127.0.0.1", "--port", "0"]) == 1
    *events, line = capsys.readouterr().err.splitlines()
    assert line == (
        f"lockgate: the lifespan of the package failed: {error} in {package / 'lifespan.py'}:4; "
        "its traceback is in the log"
    )
    (failed,) = [event for event in map(json.loads, events) if event["event"] == "lifespan.failed"]
    assert statement in failed["exception"]
