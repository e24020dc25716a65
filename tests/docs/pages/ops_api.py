"""Generates ops-api.md and ops-openapi.json: the routes and models of the ops app."""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from gateway.ops.ops_app import create_ops_app
from gateway.ops.ops_errors import OpsError
from gateway.resources import Resources
from gateway.settings.schema import Settings
from tests.docs.pages.markdown import code, page, table

Schema = Mapping[str, Any]

NOTE = {"x-generated": "from the code by `make docs`; `make check` reports a stale file"}

INTRODUCTION = """
The ops API lists, changes and simulates rate limits while traffic runs. `lockgate limits` and the
console use it. It has a port of its own ([settings](settings.md#ops), 9000 by default), which
`lockgate serve` opens if it runs alone; `lockgate ops` serves it for several processes:
[open the ops port](../how-to/run-in-production.md#open-the-ops-port). See
[the decision](../decisions/ops-app.md).

A request needs an access token whose audience is `ops.audience`, with the scope that the table
names: no token of the public port is accepted. Its `Host` must be one of `ops.hosts` (421
otherwise). The liveness probe needs neither. Every
response has `Cache-Control: no-store`, and no field of CORS. Errors are problem documents, as
[on the public port](errors.md).

A change sends the version that it is based on, as in `If-Match: "7"`; it is the `ETag` of
`GET /limits/{policy}`. Without it, the status is 428; if the policy has another version by now, it
is 412, and nothing is changed. A change is in force in the process that took it when the response
is sent, and in all others within a second. A change or a rollback to what is in force writes
neither a version nor an entry of the history: the response has the same `ETag` as before.

The key of a caller is shown as `user:#9f2c…`, with a hash of what its token says. In a URL, `#` is
written `%23`. You can also write `user:42`, with the `issuer` of its tokens if the settings have
several. A process remembers the names of callers that it has seen lately: that is the `caller`
beside a key.

The models are described below; [ops-openapi.json](ops-openapi.json) is the OpenAPI document.
"""


@cache
def _get_document() -> dict[str, Any]:
    return create_ops_app(Settings(), Resources()).openapi()


def render_ops_openapi() -> str:
    """Return the document as JSON, with sorted keys so that diffs stay small."""
    ordered = json.loads(json.dumps(_get_document(), sort_keys=True))
    return json.dumps(NOTE | ordered, indent=2, ensure_ascii=False) + "\n"


def render_ops_api() -> str:
    """Return the text of the page."""
    document = _get_document()
    errors = sorted(_iter_leaves(OpsError), key=lambda it: (it.status, it.title))
    rows = [(str(it.status), code(it.type), _summarize(it.__doc__ or "")) for it in errors]
    return page(
        "Ops API",
        INTRODUCTION,
        "## Routes\n\n" + table(("Route", "Scope", "Body", "Response", "Meaning"), _iter_routes()),
        "## Errors of this API\n\n" + table(("Status", "Type", "Meaning"), rows),
        "## Models",
        *_iter_models(document["components"]["schemas"]),
    )


def _iter_routes() -> Iterator[tuple[str, str, str, str, str]]:
    for path, operations in _get_document()["paths"].items():
        for method, operation in operations.items():
            query = [it["name"] for it in operation.get("parameters", ()) if it["in"] == "query"]
            suffix = f"?{'&'.join(f'{name}=' for name in query)}" if query else ""
            success = min(operation["responses"])
            yield (
                code(f"{method.upper()} {path}{suffix}"),
                _format_scope(operation),
                _format_content(operation.get("requestBody", {})),
                success if success != "200" else _format_content(operation["responses"]["200"]),
                _summarize(operation["description"]),
            )


def _format_scope(operation: Schema) -> str:
    """Return the scope of a route; "" if it needs no token."""
    return "".join(code(*scopes) for it in operation.get("security", ()) for scopes in it.values())


def _format_content(message: Schema) -> str:
    for media_type, content in message.get("content", {}).items():
        name = _get_name(content.get("schema", {}))
        return f"[{name}](#{name.lower()})" if name else code(media_type)
    return ""


def _iter_models(schemas: Mapping[str, Schema]) -> Iterator[str]:
    for name, schema in schemas.items():
        if name.endswith("Problem"):
            continue
        rows = [
            (code(field), _format_type(it), "yes" if field in schema.get("required", ()) else "")
            for field, it in schema["properties"].items()
        ]
        text = schema.get("description", "").replace("\n", " ")
        yield f"### {name}\n\n{text}\n\n" + table(("Member", "Type", "Required"), rows)


def _format_type(schema: Schema) -> str:
    """Return a type in words: `list of Rule`, `text or null`."""
    if name := _get_name(schema):
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(map(_format_type, schema["anyOf"]))
    if constants := schema.get("enum", [schema["const"]] if "const" in schema else []):
        return ", ".join(map(code, constants))
    if schema.get("type") == "array":
        return f"list of {_format_type(schema['items'])}"
    return _format_simple_type(schema)


def _format_simple_type(schema: Schema) -> str:
    if schema.get("type") == "object":
        values = schema.get("additionalProperties")
        return f"map to {_format_type(values)}" if isinstance(values, dict) else "JSON object"
    words = {"string": "text", "integer": "integer", "number": "number", "boolean": "boolean"}
    if schema.get("format") == "date-time":
        return "time"
    kind = str(schema.get("type", "JSON"))
    return words.get(kind, kind)


def _get_name(schema: Schema) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _summarize(text: str) -> str:
    return text.partition("\n\n")[0].replace("\n", " ")


def _iter_leaves(kind: type[OpsError]) -> Iterator[type[OpsError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _iter_leaves(child)
