"""Checks the types and the values of a declaration, each with what would be right."""

from collections.abc import Callable, Iterator, Mapping

from gateway.proxy.declaration.methods import PROXIED_METHODS
from gateway.ratelimit.policy import Policy
from gateway.settings.errors import find_nearest
from gateway.upstream.client import SERVICE_NAME

IDENTITIES = ("token", "headers", "none")

_MAX_SECONDS = 1_000_000_000


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_time(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return 0 < value <= _MAX_SECONDS


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_identity(value: object) -> bool:
    return value in IDENTITIES


def _is_texts(value: object) -> bool:
    return _is_list_of(str, value)


def _is_one_or_more_texts(value: object) -> bool:
    return isinstance(value, str) or _is_list_of(str, value)


def _is_one_or_more_policies(value: object) -> bool:
    return isinstance(value, Policy) or _is_list_of(Policy, value)


def _is_list_of(kind: type, values: object) -> bool:
    return isinstance(values, list | tuple) and all(isinstance(value, kind) for value in values)


def _is_dict(value: object) -> bool:
    return isinstance(value, dict)


_TEXT = (_is_text, "a text")
_FLAG = (_is_flag, "True or False")
_TIME = (_is_time, f"a number of seconds above 0, and at most {_MAX_SECONDS}")

_REQUIRED: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "path": _TEXT,
    "to": _TEXT,
    "limit": (_is_one_or_more_policies, "a RateLimit or a list of them"),
    "idle_timeout": _TIME,
    "identity": (_is_identity, f"one of {', '.join(map(repr, IDENTITIES))}"),
    "dpop": _FLAG,
    "websocket": _FLAG,
    "tickets": _FLAG,
    "forward_token": _FLAG,
    "forward_cookies": _FLAG,
    "preserve_host": _FLAG,
    "outlive_token": _FLAG,
    "set_headers": (_is_dict, 'a dict of texts, as {"X-Tenant": "acme"}'),
    "remove_headers": (_is_texts, 'a list of names, as ["x-company-role"]'),
    "set_response_headers": (_is_dict, 'a dict of texts, as {"X-Frame-Options": "DENY"}'),
    "remove_response_headers": (_is_texts, 'a list of names, as ["x-backend"]'),
    "encoded_slashes": _FLAG,
    "path_parameters": _FLAG,
}
_OPTIONAL: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "requires": (_is_one_or_more_texts, "a scope or a list of scopes"),
    "public": _TEXT,
    "owner": _TEXT,
    "target": _TEXT,
    "timeout": _TIME,
    "total_timeout": _TIME,
    "max_body_bytes": (_is_size, "a number of bytes, 0 or more"),
}


_MAY_HAVE_SECRETS = frozenset({"set_headers", "set_response_headers"})


def find_type_errors(values: Mapping[str, object]) -> Iterator[str]:
    """Yield an error for each field that cannot have its value, whatever the other fields are.

    `find_header_errors` checks the names and values of header fields.
    """
    for name, value in values.items():
        check = _REQUIRED.get(name) or (None if value is None else _OPTIONAL.get(name))
        if check is not None and not check[0](value):
            found = f"a {type(value).__name__}" if name in _MAY_HAVE_SECRETS else f"{value!r:.60}"
            yield f"{name} is {found}; it must be {check[1]}"


def find_method_errors(methods: object) -> Iterator[str]:
    """Yield the errors of `methods`."""
    if not methods or not isinstance(methods, list | tuple) or not _is_list_of(str, methods):
        yield f'methods is {methods!r:.60}; it must be a list of methods, as ["GET", "POST"]'
        return
    for name in methods:
        if name in {"CONNECT", "TRACE"}:
            yield f"methods has {name}, which is never proxied"
        elif name not in PROXIED_METHODS:
            near = find_nearest(name, map(str.lower, PROXIED_METHODS))
            hint = f"did you mean {near.upper()}?" if near else ", ".join(PROXIED_METHODS)
            yield f"methods has {name!r}, which is not a method that the server parses ({hint})"
    if repeated := sorted({name for name in methods if methods.count(name) > 1}):
        yield f"methods has a method twice: {', '.join(repeated)}"


def find_value_errors(values: Mapping[str, object]) -> Iterator[str]:
    """Yield the errors of values that have the right type."""
    if not SERVICE_NAME.fullmatch(str(values["to"])):
        yield (
            f"to is {values['to']!r}; it must be the name of a service in the settings, in "
            "lower-case letters, digits and underscores"
        )
    methods = values["methods"]
    for name in ("websocket", "tickets"):
        if values[name] and isinstance(methods, list | tuple) and "GET" not in methods:
            yield f"{name} needs GET among the methods: browsers open the connection with it"
    timeout, total = values["timeout"], values["total_timeout"]
    if isinstance(timeout, int | float) and isinstance(total, int | float) and total < timeout:
        yield f"total_timeout is {total}; it must not be below timeout, which is {timeout}"
