"""Arguments that `Proxy(...)` cannot take are refused with the route and what would be right."""

from typing import Any

import pytest

from gateway.declaration.invalid_declaration import InvalidDeclaration
from gateway.proxy import Proxy


@pytest.mark.parametrize(
    ("arguments", "options", "error"),
    [
        (("/a/{b}", "a"), {"require": "a:read"}, "there is no option require (did you mean req"),
        (("/a/{b}", "a"), {"owned": "b"}, "there is no option owned (did you mean owner?)"),
        (("/a/{b}", "a", "a:read"), {}, "'a:read' has no name; only path and to are given without"),
        (("/a/{b}",), {"requires": ()}, "Proxy('/a/{b}'): to is missing"),
        ((), {"to": "a", "requires": ()}, "Proxy(None): path is missing"),
        (("/a/{b}", "a"), {"to": "a", "requires": ()}, "to is given twice"),
        (("/a/{b}", "a"), {"file": "x", "requires": ()}, "there is no option file ("),
    ],
)
def test_arguments_that_it_cannot_take(
    arguments: tuple[Any, ...], options: dict[str, Any], error: str
) -> None:
    with pytest.raises(InvalidDeclaration, match=r"^Proxy\(") as caught:
        Proxy(*arguments, **options)
    assert error in str(caught.value)
