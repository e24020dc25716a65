"""The scope of another target is read as that of a direct request is."""

import pytest
from starlette.types import Scope

from gateway.request_context import RequestContext
from gateway.request_path import InvalidPath
from gateway.routing.target_scope import build_target_scope


def build_scope(root_path: str = "") -> Scope:
    return {
        "type": "http",
        "method": "POST",
        "path": root_path + "/auth/verify",
        "raw_path": f"{root_path}/auth/verify".encode(),
        "query_string": b"old=1",
        "root_path": root_path,
        "headers": [(b"host", b"x")],
        "route": object(),
        "endpoint": object(),
        "path_params": {"old": "1"},
    }


def test_a_target_replaces_method_path_and_query() -> None:
    scope = build_scope()
    target = build_target_scope(scope, "GET", b"/a%20b/c%2Fd", b"x=%2B")
    assert target["method"] == "GET"
    assert target["path"] == "/a b/c%2Fd"
    assert target["raw_path"] == b"/a%20b/c%2Fd"
    assert target["query_string"] == b"x=%2B"
    assert target["headers"] is scope["headers"]
    assert target.keys().isdisjoint({"route", "endpoint", "path_params"})
    assert scope["path"] == "/auth/verify"


def test_the_context_is_that_of_the_request() -> None:
    scope = build_scope()
    context = RequestContext.of(scope)
    assert RequestContext.of(build_target_scope(scope, "GET", b"/")) is context


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (b"/api/a", "/a"),
        (b"/a", "/a"),
        (b"/apia", "/apia"),
        (b"/api", "/api"),
        (b"/api/api", "/api"),
    ],
)
def test_a_prefix_is_no_part_of_the_path(path: bytes, found: str) -> None:
    target = build_target_scope(build_scope("/api"), "GET", path)
    assert (target["path"], target["raw_path"]) == (found, found.encode())
    assert target["root_path"] == ""


@pytest.mark.parametrize("path", [b"/a//b", b"/a/../b", b"/%61", b"/%zz", b"/a\\b", b"/%ff"])
def test_a_path_that_a_request_may_not_have_is_refused(path: bytes) -> None:
    with pytest.raises(InvalidPath):
        build_target_scope(build_scope(), "GET", path)
