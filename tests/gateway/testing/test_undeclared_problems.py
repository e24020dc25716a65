"""The test kit reports a problem of a service that a route passes on without declaring it."""

import asyncio
from typing import Annotated

import pytest
from fastapi import APIRouter, BackgroundTasks, Depends

from gateway.aggregation import Composed, Composite, Part
from gateway.app_loader import Application
from gateway.auth import public
from gateway.resources import Upstream
from gateway.settings.schema import Settings
from gateway.testing import UndeclaredProblem, lockgate
from gateway.upstream import PendingCall, ServiceClient, UpstreamProblem, raises


class Changed(UpstreamProblem, status=409):
    """The order has changed."""


class Gone(UpstreamProblem, status=410):
    """There is no such order any more."""


class Shop(ServiceClient, name="shop"):
    def order(self) -> PendingCall[int]:
        return self.get("/", into=int).or_raise(Changed, Gone)


@raises(Changed)
def fetch_order(shop: Upstream[Shop]) -> PendingCall[int]:
    return shop.order()


@raises(Gone)
async def load_order(shop: Upstream[Shop]) -> int:
    return await shop.order()


class Required(Composite):
    order: Annotated[int, Part(fetch_order)]


class Optional(Composite):
    order: Annotated[int, Part(load_order)] = 0


router = APIRouter(dependencies=[public("a test")])


@router.get("/required")
async def get_required(view: Composed[Required]) -> Required:
    return view


@router.get("/optional")
async def get_optional(view: Composed[Optional]) -> Optional:
    return view


@router.get("/general")
async def get_general(order: Annotated[int, Depends(load_order)], _tasks: BackgroundTasks) -> int:
    return order


@router.get("/group")
async def get_group(shop: Upstream[Shop]) -> int:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(shop.order())
    return task.result()


@router.get("/quiet")
async def get_quiet(shop: Upstream[Shop]) -> int:
    try:
        return await shop.order()
    except UpstreamProblem:
        return 0


APPLICATION = Application(clients={"shop": Shop}, routers=[router])
CASES = [
    ("/required", 409, True),
    ("/required", 410, False),
    ("/general", 410, True),
    ("/general", 409, False),
    ("/group", 409, False),
    ("/optional", 409, True),
    ("/quiet", 409, True),
    ("/group", 404, True),
]


@pytest.mark.parametrize(("path", "status", "is_declared"), CASES)
async def test_a_problem_that_is_not_declared_fails_the_test(
    path: str, status: int, is_declared: bool
) -> None:
    async with lockgate(Settings(), application=APPLICATION) as gateway:
        gateway.service("shop").fails(status)
        if is_declared:
            await gateway.get(path)
        else:
            name = {409: "Changed", 410: "Gone"}[status]
            expected = rf"^GET {path} passes on {name} \({status}\), .* Put @raises\({name}\) on"
            with pytest.raises(UndeclaredProblem, match=expected):
                await gateway.get(path)


async def test_the_response_is_sent_all_the_same() -> None:
    async def send() -> None:
        async with lockgate(Settings(), application=APPLICATION) as gateway:
            gateway.service("shop").fails(409)
            response = await gateway.http.get("/group")
            assert response.status_code == 409

    with pytest.raises(UndeclaredProblem):
        await send()
