"""The parts of a composite, and the field `degraded`."""

from typing import Annotated

import pytest

from gateway.aggregation import Composite, Part


async def fetch_number() -> int:
    return 1


async def fetch_words() -> list[str]:
    return []


def test_a_composite_lists_its_parts_in_order_and_the_required_ones() -> None:
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


def test_a_field_without_a_part_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Page\.number: it has no part"):

        class Page(Composite):
            number: int = 0
