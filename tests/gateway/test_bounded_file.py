"""Small files: how much is read, and why a file cannot be read."""

import os
import socket
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
        ("a\0b", "cannot be read: the path has a null byte"),
        ("a" * 300, "cannot be read: File name too long"),
    ],
)
def test_a_file_that_cannot_be_opened_is_refused(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "link").symlink_to("gone")
    with pytest.raises(UnreadableFile) as refused:
        read_bounded_file(tmp_path / name, 5)
    assert str(refused.value) == reason


def test_the_error_about_a_relative_path_says_where_the_file_would_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnreadableFile) as refused:
        read_bounded_file(Path("a/nowhere"), 5)
    assert str(refused.value) == f"there is no such file: {tmp_path}/a/nowhere"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.touch(mode=0)
    with pytest.raises(UnreadableFile, match="cannot be read by the user"):
        read_bounded_file(file, 5)


@pytest.mark.parametrize("through_a_link", [False, True])
def test_what_is_no_regular_file_is_refused_without_a_wait(
    tmp_path: Path, *, through_a_link: bool
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        for target in (fifo, Path("/dev/zero"), Path("/dev/null"), tmp_path / "socket"):
            link = tmp_path / f"link-to-{target.name}"
            link.symlink_to(target)
            with pytest.raises(UnreadableFile, match=r"is not a regular file|No such device"):
                read_bounded_file(link if through_a_link else target, 5)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_a_private_file_belongs_to_root_or_to_the_user_of_the_process(tmp_path: Path) -> None:
    file, link = tmp_path / "secret", tmp_path / "link"
    file.write_bytes(b"x")
    file.chmod(0o600)
    link.symlink_to(file)
    os.chown(file, 12_345, 12_345)
    for path in (file, link):
        with pytest.raises(UnreadableFile, match="belongs to the user 12345; it must belong to"):
            read_bounded_file(path, 5, is_private=True)
        assert read_bounded_file(path, 5, is_private=True, of_any_owner=True) == b"x"
        assert read_bounded_file(path, 5) == b"x"
    os.chown(file, 0, 0)
    os.chown(link, 12_345, 12_345, follow_symlinks=False)
    assert read_bounded_file(link, 5, is_private=True) == b"x"
