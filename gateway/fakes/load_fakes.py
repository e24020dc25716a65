"""Imports the fake services of the company's package."""

from typing import Any

from starlette.types import ASGIApp

from gateway.package_modules import PackageModules
from gateway.settings.app_package import AppPackage
from gateway.settings.errors import InvalidSettings


def load_fakes(package: AppPackage) -> dict[str, ASGIApp]:
    """Import the fakes: the `app` of each module in `fakes`, by the name of the module.

    A module without an `app` is code that the fakes share.

    Raises:
        InvalidSettings: has an error for each module that cannot be imported.
    """
    modules = PackageModules()
    apps: dict[str, Any] = {
        module.__name__.rpartition(".")[2]: getattr(module, "app", None)
        for module in modules.iter_files(package.fakes)
    }
    if modules.errors:
        raise InvalidSettings(modules.errors)
    return {name: app for name, app in apps.items() if callable(app)}
