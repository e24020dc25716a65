"""A composite says at import what is wrong with it."""

from typing import Annotated

import pytest

from gateway.aggregation import Composite, Part


async def fetch_number() -> int:
    return 1


async def fetch_words() -> list[str]:
    return []


async def fetch_anything(*anything: int) -> int:
    return len(anything)


async def fetch_untyped(user_id) -> int:  # type: ignore[no-untyped-def]  # noqa: ANN001
    return int(user_id)


def fetch_blocking() -> int:
    return 1


def test_a_composite_knows_its_parts_in_order_and_which_must_load() -> None:
    class Page(Composite, budget=1.5):
        number: Annotated[int, Part(fetch_number)]
        words: Annotated[list[str], Part(fetch_words, timeout=0.5)] = []  # noqa: RUF012

    assert [(p.name, p.required, p.timeout) for p in Page.parts] == [
        ("number", True, 1.5),
        ("words", False, 0.5),
    ]


def test_degraded_is_the_last_field_of_every_composite() -> None:
    class Page(Composite):
        number: Annotated[int, Part(fetch_number)]

    assert Page(number=1).model_dump_json() == '{"number":1,"degraded":[]}'


def test_a_part_fits_a_field_that_may_also_be_empty() -> None:
    class Page(Composite):
        number: Annotated[int | None, Part(fetch_number)] = None

    assert not Page.parts[0].required


def test_a_part_that_returns_something_else_is_refused() -> None:
    with pytest.raises(TypeError, match=r"part words: fetch_number returns int, but .* list"):

        class Page(Composite):
            words: Annotated[list[str], Part(fetch_number)]


def test_a_field_without_a_part_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Page\.number: it has no part"):

        class Page(Composite):
            number: int = 0


def test_a_part_with_more_time_than_the_whole_is_refused() -> None:
    with pytest.raises(TypeError, match="its time-out of 2 s exceeds the budget of 1 s"):

        class Page(Composite, budget=1):
            number: Annotated[int, Part(fetch_number, timeout=2)]


@pytest.mark.parametrize(
    ("fetch", "said"),
    [
        (fetch_blocking, "not an async function"),
        (fetch_anything, "name each input"),
        (fetch_untyped, "needs a type for user_id"),
    ],
)
def test_a_function_that_cannot_be_a_part_is_refused(fetch: object, said: str) -> None:
    with pytest.raises(TypeError, match=said):

        class Page(Composite):
            number: Annotated[int, Part(fetch)]
