"""The page is generated from the table of cases."""

from pathlib import Path

import pytest

from tests.torture.case import PROTOCOL_ERROR, Case, accept, accept_then_poison
from tests.torture.page import main, render
from tests.torture.table import CASES


async def _run_nothing(_: object) -> None: ...


def test_the_page_is_up_to_date() -> None:
    assert main(["--check"]) == 0


def test_a_stale_page_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "page.md"
    assert main(["--check"], file) == 1
    assert main([], file) == 0
    assert main(["--check"], file) == 0
    file.write_text("old")
    assert main(["--check"], file) == 1
    assert "page.md is stale" in capsys.readouterr().err


def test_every_case_has_a_row() -> None:
    text = render()
    assert all(f"| {case.name} | " in text for case in CASES.values())


def test_a_case_must_explain_a_difference_and_never_allow_poisoning() -> None:
    with pytest.raises(ValueError, match="reason"):
        Case("x", _run_nothing, PROTOCOL_ERROR, accept())
    with pytest.raises(ValueError, match="must never poison"):
        Case("x", _run_nothing, accept_then_poison())
