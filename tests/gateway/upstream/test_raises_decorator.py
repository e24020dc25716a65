"""`raises` declares problems on a function, and does nothing else."""

from typing import Any

import pytest

from gateway.upstream import UpstreamProblem, UpstreamRefused, raises
from gateway.upstream.raises_decorator import get_raised_problems


class Changed(UpstreamProblem, status=409):
    pass


class Gone(UpstreamProblem, status=410):
    pass


def test_the_function_is_the_same_and_declarations_add_up() -> None:
    def load() -> int:
        return 1

    assert get_raised_problems(load) == ()
    assert raises(Gone)(raises(Changed)(load)) is load
    assert get_raised_problems(load) == (Changed, Gone)


def test_a_class_declares_for_its_instances() -> None:
    @raises(Changed)
    class Load:
        async def __call__(self) -> int:
            return 1

    assert get_raised_problems(Load()) == (Changed,)


@pytest.mark.parametrize("wrong", [UpstreamProblem, UpstreamRefused, lambda: None, "Changed"])
def test_only_problems_can_be_declared(wrong: Any) -> None:
    with pytest.raises(TypeError, match="is not a subclass of UpstreamProblem"):
        raises(wrong)
