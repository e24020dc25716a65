"""Imports the company's package: its clients, rate-limit policies and composites."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from types import ModuleType

from fastapi import APIRouter

from gateway.ratelimit.policy import RateLimit
from gateway.settings.app_package import find_app_package
from gateway.upstream.client import ServiceClient


@dataclass(frozen=True, slots=True)
class Application:
    """The declarations of a company. Clients and policies are keyed by their names."""

    clients: Mapping[str, type[ServiceClient]]
    policies: Mapping[str, RateLimit]
    routers: Sequence[APIRouter]


def load_application(package: str | None) -> Application:
    """Import the package that `app.package` names; None is the shop of this repository.

    Declarations are discovered automatically; there is no registry to update. Clients are found
    in every module of `clients`, policies in `limits`, and routers as the `router` of every module
    of `composites`.

    Raises:
        InvalidSettings: there is no such package.
        TypeError: two clients or two policies have the same name, or a composite has no `router`.
    """
    modules = find_app_package(package)
    return Application(
        clients=_load_clients(modules.clients),
        policies=_load_policies(modules.limits),
        routers=[_get_router(module) for module in _import_modules(modules.composites)],
    )


def _load_clients(package: str) -> dict[str, type[ServiceClient]]:
    clients: dict[str, type[ServiceClient]] = {}
    for module in _import_modules(package):
        for kind in vars(module).values():
            if _is_client_defined_in(module, kind):
                other = clients.setdefault(kind.name, kind)
                if other is not kind:
                    names = f"{_qualified_name(kind)} and {_qualified_name(other)}"
                    raise TypeError(f"{names} both have name={kind.name!r}; names must be unique")
    return clients


def _is_client_defined_in(module: ModuleType, kind: object) -> bool:
    return (
        isinstance(kind, type)
        and issubclass(kind, ServiceClient)
        and kind.__module__ == module.__name__
    )


def _load_policies(module: str) -> dict[str, RateLimit]:
    if find_spec(module) is None:
        return {}
    policies: dict[str, RateLimit] = {}
    for value in vars(import_module(module)).values():
        if isinstance(value, RateLimit) and policies.setdefault(value.name, value) != value:
            raise TypeError(
                f"{module}: two policies are named {value.name!r}; names must be unique"
            )
    return policies


def _get_router(module: ModuleType) -> APIRouter:
    router = getattr(module, "router", None)
    if not isinstance(router, APIRouter):
        raise TypeError(f"{module.__name__} has no `router = APIRouter()`")
    return router


def _import_modules(package: str) -> Iterator[ModuleType]:
    """Import every module of a package in alphabetical order; none if there is no such package."""
    if find_spec(package) is None:
        return
    for name in sorted(module.name for module in iter_modules(import_module(package).__path__)):
        yield import_module(f"{package}.{name}")


def _qualified_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__name__}"
