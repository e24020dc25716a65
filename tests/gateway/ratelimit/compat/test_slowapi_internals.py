"""One test for each private name of slowapi: its meaning, and the effect of its removal."""

import inspect
import re
from typing import Any

import pytest
import slowapi
from slowapi.extension import HEADERS, C
from slowapi.util import get_remote_address
from slowapi.wrappers import Limit, LimitGroup
from starlette.requests import Request
from starlette.responses import Response

from gateway.ratelimit.compat import slowapi as drop_in
from gateway.ratelimit.compat.slowapi_internals import (
    SlowapiInternals,
    bind_options,
    get_current_limit,
    make_limit_group,
    parse_limits,
    set_current_limit,
)


class Recorder(SlowapiInternals):
    """slowapi's `Limiter` with the two methods that slowapi calls, recorded."""

    def __init__(self, **options: Any) -> None:
        super().__init__(get_remote_address, **options)
        self.calls: list[object] = []

    def inject_headers(self, response: Any, current_limit: Any) -> Any:
        """Record the limit."""
        self.calls.append(current_limit)
        return response

    def on_middleware(self) -> None:
        """Record the call."""
        self.calls.append("middleware")


def request() -> Request:
    """A request to an app without a limiter."""
    return Request({"type": "http", "method": "GET", "path": "/", "headers": []})


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("_default_limits", "default_limits"),
        ("_application_limits", "application_limits"),
        ("_in_memory_fallback", "in_memory_fallback"),
    ],
)
def test_global_limits(name: str, option: str) -> None:
    """Without these names, limits for all routes would be ignored instead of refused."""
    limiter = Recorder(**{option: ["1/minute"]})
    assert getattr(limiter, name)
    assert limiter.has_global_limits
    assert not Recorder().has_global_limits


def test_key_func() -> None:
    """Without `_key_func`, a limit that names no `key_func` would have none."""
    assert Recorder()._key_func is get_remote_address
    assert Recorder().default_key_func is get_remote_address


def test_key_prefix() -> None:
    """Without `_key_prefix`, two apps with prefixes of their own would share their counts."""
    assert Recorder(key_prefix="mine")._key_prefix == "mine"
    assert (Recorder(key_prefix="mine").key_prefix, Recorder().key_prefix) == ("mine", "")


def test_auto_check() -> None:
    """Without `_auto_check`, `auto_check=False` would go on checking."""
    assert Recorder(auto_check=False)._auto_check is False
    assert (Recorder(auto_check=False).is_auto_check, Recorder().is_auto_check) == (False, True)


def test_swallow_errors() -> None:
    """Without `_swallow_errors`, requests would be limited locally instead of passing."""
    assert Recorder(swallow_errors=True)._swallow_errors is True
    assert Recorder(swallow_errors=True).is_swallowing_errors
    assert not Recorder().is_swallowing_errors


def test_exempt_routes() -> None:
    """Without `_exempt_routes`, or with other names in it, exempt endpoints would be limited."""
    limiter = Recorder()

    def endpoint() -> None: ...

    assert not limiter.is_exempt(endpoint)
    limiter.exempt(endpoint)  # type: ignore[no-untyped-call]
    assert limiter._exempt_routes == {f"{__name__}.endpoint"}
    assert limiter.is_exempt(endpoint)


def test_request_filters() -> None:
    """Without `_request_filters`, filtered requests would be limited."""
    limiter = Recorder()
    limiter._request_filters.append(lambda: True)
    assert limiter.is_exempt(test_request_filters)


def test_headers_enabled() -> None:
    """Without `_headers_enabled`, `headers_enabled=True` would have no effect."""
    assert Recorder(headers_enabled=True)._headers_enabled is True
    assert (Recorder(headers_enabled=True).has_headers, Recorder().has_headers) == (True, False)


def test_header_mapping(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `_header_mapping` and `HEADERS`, headers could not be renamed by configuration."""
    monkeypatch.setenv("RATELIMIT_HEADER_LIMIT", "X-Limit")
    assert Recorder()._header_mapping[HEADERS.LIMIT] == "X-Limit"
    assert Recorder().get_header_names() == (
        "X-Limit",
        "X-RateLimit-Remaining",
        "X-RateLimit-Reset",
        "Retry-After",
    )


def test_retry_after() -> None:
    """Without `_retry_after`, `Retry-After` would always be a number of seconds."""
    assert Recorder(retry_after="http-date")._retry_after == "http-date"
    assert Recorder(retry_after="http-date").is_retry_after_date
    assert not Recorder().is_retry_after_date


def test_storage_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `C.STORAGE_URL`, a storage set in the environment would be ignored, not refused."""
    assert Recorder().configured_storage is None
    monkeypatch.setenv(C.STORAGE_URL, "memory://")
    assert Recorder().configured_storage == "memory://"


def test_inject_headers() -> None:
    """slowapi's exception handler calls `_inject_headers`; else a refusal would lack headers."""
    assert "_inject_headers" in vars(slowapi.Limiter)
    source = inspect.getsource(slowapi._rate_limit_exceeded_handler)
    assert "limiter._inject_headers(" in source
    limiter, response = Recorder(), Response()
    assert limiter._inject_headers(response, "limit") is response
    assert limiter.calls == ["limit"]


def test_check_request_limit() -> None:
    """The middlewares call `_check_request_limit`; else they would count twice, in silence."""
    assert "_check_request_limit" in vars(slowapi.Limiter)
    limiter = Recorder()
    limiter._check_request_limit(request(), None, True)
    assert limiter.calls == ["middleware"]


def test_view_rate_limit() -> None:
    """slowapi's exception handler reads `view_rate_limit`; else it would fail with a 500."""
    assert "request.state.view_rate_limit" in inspect.getsource(
        slowapi._rate_limit_exceeded_handler
    )
    one = request()
    assert get_current_limit(one) is None
    set_current_limit(one, "limit")
    assert (get_current_limit(one), one.state.view_rate_limit) == ("limit", "limit")


def test_signature() -> None:
    """Without these parameters, options would be passed under names that slowapi does not know."""
    options = bind_options(get_remote_address, storage_uri="memory://", key_style="url")
    assert options == {
        "key_func": get_remote_address,
        "storage_uri": "memory://",
        "key_style": "url",
    }
    with pytest.raises(TypeError):
        bind_options(get_remote_address, unknown=True)


def test_limit_group() -> None:
    """`LimitGroup` takes its arguments by position: another order would mix them up."""
    assert list(inspect.signature(LimitGroup).parameters) == [
        "limit_provider", "key_function", "scope", "per_method", "methods",
        "error_message", "exempt_when", "cost", "override_defaults",
    ]  # fmt: skip
    group = make_limit_group("2/minute;1/second", get_remote_address, methods=["GET"], cost=3)
    limits = list(parse_limits(group, request()))
    assert [limit.limit.amount for limit in limits] == [2, 1]
    assert all(isinstance(limit, Limit) for limit in limits)
    assert (limits[0].methods, limits[0].cost, limits[0].per_method) == (["get"], 3, False)
    assert not limits[0].is_exempt(request())


def test_with_request() -> None:
    """Without `with_request`, a limit text that depends on the key could not see the request."""

    def by_key(key: str) -> str:
        return f"{key}/minute"

    def seven(request: Request) -> str:
        return "7"

    group = make_limit_group(by_key, seven)
    assert [limit.limit.amount for limit in parse_limits(group, request())] == [7]


def test_no_other_file_uses_a_private_name() -> None:
    """The drop-in itself uses none of slowapi's private attributes."""
    private = [name for name in vars(Recorder()) if name.startswith("_")]
    source = inspect.getsource(drop_in)
    assert "_headers_enabled" in private
    assert not [name for name in private if re.search(rf"self\.{name}\b", source)]
