"""The options of slowapi's `Limiter`: each has its effect, or is an error that says why not."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.ratelimit.compat.slowapi_callback import Callback
from gateway.ratelimit.compat.slowapi_internals import CONFIG_KEYS, SIGNATURE, read_config

_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_CONFIG_WINS = {"enabled", "swallow_errors"}
_CONFIDENTIAL = {"storage_uri", "storage_options"}  # they may have a password

MIDDLEWARE_ONLY = (
    "needs slowapi's middleware, which misses included routers and blocks the event loop; put a "
    "limit on each route, or limited(...) into the dependencies of a router"
)


@dataclass(frozen=True, slots=True)
class LimiterOptions:
    """The options that have an effect; the names are slowapi's."""

    key_func: Callback
    headers_enabled: bool
    auto_check: bool
    swallow_errors: bool
    in_memory_fallback_enabled: bool
    http_date: bool
    key_prefix: str
    enabled: bool
    in_process: bool
    config_filename: str | None


def read_options(*args: Any, **options: Any) -> LimiterOptions:  # noqa: ANN401 - slowapi's own
    """Check the arguments of slowapi's `Limiter`, and those that its configuration adds.

    Raises:
        TypeError: they do not fit its signature, or a value has the wrong type.
        ValueError: an option would have no effect, or has an invalid value.
    """
    given = SIGNATURE.bind(*args, **options).arguments
    filename = given.get("config_filename")
    if filename is not None and not Path(filename).is_file():
        raise ValueError(f"config_filename is {filename!r}, and there is no such file")
    values = _merge(given, read_config(filename))
    for name, value in values.items():
        message = CHECKS[name](value) if name in CHECKS else "is not known to Lockgate"
        if message:
            variable = f" ({CONFIG_KEYS[name]})" if value is not given.get(name) else ""
            shown = "" if name in _CONFIDENTIAL else f" is {value!r:.60}; it"
            raise ValueError(f"{name}{variable}{shown} {message}")
    return LimiterOptions(
        key_func=Callback("key_func", values["key_func"]),
        headers_enabled=_to_bool(values.get("headers_enabled", False)),
        auto_check=_to_bool(values.get("auto_check", True)),
        swallow_errors=_to_bool(values.get("swallow_errors", False)),
        in_memory_fallback_enabled=_to_bool(values.get("in_memory_fallback_enabled", True)),
        http_date=values.get("retry_after") == "http-date",
        key_prefix=values.get("key_prefix") or "",
        enabled=_to_bool(values.get("enabled", True)),
        in_process=values.get("storage_uri") == "memory://",
        config_filename=filename,
    )


def _merge(given: Mapping[str, Any], config: Mapping[str, str]) -> dict[str, Any]:
    """Add the configuration to the arguments, with slowapi's order of precedence."""
    wins = {
        name: value for name, value in config.items() if name in _CONFIG_WINS or not given.get(name)
    }
    return {**given, **wins}


def _to_bool(value: bool | str) -> bool:
    return value if isinstance(value, bool) else _BOOLEANS[value.lower()]


def _check_flag(value: object) -> str | None:
    if isinstance(value, bool) or (isinstance(value, str) and value.lower() in _BOOLEANS):
        return None
    return "must be true or false"


def _check_empty_limits(value: object) -> str | None:
    return MIDDLEWARE_ONLY if value else None


def _check_in_memory_fallback(value: object) -> str | None:
    if value:
        return (
            "has no effect: while Redis is down, each process grants its share of the same limits"
        )
    return None


def _check_strategy(value: object) -> str | None:
    if value in (None, "moving-window"):
        return None
    return (
        "must be 'moving-window' or left out, because Lockgate's limiter always counts a moving "
        "window"
    )


def _check_storage_uri(value: object) -> str | None:
    if value in (None, "memory://"):
        return None
    return (
        "has no effect, because Lockgate's limiter counts: set LOCKGATE_REDIS_URL, or in an app "
        "without a gateway `async with limiter.open(app, redis_url=...)` in its lifespan"
    )


def _check_storage_options(value: object) -> str | None:
    return "has no effect; options of Redis belong into its URL" if value else None


def _check_retry_after(value: object) -> str | None:
    if value in (None, "http-date", "delta-seconds"):
        return None
    return "must be 'http-date' or 'delta-seconds'"


def _check_key_prefix(value: object) -> str | None:
    return None if value is None or isinstance(value, str) else "must be a string"


def _check_key_style(value: object) -> str | None:
    if value == "endpoint":
        return None
    return (
        "must be 'endpoint', because by URL /items/1 and /items/2 would be counted separately, so "
        "that a client evades the limit by varying the path"
    )


def _is_checked_elsewhere(_: object) -> None:
    return None


CHECKS: Mapping[str, Callable[[Any], str | None]] = {
    "key_func": _is_checked_elsewhere,  # by `Callback`
    "default_limits": _check_empty_limits,
    "application_limits": _check_empty_limits,
    "headers_enabled": _check_flag,
    "strategy": _check_strategy,
    "storage_uri": _check_storage_uri,
    "storage_options": _check_storage_options,
    "auto_check": _check_flag,
    "swallow_errors": _check_flag,
    "in_memory_fallback": _check_in_memory_fallback,
    "in_memory_fallback_enabled": _check_flag,
    "retry_after": _check_retry_after,
    "key_prefix": _check_key_prefix,
    "enabled": _check_flag,
    "config_filename": _is_checked_elsewhere,  # by `read_options`, which reads the file
    "key_style": _check_key_style,
}
"""What is wrong with a value of each option, or None. An option that is not here is refused."""
