"""Which texts of a path parameter are canonical."""

from datetime import date
from typing import Annotated
from uuid import UUID

import pytest
from fastapi import APIRouter, Depends, Path
from fastapi.routing import APIRoute

from gateway.app_loader import Application
from gateway.auth import owner, requires
from gateway.auth.ownership import is_canonical
from gateway.settings.schema import Settings
from gateway.testing import lockgate

UUID_TEXT = "550e8400-e29b-41d4-a716-446655440000"

router = APIRouter()


async def read_number(user_id: int) -> int:
    return user_id


@router.get("/number/{user_id}")
async def number(user_id: Annotated[int, Path(ge=1)]) -> None: ...


@router.get("/below/{user_id}")
async def below(read: Annotated[int, Depends(read_number)]) -> None: ...


@router.get("/alias/{user_id}")
async def alias(named: Annotated[int, Path(alias="user_id")]) -> None: ...


@router.get("/validation-alias/{user_id}")
async def validation_alias(named: Annotated[int, Path(validation_alias="user_id")]) -> None: ...


@router.get("/text/{user_id}")
async def text(user_id: str) -> None: ...


@router.get("/uuid/{user_id}")
async def uuid(user_id: UUID) -> None: ...


@router.get("/day/{user_id}")
async def day(user_id: date) -> None: ...


@router.get("/unread/{user_id}")
async def unread() -> None: ...


@router.get("/other/{user_id}/{year}")
async def other(user_id: str, year: int) -> None: ...


ROUTES = {route.name: route for route in router.routes if isinstance(route, APIRoute)}


@pytest.mark.parametrize(
    ("route", "canonical", "others"),
    [
        ("number", ["42", "9" * 18], ["042", "+42", " 42", "42 ", "4_2", "42.0", "42\n"]),
        ("below", ["42"], ["042", "4_2"]),
        ("alias", ["42"], ["042", "4_2"]),
        ("validation_alias", ["42"], ["042", "4_2"]),
        ("text", ["042", "4_2", " 42", "u1", ""], []),
        ("uuid", [UUID_TEXT], [UUID_TEXT.upper(), UUID_TEXT.replace("-", ""), f"{{{UUID_TEXT}}}"]),
        ("day", ["2026-01-01"], ["1767225600"]),
        ("unread", ["042", "u1"], []),
        ("other", ["042", "u1"], []),
    ],
)
def test_exactly_one_text_of_a_value_is_canonical(
    route: str, canonical: list[str], others: list[str]
) -> None:
    dependant = ROUTES[route].dependant
    assert [one for one in canonical if not is_canonical("user_id", one, dependant)] == []
    assert [one for one in others if is_canonical("user_id", one, dependant)] == []


def test_an_invalid_text_is_left_to_the_route_to_refuse() -> None:
    assert is_canonical("user_id", "abc", ROUTES["number"].dependant)


async def test_an_owner_without_a_scope_has_no_exception() -> None:
    own = APIRouter()

    @own.get("/own/{user_id}", dependencies=[requires(), owner("user_id")])
    async def get_own(user_id: int) -> int:
        return user_id

    application = Application(routers=[own])
    async with lockgate(Settings(), application=application) as gateway:
        statuses = [
            (await gateway.get("/own/7", user=user, scopes=scopes)).status_code
            for user, scopes in [("7", []), ("8", []), ("8", ["orders:read:any"])]
        ]
    assert statuses == [200, 403, 403]
