"""The names in generated code, derived from the names that the user gives."""

import re
import sys
from dataclasses import dataclass
from importlib.machinery import PathFinder
from keyword import iskeyword

# No two underscores in a row, and none at the end: in the name of a variable, `__` separates the
# steps of the path of a setting.
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_MAX_LENGTH = 32
_RESERVED = {"gateway", "clients", "config", "tests"}


class InvalidName(ValueError):
    """A name that cannot be the name of a package, service or composite."""


@dataclass(frozen=True, slots=True)
class ServiceNames:
    """The names of a service: `orders`, the client `Orders`, the model `Order`, and functions."""

    service: str
    client: str
    model: str

    @property
    def identifiers(self) -> list[str]:
        """All names that the service has in generated code."""
        functions = [f"fetch_{self.service}", f"list_{self.service}"]
        return [self.service, self.client, self.model, *functions]


@dataclass(frozen=True, slots=True)
class CompositeNames:
    """The names of a composite: `inbox`, the model `InboxPage`, and its function."""

    composite: str
    page: str

    @property
    def identifiers(self) -> list[str]:
        """All names that the composite has in generated code."""
        return [self.page, f"get_{self.composite}"]


def name_project(folder: str) -> str:
    """Normalize the name of a folder (PEP 503): `Acme Gateway` becomes `acme-gateway`.

    The result is valid in pyproject.toml and as a tag of an image if `name_package` accepts it.
    """
    return re.sub(r"[-_. ]+", "-", folder).strip("-").lower()


def name_package(folder: str) -> str:
    """Derive the package of a project: `acme-gateway` becomes `acme_gateway`.

    Raises:
        InvalidName: the result is not an identifier, or another module already has that name.
    """
    package = name_project(folder).replace("-", "_")
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


def name_composite(composite: str) -> CompositeNames:
    """Derive the names of a composite.

    Raises:
        InvalidName: the name is not usable in code.
    """
    check_name(composite, "the name of a composite")
    return CompositeNames(composite, name_class(composite) + "Page")


def name_class(name: str) -> str:
    """Convert `order_history` to `OrderHistory`."""
    return "".join(word.capitalize() for word in name.split("_"))


def check_name(name: str, what: str) -> None:
    """Check that a name is an identifier in lower case.

    Raises:
        InvalidName: it is not.
    """
    if not _NAME.fullmatch(name) or iskeyword(name) or len(name) > _MAX_LENGTH:
        raise InvalidName(
            f"{what} consists of at most {_MAX_LENGTH} lower-case letters and digits, with single "
            f"underscores between them, begins with a letter, and is not a keyword of Python; got "
            f"{name!r}"
        )


def _name_model(client: str) -> str:
    """Return the singular of a plural, or add `Item`, because the client has the other name."""
    if client.endswith("ies") and len(client) > 3:
        return client[:-3] + "y"
    if client.endswith("s") and len(client) > 1 and not client.endswith(("ss", "us", "is")):
        return client[:-1]
    return client + "Item"
