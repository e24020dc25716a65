"""The fuzzer of proxied requests finds what it looks for; and a few inputs of it, in each run."""

import random

import pytest

from tests.fuzz.invariants import InvariantViolated
from tests.fuzz.proxied_requests import RESPONSE_FOLLOWS, ProxiedRequestHarness
from tests.fuzz.proxied_seeds import PROXIED_DICTIONARY, iterate_proxied_seeds
from tests.gateway.proxy.recording_service import AmbiguousBytes, read_strictly

INPUTS = 60


def mutate(choose: random.Random, seed: bytes) -> bytes:
    """Insert a word, remove a byte or double a part, a few times."""
    data = bytearray(seed)
    for _ in range(choose.randint(1, 4)):
        start = choose.randint(0, len(data))
        end = min(len(data), start + choose.randint(0, 12))
        word = choose.choice(PROXIED_DICTIONARY).encode().decode("unicode_escape").encode("latin-1")
        change = choose.choice([word, b"", bytes(data[start:end]) * 2, word + data[start:end]])
        data[start:end] = change
    return bytes(data)


async def test_no_input_breaks_an_invariant() -> None:
    choose = random.Random(4)
    seeds = list(iterate_proxied_seeds())
    statuses = set()
    async with ProxiedRequestHarness() as harness:
        for seed in choose.sample(seeds, INPUTS):
            statuses |= set(await harness.exchange(mutate(choose, seed)))
        sent = b"GET /users/42/a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer TOKEN\r\n\r\n"
        assert await harness.exchange(sent) == [200]
        assert await harness.exchange(sent.replace(b"42", b"43")) == [403]
        redirect = b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"
        assert await harness.exchange(sent + RESPONSE_FOLLOWS + redirect) == [302]
    assert {200, 400} <= statuses


async def test_the_fuzzer_finds_a_request_that_was_not_matched() -> None:
    harness = ProxiedRequestHarness()
    data = b"GET /public/b HTTP/1.1\r\nhost: x\r\n\r\n"
    (received,) = read_strictly(data)
    with pytest.raises(InvariantViolated, match="was not matched"):
        harness.check(received)


@pytest.mark.parametrize(
    "data",
    [
        b"GET /a HTTP/1.1\r\nhost: x\r\nX-A: 1\r\n\r\n",
        b"GET /a HTTP/1.1\r\nhost: x\r\nx_a: 1\r\n\r\n",
        b"GET /a HTTP/1.1\r\nhost: x\r\nx-a : 1\r\n\r\n",
        b"GET /a HTTP/1.1\nhost: x\n\n\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /a HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n",
        b"GET /a HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        b"GET /a HTTP/1.1\r\nhost: x\r\ncontent-length: 01\r\n\r\na",
        b"GET /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip\r\n\r\n",
        b"GET /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1;a\r\nb\r\n0\r\n\r\n",
        b"GET /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\nhost: b\r\n\r\n",
        b"GET /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n",
    ],
)
def test_bytes_with_two_readings_are_found(data: bytes) -> None:
    with pytest.raises(AmbiguousBytes):
        read_strictly(data)
