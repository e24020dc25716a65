"""Finds the proxied routes that a package declares, in its module `routes`."""

import sys
from collections.abc import Iterator, Sequence
from types import ModuleType

from gateway.package_modules import PackageModules
from gateway.proxy.declaration.proxy import Proxy
from gateway.settings.errors import ConfigError


def find_proxies(
    modules: PackageModules, name: str, prefixes: Sequence[str] = ()
) -> Sequence[Proxy]:
    """Return the list `routes` of the module `name`, which a package need not have.

    An entry that is not a `Proxy` is an error, and so is a `Proxy` that a module below one of
    `prefixes` holds in a variable but does not list: it would not be served. Each mistake of each
    `Proxy` is an error, if its module was imported within `keep_invalid_proxies`. After any error,
    routes are missing, and `has_failed` of the modules is True.
    """
    errors_before = len(modules.errors)
    proxies = _find_all(modules, name, prefixes)
    if len(modules.errors) > errors_before:
        modules.has_failed = True
    return proxies


def _find_all(modules: PackageModules, name: str, prefixes: Sequence[str]) -> Sequence[Proxy]:
    module = modules.find(name)
    proxies = _read_routes(modules, module) if module else []
    variables = list(_iter_variables([name, *prefixes]))
    if invalid := [proxy for _, proxy in variables if proxy.mistakes]:
        for proxy in sorted(invalid, key=lambda it: (it.file, it.line)):
            source = f"{proxy.file}:{proxy.line}"
            modules.errors += [
                ConfigError(proxy.name, mistake, source=source) for mistake in proxy.mistakes
            ]
        return []
    if not modules.has_failed:
        for place, proxy in variables:
            if not any(proxy is listed for listed in proxies):
                message = f"{proxy} is not in the list `routes` of {name}, so it is not served"
                modules.add_error(place, message, f"add it; {proxy.file}:{proxy.line} declares it")
    return proxies


def _read_routes(modules: PackageModules, module: ModuleType) -> list[Proxy]:
    routes = getattr(module, "routes", None)
    hint = "list the proxied routes; a router of FastAPI belongs in routers"
    if not isinstance(routes, list | tuple):
        modules.add_error(module.__name__, "there is no `routes = [Proxy(...), ...]`", hint)
        return []
    for index, item in enumerate(routes):
        if not isinstance(item, Proxy):
            message = f"routes[{index}] is {item!r:.60}, which is not a Proxy(...)"
            modules.add_error(module.__name__, message, hint)
    return [item for item in routes if isinstance(item, Proxy)]


def _iter_variables(prefixes: Sequence[str]) -> Iterator[tuple[str, Proxy]]:
    """Yield each `Proxy` in a variable of an imported module, or in a list there, once.

    The path is `module.variable`.
    """
    seen: set[int] = set()
    for name, module in sorted(sys.modules.items()):
        if any(f"{name}.".startswith(f"{prefix}.") for prefix in prefixes):
            for variable, value in list(vars(module).items()):
                for item in value if isinstance(value, list | tuple) else [value]:
                    if isinstance(item, Proxy) and id(item) not in seen:
                        seen.add(id(item))
                        yield f"{name}.{variable}", item
