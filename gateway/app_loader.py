"""Loads the company's package: clients, policies, composites, routers, routes and extensions."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from inspect import isasyncgenfunction
from types import ModuleType
from typing import Any

from fastapi import APIRouter
from starlette.middleware import Middleware

from gateway.access.declared_access import ACCESS
from gateway.access.may_exchange import MayExchange
from gateway.declaration.declared_list import find_declarations
from gateway.declaration.invalid_declaration import keep_invalid_declarations
from gateway.package_modules import PackageModules, list_submodules
from gateway.proxy.declaration.declared_proxies import ROUTES
from gateway.proxy.declaration.proxy import Proxy
from gateway.ratelimit.policy import Policy
from gateway.resources import Resources
from gateway.settings.app_package import SETTING, AppPackage, find_app_package
from gateway.settings.app_settings import AppSettings, validate_app_settings
from gateway.settings.errors import ConfigError, InvalidSettings
from gateway.settings.schema import App
from gateway.upstream.client import ServiceClient

MODULES = (
    "access", "clients", "composites", "fakes", "lifespan", "limits", "middleware", "routers",
    "routes", "settings",
)  # fmt: skip
"""The modules of a package that are imported by their names."""

_OTHER_NAMES = {
    **dict.fromkeys(("proxies", "proxy", "proxied"), "routes"),
    **dict.fromkeys(("access_rules", "access_policy", "token_exchange"), "access"),
}
"""Names of modules that nothing imports, by what they probably are meant to be."""

AppLifespan = Callable[[Resources], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Application:
    """The declarations of a company. Clients and policies are keyed by their names.

    `package` is None for an application that was not loaded from a package. `is_complete` is False
    if a module of the package could not be imported, or has another name than it must have, so that
    declarations may be missing.
    """

    clients: Mapping[str, type[ServiceClient]] = field(default_factory=dict)
    policies: Mapping[str, Policy] = field(default_factory=dict)
    routers: Sequence[APIRouter] = ()
    proxies: Sequence[Proxy] = ()
    access: Sequence[MayExchange] = ()
    middleware: Sequence[Middleware] = ()
    lifespan: AppLifespan | None = None
    settings: AppSettings | None = None
    package: AppPackage | None = None
    is_complete: bool = True


def load_application(app: App) -> Application:
    """Import the company's package; see `find_app_package` for which one that is.

    Declarations are discovered automatically; there is no registry to update. Clients are found
    in every module of `clients` and of its subpackages, policies in `limits`, and routers as the
    `router` of every module of `composites` and of `routers`. Proxied routes are the list `routes`
    of the module `routes`, and access rules the list `access` of the module `access`. The optional
    modules `middleware`, `lifespan` and `settings` extend the gateway itself.

    Raises:
        InvalidSettings: has an error for each mistake: there is no such package, it declares
            nothing, one of its modules cannot be imported or lacks what it must define, two
            clients or two policies have the same name, or a setting of the package is invalid.
    """
    application, errors = read_application(app)
    if errors:
        raise InvalidSettings(errors)
    return application


def read_application(app: App) -> tuple[Application, list[ConfigError]]:
    """Import the package as `load_application` does, and return the errors with what was found.

    Raises:
        InvalidSettings: there is no such package.
    """
    package = find_app_package(app.package)
    modules = PackageModules()
    with keep_invalid_declarations():
        application = _import_application(modules, package, app)
    if _find_misnamed_modules(modules, package.declarations):
        application = replace(application, is_complete=False)
    if not _declares_anything(application) and not modules.errors:
        message = (
            f"the package {package.name} has no client, no composite, no router, no proxied route "
            "and no limit"
        )
        modules.add_error(SETTING, message, "name the package that contains them")
    return application, modules.errors


def _import_application(modules: PackageModules, package: AppPackage, app: App) -> Application:
    return Application(
        clients=_find_clients(modules, package.clients),
        policies=_find_policies(modules, f"{package.declarations}.limits"),
        routers=[
            *_find_routers(modules, package.composites),
            *_find_routers(modules, f"{package.declarations}.routers"),
        ],
        middleware=_find_middleware(modules, f"{package.declarations}.middleware"),
        lifespan=_find_lifespan(modules, f"{package.declarations}.lifespan"),
        settings=_load_settings(modules, f"{package.declarations}.settings", app.settings),
        # The last, because a module that is imported before may hold a declaration by mistake.
        access=_find_access(modules, package),
        proxies=find_declarations(modules, package.declarations, ROUTES, package.prefixes),
        package=package,
        is_complete=not modules.has_failed,
    )


def _find_access(modules: PackageModules, package: AppPackage) -> Sequence[MayExchange]:
    # A rule in `routes` that is in no list is an error, too.
    modules.find(f"{package.declarations}.{ROUTES.variable}")
    return find_declarations(modules, package.declarations, ACCESS, package.prefixes)


def _declares_anything(application: Application) -> bool:
    return any(
        (application.clients, application.policies, application.routers, application.proxies)
    )


def _find_misnamed_modules(modules: PackageModules, package: str) -> bool:
    """Report a module such as `limit`, which nothing imports, where `limits` is missing.

    Returns whether there is one.
    """
    errors_before = len(modules.errors)
    module = modules.find(package)
    names = {name.rpartition(".")[2] for name in list_submodules(module)} if module else set()
    for name in sorted(names - set(MODULES)):
        near = get_close_matches(name, MODULES, n=1, cutoff=0.8)
        for nearest in [_OTHER_NAMES[name]] if name in _OTHER_NAMES else near:
            if nearest not in names:
                hint = "rename it; if it is something else, choose a name that differs more"
                modules.add_error(f"{package}.{name}", f"did you mean {nearest}?", hint)
    return len(modules.errors) > errors_before


def _find_clients(modules: PackageModules, name: str) -> dict[str, type[ServiceClient]]:
    clients: dict[str, type[ServiceClient]] = {}
    for module in modules.iter_tree(name):
        for kind in vars(module).values():
            if _is_client_of(module, kind):
                other = clients.setdefault(kind.name, kind)
                if other is not kind:
                    message = f"has the same name={kind.name!r} as {_qualified_name(other)}"
                    modules.add_error(_qualified_name(kind), message, "names must be unique")
    return clients


def _is_client_of(module: ModuleType, kind: object) -> bool:
    """Whether `module` defines that client; a subclass without a name of its own is not one."""
    return (
        isinstance(kind, type)
        and issubclass(kind, ServiceClient)
        and kind.__module__ == module.__name__
        and "name" in vars(kind)
    )


def _find_policies(modules: PackageModules, name: str) -> dict[str, Policy]:
    policies: dict[str, Policy] = {}
    for value in _read_module(modules, name).values():
        if isinstance(value, Policy) and policies.setdefault(value.name, value) != value:
            message = f"two policies are named {value.name!r}"
            modules.add_error(name, message, "names must be unique")
    return policies


def _find_routers(modules: PackageModules, name: str) -> Iterator[APIRouter]:
    for module in modules.iter_files(name):
        router = getattr(module, "router", None)
        if isinstance(router, APIRouter):
            yield router
        else:
            folder = name.rpartition(".")[2]
            hint = f"move a module without routes out of {folder}"
            modules.add_error(module.__name__, "there is no `router = APIRouter()`", hint)


def _find_middleware(modules: PackageModules, name: str) -> Sequence[Middleware]:
    declared = _read_module(modules, name)
    middleware = declared.get("middleware")
    if isinstance(middleware, list) and all(isinstance(item, Middleware) for item in middleware):
        return middleware
    if declared:
        message = "there is no `middleware = [Middleware(...), ...]`"
        modules.add_error(name, message, "list the middleware, the outermost first")
    return ()


def _find_lifespan(modules: PackageModules, name: str) -> AppLifespan | None:
    declared = _read_module(modules, name)
    lifespan: AppLifespan | None = declared.get("lifespan")
    if declared and (not callable(lifespan) or isasyncgenfunction(lifespan)):
        message = "`lifespan(resources)` is not a function decorated with @asynccontextmanager"
        modules.add_error(name, message, "import it from contextlib, and decorate the function")
        return None
    return lifespan


def _load_settings(
    modules: PackageModules, name: str, values: Mapping[str, object]
) -> AppSettings | None:
    """Validate `app.settings` with the class that the package declares for them."""
    declared = _read_module(modules, name)
    kinds = [kind for kind in declared.values() if _is_settings_class(kind, name)]
    if declared and len(kinds) != 1:
        message = f"there are {len(kinds)} subclasses of AppSettings"
        modules.add_error(name, message, "declare exactly one")
        return None
    try:
        return validate_app_settings(kinds[0] if kinds else None, values)
    except InvalidSettings as invalid:
        modules.errors += invalid.errors
        return None


def _is_settings_class(kind: object, module: str) -> bool:
    return isinstance(kind, type) and issubclass(kind, AppSettings) and kind.__module__ == module


def _read_module(modules: PackageModules, name: str) -> Mapping[str, Any]:
    """Return the variables of an optional module; none if the package has no such module."""
    module = modules.find(name)
    return vars(module) if module else {}


def _qualified_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__name__}"
