"""Nothing blocks or hides the event loop: no such middleware, no dependency in a thread."""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from config.settings import Settings
from gateway.app import create_app
from tests.architecture.sources import PACKAGES, imported, python_files, shown, tree

BLOCKING = {"requests", "urllib3", "time.sleep"}

HTTPX_IN_THE_GATEWAY = {
    "gateway/auth/jwks.py",
    "gateway/testing/gateway.py",
    "gateway/testing/script.py",
    "gateway/upstreams.py",
}


@pytest.mark.parametrize("file", python_files(*PACKAGES), ids=shown)
def test_no_middleware_that_hides_a_disconnect_and_no_blocking_client(file: Path) -> None:
    names = {node.id for node in ast.walk(tree(file)) if isinstance(node, ast.Name)}
    assert "BaseHTTPMiddleware" not in names
    assert "SlowAPIMiddleware" not in names
    assert not imported(file) & BLOCKING


def test_few_modules_import_httpx() -> None:
    found = {shown(file) for file in python_files("gateway") if "httpx" in imported(file)}
    assert found == HTTPX_IN_THE_GATEWAY
    assert not [file for file in python_files("config") if "httpx" in imported(file)]


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
