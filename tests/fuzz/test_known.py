"""Each known bug is still one: its mark goes with it, and then it goes from `known.py`."""

import pytest

from tests.fuzz.invariants import check
from tests.fuzz.known import EMPTY_LINES_BEHIND, KNOWN, Known, known


@pytest.mark.parametrize("bug", KNOWN, ids=lambda bug: bug.name)
def test_its_example_is_passed_over(bug: Known) -> None:
    assert known(bug.example, bodiless=bug.bodiless)


@pytest.mark.parametrize("bug", KNOWN, ids=lambda bug: bug.name)
@pytest.mark.xfail(strict=True, raises=AssertionError, reason="known")
def test_it_is_mended(bug: Known) -> None:
    check(bug.example, [], bodiless=bug.bodiless)


@pytest.mark.xfail(
    strict=True, raises=AssertionError, reason="empty lines behind an answer are skipped"
)
def test_empty_lines_behind_an_answer_are_noticed() -> None:
    check(EMPTY_LINES_BEHIND, [], bodiless=False)
