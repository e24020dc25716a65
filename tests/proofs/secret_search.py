"""Searches bytes for many secrets at once."""

import re
from collections.abc import Iterable, Iterator

_LENGTH = 20
_RUN = re.compile(rb"[A-Za-z0-9_-]{%d,}" % _LENGTH)


def find_secrets(secrets: Iterable[str], contents: Iterable[bytes]) -> set[str]:
    """Return the secrets that are found: of each, or each part of a token, the last characters."""
    owners = {mark.encode(): secret for secret in secrets for mark in _list_marks(secret)}
    assert all(_RUN.fullmatch(mark) for mark in owners), "a secret is too short"
    found = owners.keys() & {it for content in contents for it in _list_windows(content)}
    return {owners[mark] for mark in found}


def _list_marks(secret: str) -> list[str]:
    parts = [it for it in secret.split(".") if len(it) > _LENGTH] or [secret]
    return [part[-_LENGTH:] for part in parts]


def _list_windows(content: bytes) -> Iterator[bytes]:
    for run in _RUN.findall(content):
        for start in range(len(run) - _LENGTH + 1):
            yield run[start : start + _LENGTH]
