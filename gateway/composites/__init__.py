"""The composites of the product: one file each, found by being here."""

from importlib import import_module
from pkgutil import iter_modules

from fastapi import APIRouter


def routers() -> list[APIRouter]:
    """The router of every composite, in the order of their names.

    Raises:
        TypeError: a file here has no `router`.
    """
    found = []
    for name in sorted(module.name for module in iter_modules(__path__)):
        router = getattr(import_module(f"{__name__}.{name}"), "router", None)
        if not isinstance(router, APIRouter):
            raise TypeError(f"gateway/composites/{name}.py has no `router = APIRouter()`")
        found.append(router)
    return found
