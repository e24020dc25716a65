"""A clone of the repository serves the shop as long as nothing names a package."""

from gateway.settings.app_package import find_app_package
from tests.docs.project import ROOT


def test_without_a_package_a_clone_has_the_shop() -> None:
    found = find_app_package(None)
    assert (found.source, found.clients, found.declarations) == ("repository", "clients", "config")
    assert found.settings_file == ROOT / "config" / "lockgate.toml"
