"""Generates clients.md: the public names of typed clients, with their signatures and docstrings."""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from types import ModuleType

from gateway import upstream
from gateway.upstream import (
    call,
    call_policy,
    client,
    errors,
    field_types,
    model,
    pending,
    problem,
    propagation,
    query,
    raises_decorator,
    response,
    streaming,
)
from tests.docs.pages.markdown import page

INTRODUCTION = """
All names on this page are imported from `gateway.upstream`. A typed client is a class in the
package's `clients` that derives from `ServiceClient`; composites and endpoints get it as
`Upstream[Orders]`. The how-to guides show them in use:
[connect real services](../how-to/real-services.md),
[configure calls to a service](../how-to/configure-calls-to-a-service.md) and
[add a service and a composite](../how-to/add-a-service-and-a-composite.md).
"""

# Each section: its heading, and the names in it with the module that defines each.
SECTIONS: dict[str, list[tuple[str, ModuleType]]] = {
    "Clients and calls": [
        ("ServiceClient", client),
        ("PendingCall", pending),
        ("Params", query),
        ("NoContent", client),
        ("propagate_headers", propagation),
    ],
    "Responses": [
        ("ResponseModel", model),
        ("UpstreamResponse", response),
        ("StreamedResponse", streaming),
    ],
    "Types of fields": [
        ("Timestamp", model),
        ("EpochSeconds", field_types),
        ("EpochMilliseconds", field_types),
        ("DecimalText", field_types),
    ],
    "Errors": [
        ("UpstreamError", errors),
        ("UpstreamTimeout", errors),
        ("UpstreamUnavailable", errors),
        ("UpstreamRefused", errors),
        ("UpstreamInvalid", errors),
        ("UpstreamProblem", problem),
        ("raises", raises_decorator),
        ("InvalidArgument", errors),
    ],
    "Policies": [
        ("CallPolicy", call_policy),
        ("Call", call),
        ("IdempotentCall", call),
    ],
}

# Methods that only the framework calls, or that Python calls.
INTERNAL = {
    "PendingCall": {"begin", "result", "abandon", "size", "send", "throw", "close"},
    "StreamedResponse": {"is_compressed", "set_deadline", "aclose"},
    "Call": {"chooses_encoding", "serialize"},
}
SPECIAL = {
    "CallPolicy": {"__call__"},
    "ResponseModel": {"__init_subclass__"},
    "ServiceClient": {"__init__", "__init_subclass__"},
    "UpstreamProblem": {"__init__", "__init_subclass__"},
}

Definition = ast.FunctionDef | ast.AsyncFunctionDef


def render_clients() -> str:
    """Return the text of the page.

    Raises:
        LookupError: a public name is in no section.
    """
    names = {name for section in SECTIONS.values() for name, _ in section}
    if missing := set(upstream.__all__) - names:
        raise LookupError(f"tests/docs/pages/clients.py has no {', '.join(sorted(missing))}")
    sections = [
        text
        for heading, entries in SECTIONS.items()
        for text in (f"## {heading}", *(_render(name, module) for name, module in entries))
    ]
    return page("Typed clients", INTRODUCTION, *sections)


def _render(name: str, module: ModuleType) -> str:
    tree = ast.parse(inspect.getsource(module))
    for node, following in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(node, ast.ClassDef) and node.name == name:
            return "\n\n".join([f"### {name}", _get_text(node), *_render_members(node)])
        if isinstance(node, Definition) and node.name == name:
            return f"### {name}\n\n{_render_function(node)}"
        if isinstance(node, ast.Assign | ast.AnnAssign) and name in _get_targets(node):
            return f"### {name}\n\n{_get_attribute_text(name, following)}"
    raise LookupError(f"{module.__name__} does not define {name}")


def _render_members(node: ast.ClassDef) -> Iterator[str]:
    """Render the public methods and properties in the order of the code."""
    for member in node.body:
        if isinstance(member, Definition) and _is_public(node.name, member.name):
            heading = f"`{node.name}.{member.name}`"
            if member.name == "__init_subclass__":
                heading = f"Keywords of a subclass: `class Name({node.name}, ...)`"
            yield f"#### {heading}\n\n{_render_function(member)}"


def _is_public(owner: str, name: str) -> bool:
    if name in SPECIAL.get(owner, ()):
        return True
    return not name.startswith("_") and name not in INTERNAL.get(owner, ())


def _render_function(node: Definition) -> str:
    """Render the signature as code, unless it is a property, and the docstring."""
    decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
    if "property" in decorators:
        returns = ast.unparse(node.returns) if node.returns else ""
        return f"Property, `{returns}`. {_get_text(node)}"
    return f"```python\n{_format_signature(node)}\n```\n\n{_get_text(node)}"


def _format_signature(node: Definition) -> str:
    """Return the definition without its body and `self`; each parameter on a line if it is long."""
    arguments = node.args
    arguments.args = [it for it in arguments.args if it.arg not in {"self", "cls"}]
    prefix = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    returns = f" -> {ast.unparse(node.returns)}".replace("'", "") if node.returns else ""
    parameters = list(_split_parameters(arguments))
    line = f"{prefix} {node.name}({', '.join(parameters)}){returns}"
    if len(line) <= 88:
        return line
    split = ",\n    ".join(parameters)
    return f"{prefix} {node.name}(\n    {split},\n){returns}"


def _split_parameters(arguments: ast.arguments) -> Iterator[str]:
    defaults = [None] * (len(arguments.args) - len(arguments.defaults)) + list(arguments.defaults)
    for argument, default in zip(arguments.args, defaults, strict=True):
        yield _format_parameter(argument, default)
    if arguments.vararg or arguments.kwonlyargs:
        yield f"*{ast.unparse(arguments.vararg)}" if arguments.vararg else "*"
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield _format_parameter(argument, default)
    if arguments.kwarg:
        yield f"**{ast.unparse(arguments.kwarg)}"


def _format_parameter(argument: ast.arg, default: ast.expr | None) -> str:
    return ast.unparse(argument) + (f" = {ast.unparse(default)}" if default is not None else "")


def _get_text(node: ast.ClassDef | Definition) -> str:
    """Return the docstring as Markdown; the errors that it lists become a list."""
    text = ast.get_docstring(node)
    if text is None:
        raise LookupError(f"{node.name} has no docstring")
    return _format_errors(text)


def _format_errors(text: str) -> str:
    """Turn the block after a line such as `Raises:` into a list."""
    before, heading, after = _split_errors(text)
    if not heading:
        return text
    items: list[str] = []
    for line in textwrap.dedent(after).splitlines():
        if line.startswith(" ") and items:
            items[-1] += " " + line.strip()
        elif line.strip():
            items.append(f"- {line.strip()}")
    return f"{before.rstrip()}\n\n{heading}\n\n" + "\n".join(items)


def _split_errors(text: str) -> tuple[str, str, str]:
    for heading in ("Awaiting it raises:", "Raises:"):
        before, found, after = text.partition(f"\n{heading}\n")
        if found:
            return before, heading, after
    return text, "", ""


def _get_targets(node: ast.Assign | ast.AnnAssign) -> set[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _get_attribute_text(name: str, following: ast.stmt | None) -> str:
    """Return the string below an assignment, which documents it."""
    match following:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return inspect.cleandoc(text)
        case _:
            raise LookupError(f"{name} has no text below it")
