"""Where the fuzzer starts: what the servers of the torture table send."""

from collections.abc import Iterator

from tests.torture.table import CASES

_LONGEST = 2_000


def seeds() -> Iterator[bytes]:
    """Every answer of the table that is short enough to mutate."""
    for case in CASES.values():
        if 0 < len(case.sent) <= _LONGEST:
            yield case.sent


WORDS = (
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
"""What the mutations are made of, in the form of libFuzzer's dictionaries."""
