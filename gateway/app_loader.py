"""Imports the company's package: its clients, rate-limit policies and composites."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from traceback import extract_tb
from types import ModuleType

from fastapi import APIRouter

from gateway.ratelimit.policy import RateLimit
from gateway.settings.app_package import find_app_package
from gateway.settings.errors import ConfigError, InvalidSettings
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
    in every module of `clients` and of its subpackages, policies in `limits`, and routers as the
    `router` of every module of `composites`.

    Raises:
        InvalidSettings: there is no such package, it declares nothing, one of its modules cannot be
            imported or has no `router`, or two clients or two policies have the same name.
    """
    modules = find_app_package(package)
    clients, limits, composites = map(
        _import_module, (modules.clients, modules.limits, modules.composites)
    )
    if not (clients or limits or composites):
        message = f"the package {package} has neither clients nor composites nor limits"
        hint = "name the package that contains them"
        raise InvalidSettings([ConfigError("app.package [LOCKGATE_APP__PACKAGE]", message, hint)])
    return Application(
        clients=_find_clients(_iter_modules(clients)) if clients else {},
        policies=_find_policies(limits) if limits else {},
        routers=list(map(_get_router, _iter_routed_modules(composites))) if composites else [],
    )


def _find_clients(modules: Iterable[ModuleType]) -> dict[str, type[ServiceClient]]:
    clients: dict[str, type[ServiceClient]] = {}
    for module in modules:
        for kind in vars(module).values():
            if _is_client_of(module, kind):
                other = clients.setdefault(kind.name, kind)
                if other is not kind:
                    message = f"has the same name={kind.name!r} as {_qualified_name(other)}"
                    raise _invalid(_qualified_name(kind), message, "names must be unique")
    return clients


def _is_client_of(module: ModuleType, kind: object) -> bool:
    """Whether `module` defines that client; a subclass without a name of its own is not one."""
    return (
        isinstance(kind, type)
        and issubclass(kind, ServiceClient)
        and kind.__module__ == module.__name__
        and "name" in vars(kind)
    )


def _find_policies(module: ModuleType) -> dict[str, RateLimit]:
    policies: dict[str, RateLimit] = {}
    for value in vars(module).values():
        if isinstance(value, RateLimit) and policies.setdefault(value.name, value) != value:
            message = f"two policies are named {value.name!r}"
            raise _invalid(module.__name__, message, "names must be unique")
    return policies


def _get_router(module: ModuleType) -> APIRouter:
    router = getattr(module, "router", None)
    if not isinstance(router, APIRouter):
        hint = "move a module without routes out of composites"
        raise _invalid(module.__name__, "there is no `router = APIRouter()`", hint)
    return router


def _iter_routed_modules(composites: ModuleType) -> Iterator[ModuleType]:
    """Yield the modules that must have a router: those of a package, or the module itself."""
    names = _list_submodules(composites)
    return filter(None, map(_import_module, names)) if names else iter([composites])


def _iter_modules(module: ModuleType) -> Iterator[ModuleType]:
    """Yield a module; if it is a package, also its modules and those of its subpackages."""
    yield module
    for submodule in filter(None, map(_import_module, _list_submodules(module))):
        yield from _iter_modules(submodule)


def _list_submodules(module: ModuleType) -> list[str]:
    """List the modules of a package in alphabetical order; a plain module has none."""
    path = getattr(module, "__path__", ())
    return sorted(f"{module.__name__}.{found.name}" for found in iter_modules(path))


def _import_module(name: str) -> ModuleType | None:
    """Import a module; None if there is no such module.

    Raises:
        InvalidSettings: the module raises an exception.
    """
    try:
        return None if find_spec(name) is None else import_module(name)
    except Exception as error:  # a module of the company may raise anything
        message = f"cannot be imported: {type(error).__name__}: {error}"
        raise _invalid(name, message, _locate(error)) from error


def _locate(error: Exception) -> str:
    """Return file and line of the last statement at module level that led to the error."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}"
    lines = [frame for frame in extract_tb(error.__traceback__) if frame.name == "<module>"]
    return f"{lines[-1].filename}, line {lines[-1].lineno}" if lines else ""


def _invalid(path: str, message: str, hint: str) -> InvalidSettings:
    return InvalidSettings([ConfigError(path, message, hint)])


def _qualified_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__name__}"
