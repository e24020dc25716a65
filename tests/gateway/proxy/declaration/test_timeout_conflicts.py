"""The total timeout of a route must not be below the timeout of its service."""

import pytest

from gateway.proxy import Proxy
from gateway.proxy.declaration.timeout_conflicts import find_timeout_conflicts
from gateway.settings.schema import Service


@pytest.mark.parametrize(
    ("timeout", "total", "is_wrong"),
    [(None, 1.5, True), (None, 3.0, False), (None, None, False), (1.0, 1.5, False)],
)
def test_the_route_and_the_setting_are_named(
    timeout: float | None, total: float | None, is_wrong: bool
) -> None:
    proxy = Proxy("/a/{path:path}", to="a", public="a test", timeout=timeout, total_timeout=total)
    service = Service.model_validate({"url": "http://a.test", "timeout": 3})
    found = list(map(str, find_timeout_conflicts({"a": service}, [proxy])))
    expected = (
        f"{proxy.file}:{proxy.line}: ANY /a/{{path:path}}: total_timeout is 1.5; it must not be "
        "below upstreams.a.timeout, which is 3.0 (raise it, or give the route a timeout of its own)"
    )
    assert found == ([expected] if is_wrong else [])
    assert not list(find_timeout_conflicts({}, [proxy]))
