"""Rules of asynchronous code: no blocking calls, no BaseHTTPMiddleware, no threads."""

import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.app import create_app
from gateway.fastapi_internals import Dependant, iter_route_contexts
from gateway.settings.schema import App, Settings
from tests.architecture.sources import (
    PACKAGES,
    find_imports,
    find_names,
    get_relative_path,
    list_python_files,
)

BLOCKING_PACKAGES = {"requests", "urllib3"}
BLOCKING_CALLS = {"time.sleep"}
BANNED_MIDDLEWARE = {"BaseHTTPMiddleware", "SlowAPIMiddleware"}

FOLDERS_WITH_HTTPX = ("gateway/testing/", "gateway/transport/", "gateway/upstream/")
OTHER_MODULES_WITH_HTTPX = {
    "gateway/auth/jwks/document.py",
    "gateway/auth/jwks/fetch.py",
    "gateway/auth/jwks/proxy_transport.py",
    "gateway/auth/jwks/fetch_error.py",
    "gateway/cli/limits/ops_client.py",
    "gateway/open_clients.py",
    "gateway/proxy/upstream/direct_upstream.py",
    "gateway/proxy/upstream/httpx_upstream.py",
}


def test_no_blocking_call_and_no_middleware_that_hides_a_disconnect() -> None:
    violations = {
        get_relative_path(file): found
        for file in list_python_files(*PACKAGES)
        if (found := find_imports(file) & BLOCKING_PACKAGES)
        or (found := find_names(file) & (BLOCKING_CALLS | BANNED_MIDDLEWARE))
    }
    assert not violations


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import time\ntime.sleep(1)", "time.sleep"),
        ("from time import sleep", "time.sleep"),
        ("from starlette.middleware.base import BaseHTTPMiddleware", "BaseHTTPMiddleware"),
        ("class Mine(base.BaseHTTPMiddleware): ...", "BaseHTTPMiddleware"),
    ],
)
def test_the_rule_detects_a_violation(tmp_path: Path, source: str, found: str) -> None:
    file = tmp_path / "violation.py"
    file.write_text(source)
    assert found in find_names(file)


def test_only_listed_modules_import_httpx() -> None:
    found = {
        get_relative_path(file)
        for file in list_python_files(*PACKAGES)
        if "httpx" in find_imports(file)
    }
    assert {
        file for file in found if not file.startswith(FOLDERS_WITH_HTTPX)
    } == OTHER_MODULES_WITH_HTTPX


def test_no_route_or_dependency_runs_in_a_thread() -> None:
    checked = 0
    sample = Settings(app=App(package="tests.sample"))
    for route in iter_route_contexts(create_app(sample).routes):
        for call in iterate_calls(route.dependant):
            checked += 1
            assert inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(
                type(call).__call__
            ), f"{route.path}: {call}"
    assert checked > 10


def iterate_calls(dependant: Dependant) -> Iterator[object]:
    if dependant.call:
        yield dependant.call
    for inner in dependant.dependencies:
        yield from iterate_calls(inner)
