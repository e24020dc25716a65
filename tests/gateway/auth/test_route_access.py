"""The access that a route declares."""

from collections.abc import Callable
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends

from gateway.auth import Caller, owner, public, requires
from gateway.auth.dependencies import Public
from gateway.auth.principal import Principal
from gateway.auth.route_access import Requires, find_access


async def _needs_b(_: Annotated[Principal, requires("b")]) -> None:
    """A dependency that brings its own guard."""


async def _calls(caller: Caller) -> str:
    return caller.subject


ACCESS: dict[str, tuple[list[object], Requires | Public | None]] = {
    "nothing": ([], None),
    "another dependency": ([Depends(lambda: None)], None),
    "no scope": ([requires()], Requires(())),
    "scopes": ([requires("a", "b")], Requires(("a", "b"))),
    "scopes twice": ([requires("a"), requires("a", "c")], Requires(("a", "c"))),
    "scopes within": ([requires("a"), Depends(_needs_b)], Requires(("a", "b"))),
    "an owner": ([requires("a"), owner("user_id")], Requires(("a",), "user_id")),
    "an owner, no scope": ([requires(), owner("user_id")], Requires((), "user_id")),
    "public": ([public("why")], Public("why")),
    "public twice": ([public("why"), public("not")], Public("why")),
}


def _dependant(guards: list[object], endpoint: Callable[..., object]) -> Requires | Public | None:
    router = APIRouter()
    router.add_api_route("/{user_id}", endpoint, dependencies=guards)  # type: ignore[arg-type]
    return find_access(router.routes[0].dependant)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ACCESS)
def test_access_is_read_from_a_route(name: str) -> None:
    guards, access = ACCESS[name]
    assert _dependant(guards, lambda: None) == access


def test_caller_alone_is_no_access_declaration() -> None:
    assert _dependant([], _calls) is None


@pytest.mark.parametrize(
    ("guards", "message"),
    [
        ([public("why"), requires("a")], "public"),
        ([public("why"), owner("user_id")], "public"),
        ([owner("user_id")], r"owner\(...\) needs requires"),
        ([owner("user_id"), requires("a")], "after"),
        ([requires("a"), owner("id")], "no such parameter"),
        ([requires("a"), owner("user_id"), owner("user_id")], "more than one"),
    ],
)
def test_contradictory_declarations_are_a_value_error(guards: list[object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _dependant(guards, lambda: None)
