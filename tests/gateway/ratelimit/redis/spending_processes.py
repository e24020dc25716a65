"""Starts processes of `spend_policies.py`, which spend the same policies at the same time."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from tests.gateway.ratelimit.redis.spend_policies import CASES

Spenders = list["subprocess.Popen[str]"]


@contextmanager
def start_spenders(url: str, count: int) -> Iterator[Spenders]:
    """Start processes that are connected to this Redis."""
    command = [sys.executable, "-m", "tests.gateway.ratelimit.redis.spend_policies", url]
    spenders = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(count)
    ]
    try:
        assert [_read(spender) for spender in spenders] == ["ready\n"] * count
        yield spenders
    finally:
        for spender in spenders:
            spender.communicate(timeout=30)


def find_wrong_counts(spenders: Spenders, name: str, requests: int) -> dict[str, tuple[int, int]]:
    """Run a round; return what was admitted in all processes where it is not exactly the quota."""
    for spender in spenders:
        assert spender.stdin is not None
        spender.stdin.write(f"{name} {requests}\n")
        spender.stdin.flush()
    total = Counter[str]()
    for spender in spenders:
        total.update(json.loads(_read(spender)))
    return {
        case: (total[case], expected)
        for case, (_, expected) in CASES.items()
        if total[case] != expected
    }


def _read(spender: "subprocess.Popen[str]") -> str:
    assert spender.stdout is not None
    return spender.stdout.readline()
