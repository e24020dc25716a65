"""One value in a file: what is read, and what is refused without quoting it."""

from pathlib import Path

import pytest

from gateway.settings.value_file import MAX_VALUE_BYTES, UnreadableValue, read_value


@pytest.mark.parametrize("content", [b"a b", b"a b\n", b"a b\r\n", b"\xef\xbb\xbfa b\n"])
def test_one_line_break_at_the_end_is_no_part_of_the_value(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    assert read_value(file) == "a b"


def test_a_second_line_break_is_part_of_the_value(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"a\n\n")
    assert read_value(file) == "a\n"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"hunter2 \xff", "is not UTF-8"),
        (b"hunter2" * MAX_VALUE_BYTES, f"is larger than {MAX_VALUE_BYTES} bytes"),
    ],
)
def test_what_is_no_value_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    with pytest.raises(UnreadableValue) as refused:
        read_value(file)
    assert str(refused.value) == f"{file}: {problem}"


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableValue, match="there is no such file"):
        read_value(tmp_path / "nowhere")
