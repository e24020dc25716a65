"""The names that a service or a composite cannot have, because generated code needs them.

They are read from the generated code itself, and from the classes that it extends.
"""

import ast
import builtins
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from keyword import iskeyword

from fastapi import FastAPI

from gateway.aggregation import Composite
from gateway.scaffold.names import (
    CompositeNames,
    InvalidName,
    ServiceNames,
    name_composite,
    name_service,
)
from gateway.scaffold.render_code import render_composite, render_service

# Linters refuse them, because they look like digits (E741 and E742 of pycodestyle).
_AMBIGUOUS = {"l", "O", "I"}

OWN_PATHS = frozenset({"auth", "docs", "healthz", "readyz"})
"""The first segments of the paths of the gateway's own routes, as far as they can be names."""


def refuse_reserved_service(names: ServiceNames) -> None:
    """Refuse a service whose client, fake or part would not work.

    Raises:
        InvalidName: another name must be chosen.
    """
    _refuse_reserved(names.service, names.identifiers)
    if names.service in _list_fields() or names.service.startswith("model_"):
        reason = "the part of a composite cannot have that name: its base class needs it"
        raise InvalidName(f"the service cannot be called {names.service!r}: {reason}")
    if f"/{names.service}" in _list_fake_paths():
        reason = "the fake of a service already has a page of that name"
        raise InvalidName(f"the service cannot be called {names.service!r}: {reason}")


def refuse_reserved_composite(names: CompositeNames, services: Sequence[ServiceNames]) -> None:
    """Refuse a composite whose module would need one name for two things.

    Raises:
        InvalidName: another name, or other services must be chosen.
    """
    _refuse_reserved(names.composite, names.identifiers)
    if names.composite in OWN_PATHS:
        reason = "the gateway has a page of its own at that path"
        raise InvalidName(f"the composite cannot be called {names.composite!r}: {reason}")
    for service in services:
        refuse_reserved_service(service)
    found = Counter(names.identifiers)
    for service in services:
        found.update(service.identifiers)
    if shared := [identifier for identifier, count in found.items() if count > 1]:
        chosen = ", ".join([names.composite, *(service.service for service in services)])
        raise InvalidName(f"{shared[0]} would have two meanings on a page of {chosen}")


def _refuse_reserved(name: str, identifiers: Iterable[str]) -> None:
    for identifier in identifiers:
        is_builtin = hasattr(builtins, identifier) or iskeyword(identifier)
        if is_builtin or identifier in _AMBIGUOUS or identifier in _list_identifiers():
            raise InvalidName(
                f"{name!r} is reserved: the generated code would use {identifier} for two things; "
                "choose another name"
            )


@cache
def _list_identifiers() -> frozenset[str]:
    """List the identifiers of generated code, except for those that the chosen names give it."""
    composite = name_composite("zzpage")
    services = [name_service("zzfirst"), name_service("zzother")]
    rendered = [render_composite("zzpackage", composite, services)]
    rendered += [render_service("zzpackage", service) for service in services]
    chosen = {*composite.identifiers, *(it for names in services for it in names.identifiers)}
    code = [text for files in rendered for text in files.values()]
    return frozenset(name for text in code for name in _iter_identifiers(text)) - chosen


def _iter_identifiers(code: str) -> Iterator[str]:
    """Yield every name that code binds or reads; attributes are not names of their own."""
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Name(name) | ast.arg(name):
                yield name
            case ast.FunctionDef(name) | ast.AsyncFunctionDef(name) | ast.ClassDef(name):
                yield name
            case ast.alias(name, alias):
                yield alias or name


@cache
def _list_fields() -> frozenset[str]:
    class Page(Composite):
        """A composite without parts."""

    return frozenset({*dir(Page), *Page.model_fields})


@cache
def _list_fake_paths() -> frozenset[str]:
    return frozenset(getattr(route, "path", "") for route in FastAPI().routes)
