"""Settings that only typed clients use are errors for a service behind proxied routes."""

from typing import Any

import pytest

from gateway.proxy import Proxy
from gateway.proxy.declaration.unused_settings import find_unused_settings
from gateway.settings.schema import Service

PROXY = Proxy("/stock/{path:path}", to="stock", requires="stock:read")


def find(options: dict[str, Any], *, clients: tuple[str, ...] = ()) -> list[str]:
    service = Service.model_validate({"url": "http://stock", **options})
    return list(map(str, find_unused_settings({"stock": service}, clients, [PROXY])))


@pytest.mark.parametrize(
    "options",
    [
        {"forward_token": True},
        {"forward_headers": ["accept-language"]},
        {"internal_token": True},
        {"max_body_bytes": 1},
        {"accept_encoding": ["gzip"]},
        {"retry": {"attempts": 2}},
    ],
)
def test_a_setting_without_effect_is_named(options: dict[str, Any]) -> None:
    (error,) = find(options)
    (setting,) = options
    assert error.startswith(
        f"upstreams.stock.{setting}: has no effect: it is for typed clients, and only proxied "
        f"routes use the service, such as ANY /stock/{{path:path}} in {PROXY.file}:{PROXY.line}"
    )
    assert find(options, clients=("stock",)) == []


def test_the_settings_of_proxied_routes_have_an_effect() -> None:
    options = {"timeout": 9, "connect_timeout": 2, "max_connections": 4, "transport": "httpx"}
    fields = {"headers": {"x-a": "b"}, "forward_client_address": "forwarded"}
    assert find({**options, **fields, "forward_token": False, "retry": {"attempts": 1}}) == []
