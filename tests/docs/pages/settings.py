"""settings.md: every setting, with its variable, type, default and comment."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from gateway.settings.loader import PREFIX
from gateway.settings.schema import Settings
from tests.docs.pages.comments import Comments, comments
from tests.docs.pages.defaults import default_settings
from tests.docs.pages.markdown import code, page, table

Schema = Mapping[str, Any]

HEAD = ("Setting", "Variable", "Type", "Default", "Meaning")
FORMATS = {"uri": "URL", "path": "file", "ipv4network": "network"}

INTRODUCTION = f"""
A setting is read from the file that `--config` or `LOCKGATE_CONFIG` names (TOML, as
`config/lockgate.toml`), and from the environment, which wins. A variable is `{PREFIX}` and the
path in capitals, its levels joined by two underscores. A list in a variable is JSON. An unknown
key is refused, in the file and in the environment; `lockgate check` says what is wrong without
starting.
"""


def settings() -> str:
    """The page."""
    schema, said = Settings.model_json_schema(), comments()
    sections = [table(HEAD, _top(schema, said))]
    sections += [_section(name, schema, said) for name in schema["properties"]]
    return page("Settings", INTRODUCTION, *filter(None, sections))


def _top(schema: Schema, said: Comments) -> Iterator[list[str]]:
    """The settings that are in no table."""
    for name, own in schema["properties"].items():
        if _inner(own, schema) is None and "additionalProperties" not in own:
            yield _row("", name, own, variable=code(PREFIX + name.upper()), said=said)


def _section(name: str, schema: Schema, said: Comments) -> str:
    """One table of the file."""
    own = schema["properties"][name]
    inner = _inner(own, schema)
    if inner is None:
        return ""
    if inner.get("title") == "Rate":
        return f"## {name}\n\n{said.of_tables[name]}.\n\n" + table(HEAD, [_rate_row(name)])
    if "additionalProperties" in own:
        return _services(name, inner, said)
    is_list = own.get("type") == "array"
    rows = [
        _row(name, key, value, _variable(name, key, is_list=is_list), said, required=required)
        for key, value, required in _properties(inner)
    ]
    intro = said.of_tables[name] or inner.get("description", "")
    return f"## {name}{' (a list)' if is_list else ''}\n\n{intro}\n\n" + table(HEAD, rows)


def _services(name: str, inner: Schema, said: Comments) -> str:
    """The table that is there once for each service."""
    services = default_settings().upstreams
    first, place = f"{name}.{next(iter(services))}", f"{name}.NAME"
    rows = [
        [
            code(f"{place}.{key}"),
            code(f"{PREFIX}{name.upper()}__NAME__{key.upper()}"),
            described(value),
            "see below" if required else _default(value),
            said.of(first, key) if key != "url" else "where the service is",
        ]
        for key, value, required in _properties(inner)
    ]
    addresses = [
        [
            service,
            code(f"{PREFIX}{name.upper()}__{service.upper()}__URL"),
            code(str(at.url).rstrip("/")),
        ]
        for service, at in services.items()
    ]
    return f"## {name}\n\nOne table for each service.\n\n{table(HEAD, rows)}\n\n" + table(
        ("Service", "Variable of its address", "Default"), addresses
    )


def _row(
    place: str, name: str, own: Schema, variable: str, said: Comments, *, required: bool = False
) -> list[str]:
    path = f"{place}.{name}" if place else name
    default = "required" if required else _default(own)
    return [code(path), variable, described(own), default, said.of(place, name)]


def _rate_row(name: str) -> list[str]:
    variable = f"{PREFIX}{name.upper()}__NAME"
    return [code(f"{name}.NAME"), code(variable), "rate", "as declared", "the rate of policy NAME"]


def _variable(place: str, name: str, *, is_list: bool) -> str:
    own = f"{PREFIX}{place.upper()}"
    return f"in {code(own)}" if is_list else code(f"{own}__{name.upper()}")


def _properties(inner: Schema) -> Iterator[tuple[str, Schema, bool]]:
    for name, own in inner["properties"].items():
        yield name, own, name in inner.get("required", ())


def _inner(own: Schema, schema: Schema) -> Schema | None:
    """The table that a setting refers to, itself, by name or as a list."""
    for place in (own, own.get("additionalProperties"), own.get("items")):
        if isinstance(place, dict) and "$ref" in place:
            found: Schema = schema["$defs"][place["$ref"].rpartition("/")[2]]
            return found
    return None


def described(own: Schema) -> str:
    """A type in words: "integer, 0 to 65535"."""
    if "anyOf" in own:
        return described(own["anyOf"][0])
    if "enum" in own:
        return ", ".join(code(value) for value in own["enum"])
    if own["type"] == "array":
        return f"list of {described(own['items'])}"
    kind = FORMATS.get(own.get("format", "")) or str(own["type"])
    return ", ".join([kind, *_bounds(own)])


def _bounds(own: Schema) -> Iterator[str]:
    words = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most"}
    for bound, word in words.items():
        if bound in own:
            yield f"{word} {own[bound]:g}"


def _default(own: Schema) -> str:
    value = own.get("default")
    if value is None or value == []:
        return "none"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return code(json.dumps(value))
