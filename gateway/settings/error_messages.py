"""Messages for invalid settings, made from pydantic's errors."""

from collections.abc import Iterable, Sequence
from datetime import date, time
from fnmatch import fnmatchcase
from typing import get_args

from pydantic_core import ErrorDetails
from pydantic_core.core_schema import ErrorType

from gateway.settings.errors import ConfigError, find_nearest, get_variable, suggest_nearest
from gateway.settings.section import CONFLICT
from gateway.settings.setting_path import SettingPath, find_meant_path, format_path, list_keys

# An error repeats an invalid value only for these settings. A value of any other setting may be
# or contain a secret (a URL with a password, a header with an API key), so it must not reach a
# terminal or a log. A `*` matches one step of the path.
_SHOWN_SETTINGS = (
    "server.*",
    "server.trusted_proxies.*",
    "server.cors_*_headers.*",
    "tls.ca_file",
    "tokens.*_bytes",
    "tokens.*_entries",
    "tokens.*_seconds",
    "tokens.*_limit",
    "identity.*_file",
    "identity.rotate_days",
    "counters.*",
    "oauth.*",
    "storage.*",
    "ops.*",
    "ops.hosts.*",
    "limits.*",
    "demo.*",
    "log.*",
    "app.package",
    "app.title",
    "app.description",
    "app.version",
    "issuers.*.issuer",
    "issuers.*.tenants",
    "issuers.*.tenants.*",
    "issuers.*.audience",
    "issuers.*.jwks_file",
    "issuers.*.algorithms",
    "issuers.*.algorithms.*",
    "issuers.*.clock_skew_seconds",
    "issuers.*.*_claim",
    "issuers.*.granted_scopes",
    "issuers.*.granted_scopes.*",
    "issuers.*.id_tokens",
    "upstreams.*.timeout",
    "upstreams.*.connect_timeout",
    "upstreams.*.max_body_bytes",
    "upstreams.*.max_connections",
    "upstreams.*.idle_seconds",
    "upstreams.*.max_age_seconds",
    "upstreams.*.transport",
    "upstreams.*.forward_token",
    "upstreams.*.internal_token",
    "upstreams.*.forward_client_address",
    "upstreams.*.accept_encoding.*",
    "upstreams.*.forward_headers",
    "upstreams.*.forward_headers.*",
    "upstreams.*.retry.*",
    "upstreams.*.tls.*_file",
    "upstreams.*.tls.server_name",
)
_MAX_LISTED_SETTINGS = 5
_MAX_SHOWN_LENGTH = 60

_INTEGER, _NUMBER, _FLAG = "must be an integer", "must be a number", "must be true or false"
_STRING, _TABLE, _LIST = "must be a string", "must be a table", "must be a list"
_TYPE_MESSAGES = {_INTEGER, _NUMBER, _FLAG, _STRING, _TABLE, _LIST}

# The type of an error -> its words, with the fields of its context.
_MESSAGES = {
    "missing": "is required",
    "int_type": _INTEGER,
    "int_parsing": _INTEGER,
    "int_parsing_size": _INTEGER,
    "int_from_float": _INTEGER,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": "must be a finite number",
    "bool_type": _FLAG,
    "bool_parsing": _FLAG,
    "string_type": _STRING,
    "string_unicode": "must be text in UTF-8",
    "string_too_short": "must not be empty",
    "path_type": _STRING,
    "url_type": _STRING,
    "url_scheme": "must be a URL that begins with {expected_schemes}",
    "url_parsing": "is not a URL: {error}",
    "url_syntax_violation": "is not a URL: {error}",
    "url_too_long": "must be a URL of at most {max_length} characters",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "tuple_type": _LIST,
    "list_type": _LIST,
    "set_type": _LIST,
    "too_short": "must have at least {min_length} entry",
    "dict_type": _TABLE,
    "model_type": _TABLE,
    "model_attributes_type": _TABLE,
    "value_error": "{error}",
    # Only the settings of a package have the types below.
    "none_required": "must not be set",
    "string_pattern_mismatch": "must match the pattern {pattern}",
    "string_too_long": "must have at most {max_length} characters",
    "too_long": "must have at most {max_length} entries",
    "multiple_of": "must be a multiple of {multiple_of}",
    "enum": "must be {expected}",
    "date_type": "must be a date",
    "datetime_type": "must be a date with a time",
    "time_type": "must be a time",
    "time_delta_type": "must be a duration",
    "decimal_type": _NUMBER,
    "decimal_parsing": _NUMBER,
    "bytes_type": _STRING,
    "frozen_set_type": _LIST,
    "mapping_type": _TABLE,
    "dataclass_type": _TABLE,
}
_PYDANTIC_TYPES = frozenset(get_args(ErrorType))

# The type of a value -> how TOML and JSON call it.
_KINDS: Sequence[tuple[type | tuple[type, ...], str]] = (
    (bool, "a boolean"),
    (int, "an integer"),
    (float, "a number"),
    (str, "a string"),
    (dict, "a table"),
    (list, "a list"),
    ((date, time), "a date or time"),
)

_EXAMPLES = {
    "issuers": '[{"issuer": "https://login.example.com", "audience": "lockgate", '
    '"discovery_url": "https://login.example.com/.well-known/openid-configuration"}]',
    "issuers.*.algorithms": '["RS256"]',
    "issuers.*.granted_scopes": '["dashboard:read"]',
    "server.trusted_proxies": '["10.0.0.0/8"]',
    "server.cors_origins": '["https://app.example.com"]',
    "server.cors_request_headers": '["sentry-trace"]',
    "server.cors_response_headers": '["x-total-count"]',
    "upstreams.*.forward_headers": '["accept-language"]',
    "upstreams.*": '{"url": "http://users.internal:9101"}',
    "upstreams.*.headers": '{"x-api-key": "secret"}',
    "limits": '{"pages": "240/minute"}',
}


def describe_error(error: ErrorDetails) -> ConfigError:
    """Convert an error of pydantic; its value becomes the hint if it cannot be a secret."""
    path = get_error_path(error)
    if error["type"] == "extra_forbidden":
        return describe_unknown(path)
    context = error.get("ctx", {})
    if error["type"] == CONFLICT and context.get("at"):
        path += (str(context["at"]),)
    message = get_message(error)
    return ConfigError(format_path(path), message, _suggest(path, error, message))


def get_error_path(error: ErrorDetails) -> SettingPath:
    """Return the path of the setting; pydantic adds a step if the key is wrong, not the value."""
    return tuple(str(step) for step in error["loc"] if step != "[key]")


def describe_unknown(path: SettingPath) -> ConfigError:
    """Return the error for a setting that the schema does not have."""
    if len(path) == 1 and (meant := find_meant_path(path[0])):
        setting = format_path(meant)
        hint = f"did you mean {setting}, which is {get_variable(setting)} in the environment?"
    elif len(path) == 1 and find_nearest(path[0], ["config", *list_keys(())]) == "config":
        hint = f"did you mean the variable {get_variable('config')}, which names the settings file?"
    else:
        hint = suggest_nearest(path[-1], list_keys(path[:-1]))
    return ConfigError(format_path(path), "no such setting", hint)


def show_example(path: SettingPath, text: str = "") -> str:
    """Return a hint with the JSON of a list or table: that of `text`, if it may be shown."""
    if "," in text and find_pattern(path, _SHOWN_SETTINGS):
        entries = ", ".join(f'"{entry.strip()}"' for entry in text.split(","))
        if len(entries) <= _MAX_SHOWN_LENGTH:
            return f"write [{entries}]"
    if pattern := find_pattern(path, _EXAMPLES):
        return f"such as {_EXAMPLES[pattern]}"
    keys = list_keys(path)
    shown = ", ".join(keys[:_MAX_LISTED_SETTINGS])
    more = " and more" if len(keys) > _MAX_LISTED_SETTINGS else ""
    return f"it has the settings {shown}{more}" if keys else ""


def find_pattern(path: SettingPath, patterns: Iterable[str]) -> str | None:
    """Return the first of `patterns` that matches the path; a `*` matches one step."""
    for pattern in patterns:
        expected = pattern.split(".")
        if len(path) == len(expected) and all(map(fnmatchcase, path, expected)):
            return pattern
    return None


def show_value(path: SettingPath, value: object) -> str:
    """Return a value as a hint, if it is short and `_SHOWN_SETTINGS` lists its setting."""
    if not isinstance(value, int | float | str) or not find_pattern(path, _SHOWN_SETTINGS):
        return ""
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return f"got {text}" if len(text) <= _MAX_SHOWN_LENGTH else ""


def _suggest(path: SettingPath, error: ErrorDetails, message: str) -> str:
    """Return the hint of an error: what the value is, and what a list or a table looks like."""
    hints = [show_value(path, error["input"])]
    if message in _TYPE_MESSAGES and not hints[0]:
        hints.append(_describe_kind(error["input"]))
    if message in {_LIST, _TABLE}:
        hints.append(show_example(path))
    return "; ".join(filter(None, hints)) if error["type"] != "missing" else ""


def _describe_kind(value: object) -> str:
    return next((f"got {name}" for kinds, name in _KINDS if isinstance(value, kinds)), "")


def get_message(error: ErrorDetails) -> str:
    """Return the message of an error.

    The messages of some of pydantic's types quote the value, which may be a secret. So a type
    without a message of our own has a general one. The message of a type that pydantic does not
    have is that of its author.
    """
    context = {name: _format_number(value) for name, value in error.get("ctx", {}).items()}
    try:
        return _MESSAGES[error["type"]].format(**context)
    except LookupError:
        is_from_pydantic = error["type"] in _PYDANTIC_TYPES
        return f"is not a valid value ({error['type']})" if is_from_pydantic else error["msg"]


def _format_number(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value
