"""Draws are the same everywhere, and spread as a lot would be."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from gateway.demo.random_draws import Draw


def test_a_draw_is_the_same_on_every_machine() -> None:
    draw, written_down = Draw("orders", 7), [21, 119, 124, 3, 407, 653, 392, 82, 887, 120]

    assert [draw.below(1_000) for _ in written_down] == written_down


def test_draws_of_another_name_differ() -> None:
    def numbers(*name: str | int) -> list[int]:
        draw = Draw(*name)
        return [draw.below(2**32) for _ in range(4)]

    assert numbers("orders", 7) != numbers("orders", 8)
    assert numbers("orders", 7) != numbers("users", 7)


def test_every_face_comes_up_about_as_often() -> None:
    draw = Draw("die")
    faces = Counter(draw.between(1, 6) for _ in range(6_000))

    assert set(faces) == {1, 2, 3, 4, 5, 6}
    assert all(850 < count < 1_150 for count in faces.values())


@given(st.integers(), st.integers(-50, 50), st.integers(0, 100))
def test_between_keeps_to_both_ends(name: int, least: int, span: int) -> None:
    assert least <= Draw(name).between(least, least + span) <= least + span


@given(st.integers(), st.lists(st.integers(), unique=True), st.integers(0, 10))
def test_several_are_different_ones_of_the_options(
    name: int, options: list[int], count: int
) -> None:
    taken = Draw(name).several(options, count)

    assert len(taken) == len(set(taken)) == min(count, len(options))
    assert set(taken) <= set(options)


def test_chances_of_nothing_and_of_everything() -> None:
    draw = Draw("chance")

    assert not any(draw.chance(0) for _ in range(50))
    assert all(draw.chance(100) for _ in range(50))
