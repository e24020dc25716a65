"""The page says what the table says."""

from pathlib import Path

import pytest

from tests.torture.case import REFUSED, Case, poisoned, whole
from tests.torture.page import main, page
from tests.torture.table import CASES


async def _nothing(_: object) -> None: ...


def test_the_page_is_not_stale() -> None:
    assert main(["--check"]) == 0


def test_a_stale_page_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "page.md"
    assert main(["--check"], file) == 1
    assert main([], file) == 0
    assert main(["--check"], file) == 0
    file.write_text("old")
    assert main(["--check"], file) == 1
    assert "page.md is stale" in capsys.readouterr().err


def test_every_case_has_its_line() -> None:
    text = page()
    assert all(f"| {case.name} | " in text for case in CASES.values())


def test_a_difference_without_a_reason_is_no_case() -> None:
    with pytest.raises(ValueError, match="reason"):
        Case("x", _nothing, REFUSED, whole())
    with pytest.raises(ValueError, match="another's"):
        Case("x", _nothing, poisoned())
