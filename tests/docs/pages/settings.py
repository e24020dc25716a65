"""Generates settings.md: every setting with its variable, type, default and comment."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from gateway.settings.loader import PREFIX
from gateway.settings.rate import Rate
from gateway.settings.schema import Settings
from tests.docs.pages.comments import Comments, parse_comments
from tests.docs.pages.markdown import code, page, table

Schema = Mapping[str, Any]

HEAD = ("Setting", "Variable", "Type", "Default", "Meaning")
TEMPLATE_SERVICE = "users"  # the service of config/lockgate.toml that has every setting
FORMATS = {"uri": "URL", "path": "file", "ipv4network": "network", "ipv6network": "network"}

INTRODUCTION = f"""
Settings are read from three places, each of which overrides the one before: `lockgate.toml` in the
application package, the TOML file named by `--config` or `LOCKGATE_CONFIG`, and environment
variables. `config/lockgate.toml` is a template with every setting. The name of a variable is
`{PREFIX}` followed by the path of the setting in capitals, with two underscores between levels. A
list in a variable is written as JSON. An unknown key is an error, in the file and in the
environment. `lockgate check` finds all errors in one run, without starting the gateway, and names
the file and line, the variable or the option that sets the value.
"""


def render_settings() -> str:
    """Return the text of the page."""
    schema, comments = Settings.model_json_schema(), parse_comments()
    sections = [table(HEAD, _build_top_rows(schema, comments))]
    sections += [_render_section(name, schema, comments) for name in schema["properties"]]
    return page("Settings", INTRODUCTION, *filter(None, sections))


def _build_top_rows(schema: Schema, comments: Comments) -> Iterator[list[str]]:
    """Yield a row for each top-level setting."""
    for name, own in schema["properties"].items():
        if _find_table_schema(own, schema) is None and "additionalProperties" not in own:
            yield _build_row("", name, own, variable=code(PREFIX + name.upper()), comments=comments)


def _render_section(name: str, schema: Schema, comments: Comments) -> str:
    """Return the section of one table of the file."""
    own = schema["properties"][name]
    inner = _find_table_schema(own, schema)
    if inner is None:
        return ""
    if inner.get("title") == "Rate":
        return f"## {name}\n\n{comments.of_tables[name]}.\n\n" + table(
            HEAD, [_build_rate_row(name)]
        )
    if "additionalProperties" in own:
        return _render_services(name, inner, schema, comments)
    is_list = own.get("type") == "array"
    rows = [
        _build_row(
            name,
            key,
            value,
            _format_variable(name, key, is_list=is_list),
            comments,
            required=required,
        )
        for key, value, required in _iter_properties(inner)
    ]
    intro = comments.of_tables[name] or inner.get("description", "")
    return f"## {name}{' (a list)' if is_list else ''}\n\n{intro}\n\n" + table(HEAD, rows)


def _render_services(name: str, inner: Schema, schema: Schema, comments: Comments) -> str:
    """Return the section of the table that repeats for each service."""
    rows = list(_build_service_rows(f"{name}.{TEMPLATE_SERVICE}", "", inner, schema, comments))
    return "\n\n".join(
        [
            f"## {name}",
            "One table per downstream service. Only a service that a route calls needs an address.",
            table(HEAD, rows),
        ]
    )


def _build_service_rows(
    first: str, prefix: str, inner: Schema, schema: Schema, comments: Comments
) -> Iterator[list[str]]:
    """Yield a row for each setting of a service, those of its own tables included."""
    for key, value, required in _iter_properties(inner):
        path = f"{prefix}{key}"
        if (below := _find_table_schema(value, schema)) is not None:
            yield from _build_service_rows(f"{first}.{key}", f"{path}.", below, schema, comments)
            continue
        yield [
            code(f"upstreams.NAME.{path}"),
            code(f"{PREFIX}UPSTREAMS__NAME__{path.replace('.', '__').upper()}"),
            describe_type(value),
            "required" if required else _format_default(value),
            comments.find(first, key) if key != "url" else "the base URL of the service",
        ]


def _build_row(
    place: str, name: str, own: Schema, variable: str, comments: Comments, *, required: bool = False
) -> list[str]:
    path = f"{place}.{name}" if place else name
    default = "required" if required else _format_default(own)
    return [code(path), variable, describe_type(own), default, comments.find(place, name)]


def _build_rate_row(name: str) -> list[str]:
    variable = f"{PREFIX}{name.upper()}__NAME"
    return [code(f"{name}.NAME"), code(variable), "rate", "as declared", "the rate of policy NAME"]


def _format_variable(place: str, name: str, *, is_list: bool) -> str:
    own = f"{PREFIX}{place.upper()}"
    return f"in {code(own)}" if is_list else code(f"{own}__{name.upper()}")


def _iter_properties(inner: Schema) -> Iterator[tuple[str, Schema, bool]]:
    for name, own in inner["properties"].items():
        yield name, own, name in inner.get("required", ())


def _find_table_schema(own: Schema, schema: Schema) -> Schema | None:
    """Return the schema of the table that a setting holds: one, one per name, or a list."""
    values = own.get("additionalProperties")
    one_of = values.get("anyOf", [None]) if isinstance(values, dict) else [None]
    for place in (own, values, own.get("items"), one_of[0]):
        if isinstance(place, dict) and "$ref" in place:
            found: Schema = schema["$defs"][place["$ref"].rpartition("/")[2]]
            return found
    return None


def describe_type(own: Schema) -> str:
    """Describe a type in words: "integer, at least 0, at most 65535"."""
    if "anyOf" in own:
        kinds = [kind for kind in own["anyOf"] if kind.get("type") != "null"]
        return " or ".join(dict.fromkeys(map(describe_type, kinds)))
    if "enum" in own:
        return ", ".join(code(value) for value in own["enum"])
    if _is_rate(own):
        return "rate"
    if own["type"] == "object":
        return "table"
    if own["type"] == "array":
        return f"list of {describe_type(own['items'])}"
    kind = FORMATS.get(own.get("format", "")) or str(own["type"])
    return ", ".join([kind, *_describe_bounds(own)])


def _describe_bounds(own: Schema) -> Iterator[str]:
    words = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most"}
    for bound, word in words.items():
        if bound in own:
            yield f"{word} {_format_number(own[bound])}"


def _format_number(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else str(number)


def _format_default(own: Schema) -> str:
    value = own.get("default")
    if value is None or value == []:
        return "none"
    if _is_rate(own):
        value = str(Rate(**value))
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return code(json.dumps(value))


def _is_rate(own: Schema) -> bool:
    return str(own.get("$ref", "")).endswith("/Rate")
