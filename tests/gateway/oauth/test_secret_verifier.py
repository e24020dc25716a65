"""Secrets are compared off the event loop, with a bound, and in a time that tells nothing."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.errors.tree import Overloaded
from gateway.oauth import secret_verifier as module
from gateway.oauth.client import ClientSecret
from gateway.oauth.client_secret import SecretHash, hash_secret, parse_hash
from gateway.oauth.secret_verifier import MAX_WAITING, SecretVerifier

ADDRESS = "address:192.0.2.1"

FIRST, SECOND = (
    ClientSecret(hash_secret("first"), 0.0, 100.0),
    ClientSecret(hash_secret("second"), 0.0),
)


@pytest.fixture
def verifier() -> Iterator[SecretVerifier]:
    verifier = SecretVerifier()
    yield verifier
    verifier.close()


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[SecretHash]:
    """The hashes that were compared, in order."""
    compared = list[SecretHash]()
    compute = SecretHash.compute

    def record(self: SecretHash, secret: str) -> bytes:
        assert threading.current_thread() is not threading.main_thread()
        compared.append(self)
        return compute(self, secret)

    monkeypatch.setattr(SecretHash, "compute", record)
    return compared


@pytest.mark.parametrize(
    ("secret", "now", "is_valid"),
    [
        ("first", 99.0, True),
        ("first", 100.0, False),
        ("second", 99.0, True),
        ("second", 9e9, True),
        ("third", 99.0, False),
        ("", 99.0, False),
    ],
)
async def test_each_secret_that_is_valid_is_accepted(
    verifier: SecretVerifier, secret: str, now: float, is_valid: bool
) -> None:
    assert await verifier.is_valid(secret, (FIRST, SECOND), now, ADDRESS) is is_valid


async def test_a_right_secret_costs_one_slow_hash_and_a_wrong_one_always_the_same(
    verifier: SecretVerifier, computed: list[SecretHash]
) -> None:
    for _ in range(3):
        assert await verifier.is_valid("second", (SECOND,), 0.0, ADDRESS)
    assert len(computed) == 1
    computed.clear()
    for _ in range(3):
        assert not await verifier.is_valid("wrong", (SECOND,), 0.0, ADDRESS)
    assert len(computed) == 3
    computed.clear()
    assert not await verifier.is_valid("second", (), 0.0, ADDRESS)
    assert len(computed) == 1
    assert "known=1" in repr(verifier)


async def test_both_secrets_are_compared_whichever_is_right(
    verifier: SecretVerifier, computed: list[SecretHash]
) -> None:
    assert await verifier.is_valid("first", (FIRST, SECOND), 0.0, ADDRESS)
    assert len(computed) == 2


async def test_two_secrets_with_one_salt_cost_one_slow_hash(
    verifier: SecretVerifier, computed: list[SecretHash]
) -> None:
    rotated = ClientSecret(hash_secret("rotated", SECOND.hash.salt), 0.0)
    for secret, is_valid in (("second", True), ("rotated", True), ("wrong", False)):
        computed.clear()
        assert await verifier.is_valid(secret, (SECOND, rotated), 0.0, ADDRESS) is is_valid
        assert len(computed) == 1


async def test_a_secret_that_has_been_rotated_away_is_no_longer_known(
    verifier: SecretVerifier,
) -> None:
    assert await verifier.is_valid("first", (FIRST,), 0.0, ADDRESS)
    assert not await verifier.is_valid("first", (SECOND,), 0.0, ADDRESS)
    assert not await verifier.is_valid("first", (FIRST,), 100.0, ADDRESS)


@pytest.fixture
def leave(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Hold up the slow hash, until the event is set."""
    leave = threading.Event()

    def wait(*_: Any) -> bytes:
        leave.wait(20)
        return b""

    monkeypatch.setattr(SecretHash, "compute", wait)
    yield leave
    leave.set()


async def start_check(verifier: SecretVerifier, address: str) -> "asyncio.Task[bool]":
    check = asyncio.create_task(verifier.is_valid("wrong", (SECOND,), 0.0, address))
    await asyncio.sleep(0)
    return check


async def test_checks_beyond_the_bound_are_refused(
    verifier: SecretVerifier, leave: threading.Event
) -> None:
    checks = [await start_check(verifier, f"address:{number}") for number in range(MAX_WAITING)]
    checks[0].cancel()
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await verifier.is_valid("wrong", (SECOND,), 0.0, ADDRESS)
    leave.set()
    assert await asyncio.gather(*checks[1:]) == [False] * (MAX_WAITING - 1)
    assert not await verifier.is_valid("wrong", (SECOND,), 0.0, ADDRESS)
    assert "waiting=0" in repr(verifier)


async def test_no_address_fills_the_queue(verifier: SecretVerifier, leave: threading.Event) -> None:
    """Each may have as many places as are left, so there is always one for another address."""
    flood = [await start_check(verifier, "address:flood") for _ in range(MAX_WAITING)]
    refused = [check for check in flood if check.done()]
    assert len(refused) == MAX_WAITING // 2
    with pytest.raises(Overloaded):
        await refused[0]
    another = await start_check(verifier, ADDRESS)
    assert not another.done()
    leave.set()
    results = await asyncio.gather(*flood, another, return_exceptions=True)
    assert results.count(False) == MAX_WAITING // 2 + 1


async def test_known_secrets_are_bounded(
    verifier: SecretVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_KNOWN", 1)
    for secret in ("first", "second"):
        assert await verifier.is_valid(secret, (FIRST, SECOND), 0.0, ADDRESS)
    assert "known=1" in repr(verifier)


def test_a_hash_is_parsed_as_it_is_stored() -> None:
    stored = hash_secret("first")
    assert parse_hash(str(stored)) == stored
    assert "first" not in str(stored)


@pytest.mark.parametrize(
    "text", ["", "scrypt$1$2$aa$bb", "bcrypt$1$2$3$aa$bb", "scrypt$x$2$3$aa$bb"]
)
def test_another_text_is_no_hash(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of several kinds
        parse_hash(text)
