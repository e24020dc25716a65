"""The fuzzer's seed corpus and dictionary, from the cases of tests/torture."""

from collections.abc import Iterator

from tests.torture.table import CASES

_MAX_SEED_BYTES = 2_000


def iterate_seeds() -> Iterator[bytes]:
    """Iterate over the responses of all cases that are short enough to mutate."""
    for case in CASES.values():
        if 0 < len(case.response) <= _MAX_SEED_BYTES:
            yield case.response


DICTIONARY = (
    r"\x0d\x0a",
    r"\x0d\x0a\x0d\x0a",
    r"\x0d",
    r"\x0a",
    r"\x00",
    r"\x09",
    "HTTP/1.1 200 OK",
    "HTTP/1.0 200 OK",
    "HTTP/1.1 103 Early Hints",
    "HTTP/1.1 204 No Content",
    "HTTP/1.1 304 Not Modified",
    "Content-Length: ",
    "Content-Type: text/plain",
    "Transfer-Encoding: ",
    "Transfer-Encoding: chunked",
    "Connection: close",
    "Connection: keep-alive",
    "Upgrade: x",
    "chunked",
    "identity",
    "gzip, chunked",
    r"0\x0d\x0a\x0d\x0a",
    r"5\x0d\x0ahello\x0d\x0a",
    r";a=\"b\"",
    ";a=",
    r"b\";\"",
    "ffffffffffffffff",
    "18446744073709551616",
)
"""Tokens for mutations, in the syntax of libFuzzer dictionaries."""
