"""The words for an exception of a company's code."""

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from gateway.settings.exception_text import describe_exception, find_module_line


class Unspeakable(Exception):
    """An exception without a text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Point(BaseModel):
    x: int
    y: int


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("odd"), "ValueError: odd"),
        (ValueError(), "ValueError"),
        (ValueError("one\n  two"), "ValueError: one two"),
        (ValueError("\n"), "ValueError"),
        (ValueError("no db://me:s3@cret@h/a?b=c@d"), "ValueError: no db://***@d"),
        (ValueError("no http://h/a, me@h"), "ValueError: no http://h/a, me@h"),
        (SystemExit(), "SystemExit"),
        (SystemExit(3), "SystemExit: 3"),
        (Unspeakable(), "Unspeakable"),
        (ValueError("x" * 10_000), f"ValueError: {'x' * 284} ..."),
    ],
)
def test_the_type_and_the_text_are_on_one_line(error: BaseException, text: str) -> None:
    assert describe_exception(error) == text


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (Point, {"x": "s3cret", "y": "s3cret"}, "Point: x (int_parsing), y (int_parsing)"),
        (int, "s3cret", "int: (root) (int_parsing)"),
        (
            list[int],
            ["s3cret"] * 6,
            f"list[int]: {', '.join(f'{i} (int_parsing)' for i in range(5))}, ...",
        ),
    ],
)
def test_an_error_of_pydantic_shows_paths_and_types(kind: type, value: object, text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value)
    assert describe_exception(caught.value) == f"ValidationError: invalid values for {text}"


def test_an_error_that_no_module_raised_has_no_line() -> None:
    assert find_module_line(ValueError()) == ""
