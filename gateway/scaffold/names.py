"""The names in generated code, derived from the names that the user gives."""

import re
import sys
from dataclasses import dataclass
from importlib.machinery import PathFinder
from keyword import iskeyword

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_RESERVED = {"gateway", "clients", "config", "tests"}


class InvalidName(ValueError):
    """A name that cannot be the name of a package, service or composite."""


@dataclass(frozen=True, slots=True)
class ServiceNames:
    """The names of a service: `orders`, the client `Orders`, the model `Order`."""

    service: str
    client: str
    model: str


def name_package(project: str) -> str:
    """Derive the package of a project: `acme-gateway` becomes `acme_gateway`.

    Raises:
        InvalidName: the result is no identifier, or another module already has that name.
    """
    package = project.lower().replace("-", "_").replace(".", "_").replace(" ", "_")
    check_name(package, "the last part of PATH, as the name of a Python package,")
    is_taken = package in _RESERVED or package in sys.stdlib_module_names
    if is_taken or PathFinder.find_spec(package):
        raise InvalidName(f"there already is a Python module called {package}; choose another PATH")
    return package


def name_service(service: str) -> ServiceNames:
    """Derive the names of a service.

    Raises:
        InvalidName: the name is not usable in code and in the names of variables.
    """
    check_name(service, "the name of a service")
    client = name_class(service)
    return ServiceNames(service, client, _name_model(client))


def name_class(name: str) -> str:
    """Convert `order_history` to `OrderHistory`."""
    return "".join(word.capitalize() for word in name.split("_"))


def check_name(name: str, what: str) -> None:
    """Check that a name is an identifier in lower case.

    Raises:
        InvalidName: it is not.
    """
    if not _NAME.fullmatch(name) or iskeyword(name):
        raise InvalidName(
            f"{what} consists of lower-case letters, digits and underscores, begins with a letter, "
            f"and is no keyword of Python; got {name!r}"
        )


def _name_model(client: str) -> str:
    """Return the singular of a plural, or add `Item`, because the client has the other name."""
    if client.endswith("ies"):
        return client[:-3] + "y"
    if client.endswith("s") and not client.endswith(("ss", "us", "is")):
        return client[:-1]
    return client + "Item"
