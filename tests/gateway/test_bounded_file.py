"""Small files: how much is read, and why a file cannot be read."""

import os
from pathlib import Path

import pytest

from gateway.bounded_file import UnreadableFile, read_bounded_file


def test_a_file_may_have_the_whole_bound(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"12345")
    assert read_bounded_file(file, 5) == b"12345"
    with pytest.raises(UnreadableFile, match="is larger than 4 bytes"):
        read_bounded_file(file, 4)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nowhere", "there is no such file"),
        ("link", "is a symbolic link to no file"),
        (".", "is a directory, not a file; Docker creates one if the file to mount does not exist"),
        ("a\0b", "cannot be read: embedded null byte"),
        ("a" * 300, "cannot be read: File name too long"),
    ],
)
def test_a_file_that_cannot_be_opened_is_refused(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "link").symlink_to("gone")
    with pytest.raises(UnreadableFile) as refused:
        read_bounded_file(tmp_path / name, 5)
    assert str(refused.value) == reason


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.touch(mode=0)
    with pytest.raises(UnreadableFile, match="cannot be read by the user"):
        read_bounded_file(file, 5)
