"""Nothing blocks or hides the event loop: no such middleware, no dependency in a thread."""

import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.app import create_app
from gateway.fastapi_internals import Dependant, iter_route_contexts
from gateway.settings.schema import Settings
from tests.architecture.sources import PACKAGES, imported, named, python_files, shown

BLOCKING_PACKAGES = {"requests", "urllib3"}
BLOCKING_CALLS = {"time.sleep"}
HIDE_A_DISCONNECT = {"BaseHTTPMiddleware", "SlowAPIMiddleware"}

HTTPX_FOLDERS = ("gateway/transport/", "gateway/upstream/")
HTTPX_ELSEWHERE = {
    "gateway/auth/jwks/fetch.py",
    "gateway/testing/gateway.py",
    "gateway/testing/scripted_service.py",
    "gateway/services.py",
}


def test_nothing_blocks_the_loop_and_no_middleware_hides_a_disconnect() -> None:
    culprits = {
        shown(file): found
        for file in python_files(*PACKAGES)
        if (found := imported(file) & BLOCKING_PACKAGES)
        or (found := named(file) & (BLOCKING_CALLS | HIDE_A_DISCONNECT))
    }
    assert not culprits


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import time\ntime.sleep(1)", "time.sleep"),
        ("from time import sleep", "time.sleep"),
        ("from starlette.middleware.base import BaseHTTPMiddleware", "BaseHTTPMiddleware"),
        ("class Mine(base.BaseHTTPMiddleware): ...", "BaseHTTPMiddleware"),
    ],
)
def test_a_culprit_would_be_found(tmp_path: Path, source: str, found: str) -> None:
    file = tmp_path / "culprit.py"
    file.write_text(source)
    assert found in named(file)


def test_few_modules_import_httpx() -> None:
    found = {shown(file) for file in python_files(*PACKAGES) if "httpx" in imported(file)}
    assert {file for file in found if not file.startswith(HTTPX_FOLDERS)} == HTTPX_ELSEWHERE


def test_no_route_or_dependency_runs_in_a_thread() -> None:
    seen = 0
    for route in iter_route_contexts(create_app(Settings()).routes):
        for call in calls(route.dependant):
            seen += 1
            assert inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(
                type(call).__call__
            ), f"{route.path}: {call}"
    assert seen > 20


def calls(dependant: Dependant) -> Iterator[object]:
    if dependant.call:
        yield dependant.call
    for inner in dependant.dependencies:
        yield from calls(inner)
