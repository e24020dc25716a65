"""Failures of the parts of a composite: one that is a single call, and one that is a coroutine."""

import asyncio
import sys
from typing import Annotated, Any

from gateway.aggregation import Composed, Composite, Part
from gateway.resources import Upstream
from gateway.upstream import PendingCall
from tests.gateway.errors.served import Items
from tests.gateway.errors.way import CALLERS, Way
from tests.gateway.errors.ways_in_endpoints import Unprintable


def begin_invalid_call(items: Upstream[Items]) -> PendingCall[None]:
    return items.get("/{name}", into=type(None), name="..")


async def await_invalid_call(items: Upstream[Items]) -> None:
    await items.get("/{name}", into=type(None), name="..")


def begin_wrong_call(items: Upstream[Items]) -> PendingCall[None]:
    return items.get("/{name}", into=type(None))


async def fail_without_text() -> None:
    raise Unprintable


async def leave() -> None:
    sys.exit("hunter2")


async def cancel() -> None:
    raise asyncio.CancelledError


def load_required(fetch: Any) -> Any:
    class Page(Composite):
        """A page with one required part."""

        part: Annotated[None, Part(fetch)]

    async def get_page(page: Composed[Page]) -> Page:
        return page

    return get_page


def load_optional(fetch: Any) -> Any:
    class Page(Composite):
        """A page with one optional part."""

        part: Annotated[int | None, Part(fetch)] = None

    async def get_page(page: Composed[Page]) -> Page:
        return page

    return get_page


DEGRADED: dict[str, Any] = {"status": 200, "type": None, "event": "part.failed"}

PARTS = [
    Way("required call", load_required(begin_invalid_call), **CALLERS),
    Way("required coroutine", load_required(await_invalid_call), **CALLERS),
    Way("required wrong call", load_required(begin_wrong_call)),
    Way("required without text", load_required(fail_without_text)),
    Way("required exits", load_required(leave)),
    Way("required cancels", load_required(cancel)),
    Way("optional call", load_optional(begin_invalid_call), **DEGRADED, is_unexpected=False),
    Way("optional coroutine", load_optional(await_invalid_call), **DEGRADED, is_unexpected=False),
    Way("optional wrong call", load_optional(begin_wrong_call), **DEGRADED),
    Way("optional without text", load_optional(fail_without_text), **DEGRADED),
    Way("optional exits", load_optional(leave), **DEGRADED),
]
