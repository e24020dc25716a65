"""`lockgate check` finds errors in the settings, and names the correct setting."""

import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from signal import Signals
from typing import Any, cast
from unittest.mock import AsyncMock

import pytest

from gateway.app import Gateway, build_app
from gateway.app_loader import Application, read_application
from gateway.cli import check, serve
from gateway.cli.main import main
from gateway.cli.signals import ShutdownSignals
from gateway.identity.key_file_rotation import rotate_key_file
from gateway.ratelimit.live.write_limit import change_limit
from gateway.settings.errors import ConfigError
from gateway.settings.schema import App, Server, Settings
from gateway.storage.journal import Author
from gateway.storage.open_storage import create_database
from tests.databases import create_file
from tests.gateway.cli.conftest import KEYS


def test_check_prints_one_sentence_if_there_is_no_error(
    issuer: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    issuer.write_bytes(KEYS)
    assert main(["check"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == (
        "The configuration is valid: "
        "6 routes, 1 proxied route, 1 composite, 2 services, 1 policy. "
        "The package is tests.sample (app.package)."
    )


def test_check_names_the_features_that_are_off(
    issuer: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    issuer.write_bytes(KEYS)
    assert main(["check"]) == 0
    assert capsys.readouterr().out.splitlines()[1] == (
        "These features are off: revocations (needs database_url); API keys (needs database_url); "
        "OAuth (needs database_url, identity.issuer, identity.key_file); "
        "the ops API (needs ops.audience)."
    )
    monkeypatch.setenv("LOCKGATE_OPS__AUDIENCE", "operators")
    assert main(["check"]) == 0
    assert "; changes of limits (needs database_url)." in capsys.readouterr().out
    monkeypatch.delenv("LOCKGATE_OPS__AUDIENCE")
    monkeypatch.setenv("LOCKGATE_DATABASE_URL", f"sqlite:///{tmp_path}/lockgate.db")
    assert main(["check"]) == 0
    assert "off: OAuth (needs identity.issuer" in capsys.readouterr().out
    rotate_key_file(tmp_path / "signing.jwks", "ES256", time.time())
    monkeypatch.setenv("LOCKGATE_IDENTITY__ISSUER", "https://gateway.test")
    monkeypatch.setenv("LOCKGATE_IDENTITY__SIGNING_KEY_FILE", str(tmp_path / "signing.jwks"))
    assert main(["check"]) == 0
    off = "These features are off: the ops API (needs ops.audience)."
    assert capsys.readouterr().out.splitlines()[1:] == [off]
    monkeypatch.setenv("LOCKGATE_COUNTERS__PROCESSES", "2")
    assert main(["check"]) == 0
    assert "DPoP (needs redis_url)." in capsys.readouterr().out
    monkeypatch.delenv("LOCKGATE_COUNTERS__PROCESSES")
    # A gateway that issues tokens needs no provider.
    monkeypatch.setenv("LOCKGATE_ISSUERS", "[]")
    assert main(["check"]) == 0
    monkeypatch.delenv("LOCKGATE_DATABASE_URL")
    assert main(["check"]) != 0
    assert "no identity provider is set" in capsys.readouterr().out


def test_check_counts_no_pages_that_are_turned_off(
    issuer: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    issuer.write_bytes(KEYS)
    monkeypatch.setenv("LOCKGATE_SERVER__DOCS", "false")
    assert main(["check"]) == 0
    assert "valid: 3 routes, 1 proxied route" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("variable", "value", "path", "hint"),
    [
        ("LOCKGATE_LIMITS__DASHBORDS", "1/second", "limits.dashbords", "dashboards"),
        ("LOCKGATE_UPSTREAMS__ODERS__URL", "http://h", "upstreams.oders", "orders"),
        ("LOCKGATE_SERVER__PROT", "1", "server.prot", "port"),
    ],
)
def test_check_names_the_setting_and_the_nearest_correct_name(  # noqa: PLR0917
    issuer: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variable: str,
    value: str,
    path: str,
    hint: str,
) -> None:
    issuer.write_bytes(KEYS)
    monkeypatch.setenv(variable, value)
    assert main(["check", "--json"]) == 2
    (error,) = json.loads(capsys.readouterr().out)
    assert error["path"] == path
    assert error["hint"] == f"did you mean {hint}?"


def test_check_names_a_missing_key_file(issuer: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 2
    assert str(issuer) in capsys.readouterr().out


@pytest.mark.parametrize("subcommand", ["check", "serve"])
def test_routes_that_openapi_cannot_describe_are_reported(
    subcommand: str,
    tmp_path: Path,
    issuer: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    issuer.write_text("{}")
    folder = tmp_path / "shelf_ids" / "composites"
    folder.mkdir(parents=True)
    for file in (folder.parent / "__init__.py", folder / "__init__.py"):
        file.touch()
    (folder / "page.py").write_text(
        "from fastapi import APIRouter\n"
        "from gateway.auth import public\n"
        "router = APIRouter(dependencies=[public('a test')])\n"
        "async def get_page() -> int: return 1\n"
        "for path in ('/a', '/b'):\n"
        "    router.get(path, operation_id='same')(get_page)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("LOCKGATE_APP__PACKAGE", "shelf_ids")
    assert main([subcommand]) == 2
    printed = capsys.readouterr()
    error = "GET /b: operation_id 'same' is declared by GET /a and GET /b (give each operation"
    assert error in printed.out + printed.err


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        (
            "@router.get('/page')\ndef get_page() -> int: return 1",
            "GET /page",
            'add requires("scope") or public("why") to its dependencies',
        ),
        (
            (
                "@router.get('/a', dependencies=[requires()], operation_id='same')\n"
                "@router.get('/b', dependencies=[requires()], operation_id='same')\n"
                "def get_page() -> int: return 1"
            ),
            "GET /a",
            "operation_id 'same' is declared by GET /b and GET /a",
        ),
        (
            (
                "class Page: ...\n@router.get('/a', dependencies=[requires()])\n"
                "def get_page() -> Page: return Page()"
            ),
            "acme_check.composites.page",
            "cannot be imported: FastAPIError: Invalid args for response field!",
        ),
        (
            "router.add_api_route('', lambda: 1, dependencies=[requires()])",
            "composites",
            "a route cannot be added: FastAPIError: Prefix and path cannot be both empty",
        ),
        ("router = None", "acme_check.composites.page", "there is no `router = APIRouter()`"),
        ("1 + ''", "acme_check.composites.page", "cannot be imported: TypeError: unsupported"),
        (
            "from fastapi import Form\n@router.post('/form')\ndef post(name: str = Form()): ...",
            "acme_check.composites.page",
            'cannot be imported: RuntimeError: Form data requires "python-multipart" to be',
        ),
    ],
)
def test_check_and_serve_report_an_error_in_the_code_of_the_package(  # noqa: PLR0917
    issuer: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    text: str,
    path: str,
    message: str,
) -> None:
    issuer.write_bytes(KEYS)
    folder = tmp_path / "acme_check" / "composites"
    folder.mkdir(parents=True)
    imports = "from fastapi import APIRouter\nfrom gateway.auth import requires\n"
    page = f"{imports}router = APIRouter()\n{text}\n"
    (folder / "page.py").write_text(page)
    for file in (folder.parent / "__init__.py", folder / "__init__.py"):
        file.touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("LOCKGATE_APP__PACKAGE", "acme_check")
    try:
        assert main(["check", "--json"]) == 2
        (error,) = json.loads(capsys.readouterr().out)
        assert error["path"] == path
        assert error["message"].startswith(message)
        assert main(["serve"]) == 2
        assert f"{path}: {message}" in capsys.readouterr().err
    finally:
        for module in [name for name in sys.modules if name.startswith("acme_check")]:
            del sys.modules[module]


@pytest.mark.parametrize("command", ["check", "serve"])
def test_a_valid_gateway_is_built_once(
    issuer: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    issuer.write_bytes(KEYS)
    built, imported, served = list[object](), list[object](), list[object]()

    def build(*arguments: Any) -> Gateway:
        built.append(build_app(*arguments))
        return cast("Gateway", built[-1])

    def read(app: App) -> tuple[Application, list[ConfigError]]:
        imported.append(app)
        return read_application(app)

    @asynccontextmanager
    async def open_server(app: Gateway, _: Server) -> AsyncIterator[AsyncMock]:
        served.append(app)
        yield AsyncMock()

    async def wait(_: ShutdownSignals) -> Signals:
        return Signals.SIGINT

    monkeypatch.setattr(check, "build_app", build)
    monkeypatch.setattr(check, "read_application", read)
    monkeypatch.setattr(serve, "open_server", open_server)
    monkeypatch.setattr(ShutdownSignals, "wait", wait)
    monkeypatch.setattr(serve, "tune_gc", lambda: None)
    assert main([command]) == 0
    assert len(built) == len(imported) == 1
    assert served == (built if command == "serve" else [])


def test_a_module_that_cannot_be_imported_hides_no_route_of_another(
    tmp_path: Path,
    issuer: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    issuer.write_bytes(KEYS)
    composites = tmp_path / "kiosk" / "composites"
    composites.mkdir(parents=True)
    for folder in (composites.parent, composites):
        (folder / "__init__.py").touch()
    (composites / "a.py").write_text("1 / 0")
    (composites / "b.py").write_text(
        "from fastapi import APIRouter\nrouter = APIRouter()\n"
        "@router.get('/open')\nasync def get_open() -> int: return 1\n"
    )
    (composites.parent / "clients.py").write_text("import no_such_module")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("LOCKGATE_APP__PACKAGE", "kiosk")
    monkeypatch.setenv("LOCKGATE_UPSTREAMS__ORDERS__URL", "http://orders.internal")
    assert main(["check", "--json"]) == 2
    paths = [error["path"] for error in json.loads(capsys.readouterr().out)]
    assert paths == ["kiosk.clients", "kiosk.composites.a", "GET /open"]


def test_middleware_that_cannot_be_built_and_a_route_declared_twice_are_errors(
    tmp_path: Path,
    issuer: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    issuer.write_bytes(KEYS)
    package = tmp_path / "kiosk_middleware"
    (package / "routers").mkdir(parents=True)
    for folder in (package, package / "routers"):
        (folder / "__init__.py").touch()
    (package / "middleware.py").write_text(
        "from starlette.middleware import Middleware\n"
        "class Stamp:\n    def __init__(self, app, value): pass\n"
        "middleware = [Middleware(Stamp, valeu=1)]\n"
    )
    for name in ("one", "two"):
        (package / "routers" / f"{name}.py").write_text(
            "from fastapi import APIRouter\nfrom gateway.auth import public\n"
            "router = APIRouter(dependencies=[public('a test')])\n"
            f"@router.get('/page')\nasync def get_{name}() -> int: return 1\n"
        )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("LOCKGATE_APP__PACKAGE", "kiosk_middleware")
    assert main(["check"]) == main(["serve"]) == 2
    twice, middleware = capsys.readouterr().out.splitlines()
    assert twice.startswith("GET /page: is declared twice, in ")
    assert "one.py:4" in twice
    assert "two.py:4" in twice
    assert middleware.startswith("kiosk_middleware.middleware: cannot be built: TypeError: ")


def test_a_missing_package_is_not_hidden_behind_the_issuers_of_its_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOCKGATE_APP__PACKAGE", "no_such_package")
    assert main(["check"]) == 2
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("LOCKGATE_APP__PACKAGE: there is no package called 'no_such_package'")


def test_an_invalid_url_of_the_database_is_one_error(
    issuer: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    issuer.write_bytes(KEYS)
    monkeypatch.setenv("LOCKGATE_DATABASE_URL", "mysql://127.0.0.1/lockgate")
    monkeypatch.setenv("LOCKGATE_IDENTITY__ISSUER", "https://gateway.test")
    monkeypatch.setenv("LOCKGATE_IDENTITY__KEY_FILE", str(tmp_path / "keys.jwks"))
    assert main(["check"]) == 2
    assert capsys.readouterr().out.count("\n") == 1


def test_check_notes_a_file_that_others_can_read_and_a_server_that_is_down(
    issuer: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    issuer.write_bytes(KEYS)
    file = tmp_path / "lockgate.db"
    file.touch(0o600)
    monkeypatch.setenv("LOCKGATE_DATABASE_URL", f"sqlite:///{file}")
    assert main(["check"]) == 0
    assert "0600" not in capsys.readouterr().out
    file.chmod(0o644)
    assert main(["check"]) == 0
    words = f"Other users can read the database: {file} has the mode 0644; set 0600."
    assert words in capsys.readouterr().out
    monkeypatch.setenv("LOCKGATE_DATABASE_URL", "postgresql://127.0.0.1:1/lockgate")
    assert main(["check"]) == 0
    words = "The database was not checked: the database cannot be used: no server listens at"
    assert words in capsys.readouterr().out


def test_check_and_serve_name_the_variable_of_a_file_that_cannot_be_used(
    issuer: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    issuer.write_bytes(KEYS)
    file = tmp_path / "missing" / "lockgate.db"
    monkeypatch.setenv("LOCKGATE_DATABASE_URL", f"sqlite:///{file}")
    expected = (
        f"LOCKGATE_DATABASE_URL: the database {file} cannot be used: its folder does not exist"
    )
    assert main(["check"]) == 2
    assert capsys.readouterr().out.strip() == expected
    assert main(["serve"]) == 2
    assert expected in capsys.readouterr().err


def test_check_names_the_live_limits_that_a_start_would_skip(
    issuer: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    issuer.write_bytes(KEYS)
    url = create_file(tmp_path)
    monkeypatch.setenv("LOCKGATE_DATABASE_URL", url)

    def store(policy: str, document: str) -> None:
        database = create_database(Settings(database_url=url))
        author = Author("jane", "incident 7")
        write = partial(change_limit, policy=policy, document=document, if_version=0, author=author)
        database.write_now(write)
        database.close()

    store("dashboards", '{"rate":"30/minute"}')
    assert main(["check"]) == 0
    assert "live limit" not in capsys.readouterr().out
    store("removed", '{"rate":"30/minute"}')
    assert main(["check"]) == 0
    words = "The live limit of removed (version 1) is not used: the code declares no such policy."
    assert words in capsys.readouterr().out
