"""The company's package, imported: its clients, its policies and the routers of its composites."""

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
    """What a company declares. Clients and policies are held by their names."""

    clients: Mapping[str, type[ServiceClient]]
    policies: Mapping[str, RateLimit]
    routers: Sequence[APIRouter]


def load_application(package: str | None) -> Application:
    """Import the package that `app.package` names; None is the shop of a clone.

    There is no registry to update: a client is found because its file is in `clients`, a
    composite because its file is in `composites`, a policy because it is a name of `limits`.

    Raises:
        InvalidSettings: there is no such package.
        TypeError: two clients or policies have one name, or a composite has no `router`.
    """
    found = find_app_package(package)
    return Application(
        clients=_clients(found.clients),
        policies=_policies(found.limits),
        routers=[_router(module) for module in _modules(found.composites)],
    )


def _clients(package: str) -> dict[str, type[ServiceClient]]:
    clients: dict[str, type[ServiceClient]] = {}
    for module in _modules(package):
        for kind in vars(module).values():
            if _is_client_of(module, kind):
                other = clients.setdefault(kind.name, kind)
                if other is not kind:
                    raise TypeError(f"{_place(kind)} and {_place(other)}: both are {kind.name!r}")
    return clients


def _is_client_of(module: ModuleType, kind: object) -> bool:
    return (
        isinstance(kind, type)
        and issubclass(kind, ServiceClient)
        and kind.__module__ == module.__name__
    )


def _policies(module: str) -> dict[str, RateLimit]:
    if find_spec(module) is None:
        return {}
    policies: dict[str, RateLimit] = {}
    for value in vars(import_module(module)).values():
        if isinstance(value, RateLimit) and policies.setdefault(value.name, value) != value:
            raise TypeError(f"{module}: two policies are called {value.name!r}")
    return policies


def _router(module: ModuleType) -> APIRouter:
    router = getattr(module, "router", None)
    if not isinstance(router, APIRouter):
        raise TypeError(f"{module.__name__} has no `router = APIRouter()`")
    return router


def _modules(package: str) -> Iterator[ModuleType]:
    """Import every module of a package, in the order of their names; none if it is not there."""
    if find_spec(package) is None:
        return
    for name in sorted(module.name for module in iter_modules(import_module(package).__path__)):
        yield import_module(f"{package}.{name}")


def _place(kind: type) -> str:
    return f"{kind.__module__}.{kind.__name__}"
