"""The limit of open files, and the limit of connections that follows."""

import subprocess
import sys

import pytest

from gateway.server.file_limit import choose_max_connections

SCRIPT = (
    "from gateway.server.file_limit import *; print(get_file_limit());"
    "raise_file_limit(); raise_file_limit(); print(get_file_limit())"
)


def test_the_soft_limit_is_raised_to_the_hard_limit() -> None:
    command = ["sh", "-c", 'ulimit -Sn 300 && ulimit -Hn 400 && exec "$0" -c "$1"']
    done = subprocess.run(
        [*command, sys.executable, SCRIPT], capture_output=True, check=True, text=True
    )
    assert done.stdout.split() == ["300", "400"]


@pytest.mark.parametrize(
    ("configured", "file_limit", "expected"),
    [
        (None, 256, 128),
        (None, 1_024, 512),
        (None, 8_192, 4_096),
        (None, 10_000, 5_904),
        (None, 65_536, 10_000),
        (None, 1 << 30, 10_000),
        (None, 32, 1),
        (100, 1_024, 100),
        (5_000, 1_024, 960),
        (50_000, 65_536, 50_000),
        (1, 10, 1),
    ],
)
def test_the_limit_of_connections_leaves_a_reserve(
    configured: int | None, file_limit: int, expected: int
) -> None:
    assert choose_max_connections(configured, file_limit) == expected
