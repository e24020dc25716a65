"""`FromPart`: parts that take the result of another part; in virtual time and on real sockets."""

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise, product
from typing import Annotated, Any

import pytest
from fastapi import APIRouter
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from gateway.aggregation import Composed, Composite, FromPart, Part
from gateway.aggregation.executor import PartExecutor, SharingPartExecutor, compose
from gateway.aggregation.from_part import PartResult, find_cycle
from gateway.app_loader import Application
from gateway.auth import public
from gateway.request_context import RequestContext
from gateway.resources import Upstream
from gateway.settings.schema import Settings
from gateway.telemetry.log import LogEvent
from gateway.testing import lockgate, run_in_virtual_time
from gateway.upstream import (
    PendingCall,
    ResponseModel,
    ServiceClient,
    UpstreamError,
    UpstreamTimeout,
    UpstreamUnavailable,
)

calls: list[str] = []
ended: list[str] = []


@pytest.fixture(autouse=True)
def _clear() -> None:
    calls.clear()
    ended.clear()


async def load_user(outcome: str, delay: float) -> str:
    calls.append("user")
    try:
        await asyncio.sleep(delay)
    except asyncio.CancelledError:
        ended.append("user cancelled")
        raise
    if outcome == "unavailable":
        raise UpstreamUnavailable("users", "GET /users/7")
    if outcome == "bug":
        raise ZeroDivisionError
    return "ada"


async def load_offers(user: FromPart[str]) -> str:
    return f"offers for {await user}"


async def load_news(user: FromPart[str], delay: float) -> str:
    """Load while the user is loading, and survive its failure."""
    await asyncio.sleep(delay / 2)
    try:
        return f"news for {await user}"
    except UpstreamError as error:
        return f"news for all, {error.reason}"


class Page(Composite, budget=2):
    user: Annotated[str, Part(load_user)]
    offers: Annotated[str, Part(load_offers)] = "none"
    news: Annotated[str, Part(load_news)] = "none"


class Partial(Composite, budget=2):
    offers: Annotated[str, Part(load_offers)] = "none"
    user: Annotated[str, Part(load_user, timeout=1)] = "unknown"
    news: Annotated[str, Part(load_news)] = "none"


class Strict(Composite, budget=2):
    user: Annotated[str, Part(load_user, timeout=1)] = "unknown"
    offers: Annotated[str, Part(load_offers)]


class Impatient(Composite, budget=2):
    user: Annotated[str, Part(load_user)]
    offers: Annotated[str, Part(load_offers, timeout=0.2)] = "none"
    news: Annotated[str, Part(load_news)] = "none"


def load(model: type[Composite], outcome: str = "ok", delay: float = 0.5) -> dict[str, Any]:
    """Compose in virtual time; no task may be left."""

    async def run() -> dict[str, Any]:
        inputs = {"outcome": outcome, "delay": delay}
        try:
            built = await compose(model, inputs, RequestContext())
        finally:
            assert len(asyncio.all_tasks()) == 1
        page = built.model_dump()
        page["degraded"] = {missing["part"]: missing["reason"] for missing in page["degraded"]}
        return page

    return run_in_virtual_time(run())


def test_every_part_gets_the_result_of_one_call() -> None:
    assert load(Page) == {
        "user": "ada", "offers": "offers for ada", "news": "news for ada", "degraded": {},
    }  # fmt: skip
    assert calls == ["user"]


@pytest.mark.parametrize(
    ("outcome", "delay", "reason"),
    [("unavailable", 0.5, "unavailable"), ("ok", 5, "timeout"), ("unavailable", 0, "unavailable")],
)
def test_the_failure_of_an_optional_part_reaches_every_user(
    outcome: str, delay: float, reason: str
) -> None:
    page = load(Partial, outcome, delay)
    assert page == {
        "offers": "none", "user": "unknown",
        "news": "none" if delay > 4 else f"news for all, {reason}",
        "degraded": {"offers": reason, "user": reason} | ({"news": reason} if delay > 4 else {}),
    }  # fmt: skip
    assert calls == ["user"]


def test_the_failure_of_an_optional_part_fails_a_required_user() -> None:
    with pytest.raises(UpstreamUnavailable):
        load(Strict, "unavailable")
    with pytest.raises(UpstreamTimeout, match=r"over 1 s"):
        load(Strict, "ok", 5)


def test_a_bug_reaches_every_user_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    page = load(Partial, "bug")
    assert page["degraded"] == {"offers": "error", "user": "error", "news": "error"}
    (record,) = caplog.records
    assert isinstance(record, LogEvent)
    assert record.msg == "part.failed"
    assert record.fields["part"] == "user"
    assert "ZeroDivisionError" in caplog.text


def test_the_failure_of_a_required_part_ends_the_users() -> None:
    with pytest.raises(UpstreamUnavailable):
        load(Page, "unavailable")


def test_a_user_that_times_out_cancels_neither_the_call_nor_other_users() -> None:
    assert load(Impatient) == {
        "user": "ada", "offers": "none", "news": "news for ada",
        "degraded": {"offers": "timeout"},
    }  # fmt: skip
    assert ended == []


def test_a_cancelled_composition_cancels_the_call() -> None:
    async def leave_early() -> None:
        inputs = {"outcome": "ok", "delay": 9}
        work = asyncio.create_task(compose(Page, inputs, RequestContext()))
        await asyncio.sleep(0.1)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert len(asyncio.all_tasks()) == 1

    run_in_virtual_time(leave_early())
    assert ended == ["user cancelled"]


async def let_fail(model: type[Composite], inputs: dict[str, Any]) -> None:
    with suppress(UpstreamError, ZeroDivisionError):
        await compose(model, inputs, RequestContext())


@pytest.mark.parametrize("model", [Page, Partial, Strict, Impatient])
@pytest.mark.parametrize(("outcome", "delay"), [*product(["ok", "unavailable", "bug"], [0, 5])])
def test_no_outcome_leaves_a_reference_cycle(
    model: type[Composite], outcome: str, delay: float
) -> None:
    logging.disable()  # pytest keeps log records, and they the tracebacks
    gc.collect()
    gc.disable()
    try:
        run_in_virtual_time(let_fail(model, {"outcome": outcome, "delay": delay}))
        held = [it for it in gc.get_objects() if isinstance(it, PartExecutor | PartResult)]
    finally:
        gc.enable()
        logging.disable(logging.NOTSET)
    assert held == []


def test_a_result_cannot_be_awaited_after_the_composite_was_built() -> None:
    kept: list[Awaitable[str]] = []

    async def keep(user: FromPart[str]) -> str:
        kept.append(user)
        return "kept"

    class Keeping(Composite):
        user: Annotated[str, Part(load_user)]
        other: Annotated[str, Part(keep)]

    async def run() -> None:
        inputs = {"outcome": "ok", "delay": 0}
        await compose(Keeping, inputs, RequestContext())
        with pytest.raises(RuntimeError, match="has been built already"):
            await kept.pop()

    run_in_virtual_time(run())


# Checks at import.


async def take_number(user: FromPart[int]) -> str:
    return str(await user)


def take_without_await(user: FromPart[str]) -> PendingCall[str]:
    raise NotImplementedError


async def take_input(user: str) -> str:
    return user


async def take_second(second: FromPart[str]) -> str:
    return await second


async def take_first(first: FromPart[str]) -> str:
    return await first


def declare(**fields: Callable[..., Any]) -> type[Composite]:
    annotations = {name: Annotated[str, Part(fetch)] for name, fetch in fields.items()}
    return type("Declared", (Composite,), {"__annotations__": annotations})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"offers": load_offers}, r"Declared\.offers: there is no part 'user' to wait for"),
        (
            {"user": load_user, "offers": take_number},
            r"Declared\.offers: user is FromPart\[int\], but that part returns str",
        ),
        (
            {"user": load_user, "offers": take_without_await},
            "part offers: take_without_await takes the result of another part, but it cannot await",
        ),
        (
            {"user": load_user, "offers": load_offers, "other": take_input},
            r"Declared\.other: the input 'user' has the name of a part",
        ),
        (
            {"first": take_second, "second": take_first},
            "Declared: parts wait for each other: first -> second -> first",
        ),
        ({"first": take_first}, "Declared: parts wait for each other: first -> first"),
    ],
)
def test_a_result_that_no_part_has_is_refused(
    fields: dict[str, Callable[..., Any]], message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        declare(**fields)


def test_cycles_of_any_length_are_found() -> None:
    assert find_cycle({"a": ["b"], "b": ["c"], "c": []}) is None
    assert find_cycle({"a": ["b", "c"], "b": ["c"], "c": []}) is None
    assert find_cycle({"a": ["b"], "b": ["c"], "c": ["d"], "d": ["b"]}) == ["b", "c", "d", "b"]
    names = [str(number) for number in range(60)]
    assert find_cycle({name: names[:index] for index, name in enumerate(names)}) is None


EDGES = st.dictionaries(
    st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"), unique=True, max_size=3)
)


@given(edges=EDGES)
def test_a_cycle_is_found_if_parts_cannot_be_put_in_an_order(edges: dict[str, list[str]]) -> None:
    cycle = find_cycle(edges)
    try:
        list(TopologicalSorter(edges).static_order())
    except CycleError:
        assert cycle is not None
        assert all(after in edges[name] for name, after in pairwise(cycle))
        assert cycle[0] == cycle[-1]
    else:
        assert cycle is None


def test_a_composite_without_shared_results_uses_the_plain_executor() -> None:
    assert Page.shared_parts == ("user",)
    assert declare(user=load_user).shared_parts == ()
    assert SharingPartExecutor.__mro__[1] is PartExecutor


# Over a typed client, and a shared part that the response does not show.


class User(ResponseModel):
    plan: str


class Users(ServiceClient, name="users"):
    def get_one(self) -> PendingCall[User]:
        return self.get("/users/7", into=User)


class Shop(ServiceClient, name="shop"):
    def offers(self, plan: str) -> PendingCall[list[str]]:
        return self.get("/offers", params={"plan": plan}, into=list[str])


def fetch_user(users: Upstream[Users]) -> PendingCall[User]:
    return users.get_one()


async def fetch_offers(user: FromPart[User], shop: Upstream[Shop]) -> list[str]:
    return await shop.offers((await user).plan)


class Hidden(Composite):
    user: Annotated[User | None, Part(fetch_user), Field(exclude=True)] = None
    offers: Annotated[list[str], Part(fetch_offers)] = []  # noqa: RUF012 - pydantic copies it


router = APIRouter(dependencies=[public("a test")])


@router.get("/page")
async def get_page(view: Composed[Hidden]) -> Hidden:
    return view


APPLICATION = Application(clients={"users": Users, "shop": Shop}, policies={}, routers=[router])


async def test_a_shared_call_of_a_client_is_made_once_and_can_be_hidden() -> None:
    async with lockgate(Settings(), application=APPLICATION) as gateway:
        users, shop = gateway.service("users"), gateway.service("shop")
        users.answers({"plan": "pro"})
        shop.on("GET", "/offers", params={"plan": "pro"}).answers(["10 %"])
        page = await gateway.get("/page")
        schema = gateway.app.openapi()["components"]["schemas"]["Hidden"]["properties"]
        assert page.json() == {"offers": ["10 %"], "degraded": []}
        assert len(users.requests) == 1
        assert set(schema) == {"offers", "degraded"}
        users.fails(503)
        page = await gateway.get("/page")
    assert page.json() == {
        "offers": [],
        "degraded": [
            {"part": "user", "reason": "unavailable"},
            {"part": "offers", "reason": "unavailable"},
        ],
    }
