"""Invalid declarations are kept while a package is loaded, and never become routes."""

from typing import Any, cast

import pytest

from gateway.declaration.invalid_declaration import InvalidDeclaration, keep_invalid_declarations
from gateway.proxy import Proxy
from gateway.proxy.routes import create_proxy_router


def test_an_invalid_declaration_that_is_kept_is_never_served() -> None:
    with keep_invalid_declarations():
        kept = [Proxy("/a/{b}", to="a"), cast("Any", Proxy)("/a/{b}", to="a", requires=(), x=1)]
    for proxy in kept:
        assert len(proxy.mistakes) == 1
        with pytest.raises(InvalidDeclaration, match=r"^Proxy\('/a/{b}'\): "):
            create_proxy_router([proxy])
    with pytest.raises(InvalidDeclaration):
        Proxy("/a/{b}", to="a")
