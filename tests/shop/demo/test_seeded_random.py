"""Seeded choices are the same everywhere, and evenly distributed."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from gateway.demo.seeded_random import SeededRandom


def test_a_seed_gives_the_same_numbers_on_every_machine() -> None:
    rng, expected = SeededRandom("orders", 7), [21, 119, 124, 3, 407, 653, 392, 82, 887, 120]

    assert [rng.randbelow(1_000) for _ in expected] == expected


def test_different_seeds_give_different_numbers() -> None:
    def numbers(*seed: str | int) -> list[int]:
        rng = SeededRandom(*seed)
        return [rng.randbelow(2**32) for _ in range(4)]

    assert numbers("orders", 7) != numbers("orders", 8)
    assert numbers("orders", 7) != numbers("users", 7)


def test_numbers_are_evenly_distributed() -> None:
    rng = SeededRandom("die")
    faces = Counter(rng.randint(1, 6) for _ in range(6_000))

    assert set(faces) == {1, 2, 3, 4, 5, 6}
    assert all(850 < count < 1_150 for count in faces.values())


@given(st.integers(), st.integers(-50, 50), st.integers(0, 100))
def test_randint_includes_both_ends(seed: int, low: int, span: int) -> None:
    assert low <= SeededRandom(seed).randint(low, low + span) <= low + span


@given(st.integers(), st.lists(st.integers(), unique=True), st.integers(0, 10))
def test_a_sample_has_no_duplicates(seed: int, options: list[int], count: int) -> None:
    sample = SeededRandom(seed).sample(options, count)

    assert len(sample) == len(set(sample)) == min(count, len(options))
    assert set(sample) <= set(options)


def test_chances_of_0_and_100_percent() -> None:
    rng = SeededRandom("chance")

    assert not any(rng.chance(0) for _ in range(50))
    assert all(rng.chance(100) for _ in range(50))
