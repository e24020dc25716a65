"""One test for each private name of slowapi: its meaning, and the effect of its removal."""

import inspect
import re
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import slowapi
from limits import RateLimitItemPerMinute
from slowapi.errors import RateLimitExceeded
from slowapi.extension import HEADERS, C
from slowapi.util import get_remote_address
from slowapi.wrappers import Limit
from starlette.requests import Request
from starlette.responses import Response

from gateway.ratelimit import compat
from gateway.ratelimit.compat.slowapi_internals import (
    CONFIG_KEYS,
    SIGNATURE,
    MiddlewareNotSupported,
    SlowapiInternals,
    get_current_limit,
    make_limit,
    read_config,
    set_current_limit,
)
from tests.architecture.sources import ROOT


class Recorder(SlowapiInternals):
    """slowapi's `Limiter` with the method that slowapi calls, recorded."""

    def __init__(self) -> None:
        super().__init__(get_remote_address, None)
        self.calls: list[object] = []

    def inject_headers(self, response: Any, current_limit: Any) -> Any:
        """Record the limit."""
        self.calls.append(current_limit)
        return response


def request() -> Request:
    """A request to an app without a limiter."""
    return Request({"type": "http", "method": "GET", "path": "/", "headers": []})


def test_the_signature() -> None:
    """Without these names, options would be bound to parameters that slowapi does not have."""
    assert next(iter(SIGNATURE.parameters)) == "key_func"
    assert {"storage_uri", "strategy", "storage_options", "config_filename"} <= set(
        SIGNATURE.parameters
    )
    assert set(CONFIG_KEYS) <= set(SIGNATURE.parameters)


def test_the_keys_of_the_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the names in `C`, options of the environment would be ignored, not refused."""
    known = {key for name, key in vars(C).items() if name.isupper()}
    others = {
        C.GLOBAL_LIMITS,  # slowapi does not read it
        C.HEADER_LIMIT, C.HEADER_REMAINING, C.HEADER_RESET, C.HEADER_RETRY_AFTER,
    }  # fmt: skip
    assert known == {*CONFIG_KEYS.values(), *others}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(C.STORAGE_URL, "memory://")
    monkeypatch.setenv(C.DEFAULT_LIMITS, "")
    (tmp_path / ".env").write_text(f"{C.STRATEGY}=moving-window\n")
    assert read_config(None) == {"storage_uri": "memory://", "strategy": "moving-window"}
    (tmp_path / "other.env").write_text(f"{C.KEY_PREFIX}=mine\n")
    assert read_config("other.env") == {"storage_uri": "memory://", "key_prefix": "mine"}


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


def test_inject_headers() -> None:
    """slowapi's exception handler calls `_inject_headers`; else a refusal would lack headers."""
    assert "_inject_headers" in vars(slowapi.Limiter)
    source = inspect.getsource(slowapi._rate_limit_exceeded_handler)
    assert "limiter._inject_headers(" in source
    limiter, response = Recorder(), Response()
    assert limiter._inject_headers(response, "limit") is response
    assert limiter.calls == ["limit"]


def test_check_request_limit() -> None:
    """The middlewares call `_check_request_limit`, and their handler reads `detail` of an error.

    Otherwise they would count with slowapi's storage, or hide the error.
    """
    assert "_check_request_limit" in vars(slowapi.Limiter)
    assert "exc.detail" in inspect.getsource(slowapi._rate_limit_exceeded_handler)
    with pytest.raises(MiddlewareNotSupported, match="remove them") as raised:
        Recorder()._check_request_limit(request(), None, True)
    with pytest.raises(MiddlewareNotSupported, match="remove them"):
        _ = raised.value.detail


def test_view_rate_limit() -> None:
    """slowapi's exception handler reads `view_rate_limit`; else it would fail with a 500."""
    assert "request.state.view_rate_limit" in inspect.getsource(
        slowapi._rate_limit_exceeded_handler
    )
    one = request()
    assert get_current_limit(one) is None
    set_current_limit(one, "limit")
    assert (get_current_limit(one), one.state.view_rate_limit) == ("limit", "limit")


def test_limit() -> None:
    """`Limit` takes its arguments by position: another order would mix them up."""
    assert list(inspect.signature(Limit).parameters) == [
        "limit", "key_func", "scope", "per_method", "methods",
        "error_message", "exempt_when", "cost", "override_defaults",
    ]  # fmt: skip
    limit = make_limit(
        RateLimitItemPerMinute(5),
        get_remote_address,
        scope="both",
        per_method=True,
        methods=["get"],
        error_message="slow down",
        exempt_when=None,
        cost=3,
    )
    assert (limit.scope, limit.methods, limit.cost) == ("both", ["get"], 3)
    assert RateLimitExceeded(limit).detail == "slow down"


def test_no_other_file_uses_a_private_name() -> None:
    """The drop-in itself uses none of slowapi's private attributes."""
    private = [name for name in vars(Recorder()) if name.startswith("_")]
    assert "_headers_enabled" in private
    for file in Path(*compat.__path__).glob("*.py"):
        if file.name != "slowapi_internals.py":
            source = file.read_text()
            found = [name for name in private if re.search(rf"(self|limiter)\.{name}\b", source)]
            assert not found, file


@pytest.mark.parametrize("library", ["slowapi", "limits"])
def test_the_installed_version_is_within_both_bounds(library: str) -> None:
    """`pyproject.toml` bounds the version on both sides; these tests ran with the installed one."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (bound,) = [text for text in project["dependencies"] if re.match(rf"{library}\W", text)]
    lowest, above = re.fullmatch(rf"{library}>=([\d.]+),<([\d.]+)", bound).groups()  # type: ignore[union-attr]
    installed, least, most = (
        tuple(map(int, text.split("."))) for text in (version(library), lowest, above)
    )
    assert least <= installed < most
