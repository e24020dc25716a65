"""Each option of slowapi's own signature works, or is an error that names it."""

import inspect
from pathlib import Path
from typing import Any

import pytest
import slowapi
from slowapi.util import get_remote_address

from gateway.ratelimit.compat import slowapi as drop_in
from gateway.ratelimit.compat.slowapi import Limiter
from gateway.ratelimit.compat.slowapi_options import CHECKS, read_options
from gateway.ratelimit.memory_limiter import MemoryLimiter
from tests.gateway.ratelimit.compat.slowapi_app import build_limiter

# option -> values that have an effect; the tests of that effect are in `test_slowapi.py`.
WORKING: dict[str, list[Any]] = {
    "key_func": [get_remote_address],
    "default_limits": [[]],
    "application_limits": [[], ()],
    "headers_enabled": [True, False],
    "strategy": [None, "moving-window"],
    "storage_uri": [None, "memory://"],
    "storage_options": [{}],
    "auto_check": [True, False],
    "swallow_errors": [True, False],
    "in_memory_fallback": [[]],
    "in_memory_fallback_enabled": [True, False],
    "retry_after": [None, "http-date", "delta-seconds"],
    "key_prefix": ["", "mine", None],
    "enabled": [True, False],
    "config_filename": [None],
    "key_style": ["endpoint"],
}

# option -> values that would have no effect, or make no sense.
REFUSED: dict[str, list[Any]] = {
    "key_func": [None, "everyone", 7, True],
    "default_limits": [["1/minute"], "1/minute", [lambda: "1/minute"]],
    "application_limits": [["1/minute"], "1/minute"],
    "headers_enabled": ["yes", None, 7],
    "strategy": ["fixed-window", "sliding-window-counter", "none", ["moving-window"]],
    "storage_uri": ["redis://:secret@127.0.0.1", "memcached://h", "async+memory://"],
    "storage_options": [{"password": "secret"}],
    "auto_check": ["no", None],
    "swallow_errors": ["sometimes", None],
    "in_memory_fallback": [["1/minute"]],
    "in_memory_fallback_enabled": [None],
    "retry_after": ["date", 5],
    "key_prefix": [5],
    "enabled": [None, "off"],
    "config_filename": ["no-such.env"],
    "key_style": ["url", None],
}


def test_every_option_of_slowapi_has_a_decision() -> None:
    options = set(inspect.signature(slowapi.Limiter).parameters)
    assert options == set(WORKING) == set(REFUSED) == set(CHECKS)


@pytest.mark.parametrize("option", WORKING)
def test_an_option_that_works_is_accepted(option: str) -> None:
    for value in WORKING[option]:
        Limiter(**{"key_func": get_remote_address, option: value})


@pytest.mark.parametrize("option", REFUSED)
def test_an_option_without_effect_is_refused_by_its_name(option: str) -> None:
    for value in REFUSED[option]:
        with pytest.raises((TypeError, ValueError), match=option) as raised:
            Limiter(**{"key_func": get_remote_address, option: value})
        assert "secret" not in str(raised.value)


def test_a_new_option_of_slowapi_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(CHECKS, "auto_check")
    with pytest.raises(ValueError, match="auto_check is False; it is not known"):
        Limiter(get_remote_address, auto_check=False)
    with pytest.raises(TypeError, match="unknown"):
        Limiter(get_remote_address, unknown=True)


@pytest.mark.parametrize("decorator", ["limit", "shared_limit"])
def test_the_decorators_have_slowapis_parameters(decorator: str) -> None:
    ours, theirs = (
        inspect.signature(getattr(library.Limiter, decorator)).parameters.values()
        for library in (drop_in, slowapi)
    )
    assert [(p.name, p.kind, p.default) for p in ours] == [
        (p.name, p.kind, p.default) for p in theirs
    ]


def test_the_public_methods_are_slowapis() -> None:
    public = {name for name in vars(slowapi.Limiter) if not name.startswith("_")}
    assert public == {
        "exempt", "get_app_config", "limit", "limiter", "reset", "shared_limit", "slowapi_startup"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("variable", "value", "option"),
    [
        ("RATELIMIT_DEFAULT", "1/minute", "default_limits"),
        ("RATELIMIT_APPLICATION", "1/minute", "application_limits"),
        ("RATELIMIT_STORAGE_URL", "redis://127.0.0.1", "storage_uri"),
        ("RATELIMIT_STORAGE_OPTIONS", "{}", "storage_options"),
        ("RATELIMIT_STRATEGY", "fixed-window", "strategy"),
        ("RATELIMIT_IN_MEMORY_FALLBACK", "1/minute", "in_memory_fallback"),
        ("RATELIMIT_ENABLED", "maybe", "enabled"),
        ("RATELIMIT_SWALLOW_ERRORS", "maybe", "swallow_errors"),
    ],
)
def test_a_variable_is_refused_as_its_option_is(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, option: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValueError, match=rf"{option} \({variable}\)"):
        build_limiter()
    monkeypatch.setenv(variable, "")
    build_limiter()


@pytest.mark.parametrize(("text", "is_true"), [("false", False), ("0", False), ("TRUE", True)])
def test_a_variable_false_is_false(
    monkeypatch: pytest.MonkeyPatch, text: str, is_true: bool
) -> None:
    for name in ("ENABLED", "HEADERS_ENABLED", "SWALLOW_ERRORS", "IN_MEMORY_FALLBACK_ENABLED"):
        monkeypatch.setenv(f"RATELIMIT_{name}", text)
    options = read_options(get_remote_address, enabled=not is_true)
    assert {
        options.enabled,
        options.headers_enabled,
        options.swallow_errors,
        options.in_memory_fallback_enabled,
    } == {is_true}
    assert Limiter(get_remote_address).enabled is is_true


def test_the_configuration_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("RATELIMIT_KEY_PREFIX=from-env-file\n")
    (tmp_path / "limits.env").write_text("RATELIMIT_ENABLED=false\nRATELIMIT_KEY_PREFIX=other\n")
    assert read_options(get_remote_address).key_prefix == "from-env-file"
    assert read_options(get_remote_address, key_prefix="argument").key_prefix == "argument"
    assert Limiter(get_remote_address, config_filename="limits.env").enabled is False


def test_a_header_cannot_have_an_invalid_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATELIMIT_HEADER_RESET", "X Reset")
    with pytest.raises(ValueError, match="'X Reset' is not the name of a header"):
        build_limiter()


def test_a_configuration_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    file = tmp_path / "binary.env"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"binary\.env cannot be read"):
        Limiter(get_remote_address, config_filename=str(file))


async def test_memory_as_the_storage_counts_in_this_process() -> None:
    slowapi_limiter = Limiter(get_remote_address, storage_uri="memory://")
    assert isinstance(slowapi_limiter.engine, MemoryLimiter)
    with pytest.raises(ValueError, match="engine"):
        Limiter(get_remote_address, storage_uri="memory://", engine=MemoryLimiter())


@pytest.mark.parametrize(
    "options",
    [
        {"methods": "GET"},
        {"methods": []},
        {"methods": ["GET POST"]},
        {"methods": [7]},
        {"override_defaults": False},
        {"exempt_when": True},
        {"error_message": lambda one, two: "no"},
        {"key_func": "everyone"},
        {"cost": None},
        {"cost": "1"},
        {"cost": -1},
        {"cost": 0.5},
        {"cost": float("nan")},
        {"cost": 10},
        {"cost": 10**400},
    ],
)
def test_an_option_of_a_decorator_is_refused_by_its_name(options: dict[str, Any]) -> None:
    slowapi_limiter = build_limiter()
    with pytest.raises((TypeError, ValueError), match=next(iter(options))):
        slowapi_limiter.limit("9/minute", **options)
