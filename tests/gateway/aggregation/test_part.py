"""A part that does not fit its field is refused when the composite is declared."""

from typing import Annotated

import pytest

from gateway.aggregation import Composite, Part


async def fetch_number() -> int:
    return 1


async def fetch_anything(*anything: int) -> int:
    return len(anything)


async def fetch_untyped(user_id) -> int:  # type: ignore[no-untyped-def]  # noqa: ANN001
    return int(user_id)


def fetch_blocking() -> int:
    return 1


def test_a_part_fits_a_field_that_may_also_be_empty() -> None:
    class Page(Composite):
        number: Annotated[int | None, Part(fetch_number)] = None

    assert not Page.parts[0].required


def test_a_part_that_returns_something_else_is_refused() -> None:
    with pytest.raises(TypeError, match=r"part words: fetch_number returns int, but .* list"):

        class Page(Composite):
            words: Annotated[list[str], Part(fetch_number)]


def test_a_part_with_a_timeout_above_the_budget_is_refused() -> None:
    with pytest.raises(TypeError, match="its timeout of 2 s exceeds the budget of 1 s"):

        class Page(Composite, budget=1):
            number: Annotated[int, Part(fetch_number, timeout=2)]


@pytest.mark.parametrize(
    ("fetch", "message"),
    [
        (fetch_blocking, "not an async function"),
        (fetch_anything, "name each input"),
        (fetch_untyped, "needs a type for user_id"),
    ],
)
def test_a_function_that_cannot_be_a_part_is_refused(fetch: object, message: str) -> None:
    with pytest.raises(TypeError, match=message):

        class Page(Composite):
            number: Annotated[int, Part(fetch)]
