"""The company's package: `app.package`, and its settings file beneath all other layers."""

from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from gateway.settings import app_package
from gateway.settings.app_package import find_app_package
from gateway.settings.errors import InvalidSettings
from gateway.settings.loader import load_settings

Package = Callable[[str], Path]

FILE = """
[server]
port = 1
max_in_flight = 2
trusted_proxies = ["10.0.0.0/8", "192.168.0.0/16"]
[upstreams.invoices]
url = "http://invoices.internal"
timeout = 3
[log]
level = "debug"
"""


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCKGATE_CONFIG", raising=False)
    monkeypatch.delenv("LOCKGATE_APP__PACKAGE", raising=False)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """A function that writes the importable package `acme_settings` with that settings file."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(text: str) -> Path:
        folder = tmp_path / "acme_settings"
        folder.mkdir()
        (folder / "__init__.py").write_text("raise AssertionError('it must not be imported')")
        (folder / "lockgate.toml").write_text(text)
        return folder

    return write


def write_file(folder: Path, text: str) -> Path:
    file = folder / "other.toml"
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LOCKGATE_APP__PACKAGE", "acme_settings"),
        ("lockgate_app__package", "acme_settings"),
        ("LOCKGATE_APP", '{"package": "acme_settings"}'),
    ],
)
def test_the_environment_can_name_the_package(
    package: Package, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    package(FILE)
    monkeypatch.setenv(variable, value)
    settings = load_settings()
    assert settings.app.package == "acme_settings"
    assert settings.server.port == 1
    assert list(settings.upstreams) == ["invoices"]


def test_the_config_file_can_name_the_package(package: Package, tmp_path: Path) -> None:
    package(FILE)
    settings = load_settings(write_file(tmp_path, '[app]\npackage = "acme_settings"\n'))
    assert settings.app.package == "acme_settings"
    assert settings.server.port == 1


def test_the_environment_overrides_the_package_of_the_file(
    package: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(FILE)
    monkeypatch.setenv("LOCKGATE_APP__PACKAGE", "acme_settings")
    settings = load_settings(write_file(tmp_path, '[app]\npackage = "other"\n'))
    assert settings.app.package == "acme_settings"
    assert settings.server.port == 1


def test_the_file_overrides_the_package_and_the_environment_overrides_both(
    package: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(FILE)
    monkeypatch.setenv("LOCKGATE_APP__PACKAGE", "acme_settings")
    monkeypatch.setenv("LOCKGATE_LOG__LEVEL", "error")
    monkeypatch.setenv("LOCKGATE_UPSTREAMS__INVOICES__TIMEOUT", "0.5")
    file = write_file(
        tmp_path,
        '[server]\nport = 4\n[log]\nlevel = "warning"\nformat = "text"\n'
        "[upstreams.invoices]\ntimeout = 1\nidle_seconds = 9\n",
    )
    settings = load_settings(file)
    assert (settings.server.max_in_flight, settings.server.port) == (2, 4)
    assert (settings.log.level, settings.log.format) == ("error", "text")
    invoices = settings.upstreams["invoices"]
    assert invoices.url.host == "invoices.internal"
    assert (invoices.timeout, invoices.idle_seconds) == (0.5, 9)


def test_tables_are_merged_but_a_list_is_replaced(
    package: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(FILE)
    monkeypatch.setenv("LOCKGATE_APP__PACKAGE", "acme_settings")
    assert len(load_settings().server.trusted_proxies) == 2
    server = load_settings(
        write_file(tmp_path, '[server]\ntrusted_proxies = ["172.16.0.0/12"]\n')
    ).server
    assert list(map(str, server.trusted_proxies)) == ["172.16.0.0/12"]
    assert server.port == 1


def test_a_package_needs_no_settings_file(
    package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    (package(FILE) / "lockgate.toml").unlink()
    monkeypatch.setenv("LOCKGATE_APP__PACKAGE", "acme_settings")
    settings = load_settings()
    assert settings.server.port == 8000
    assert settings.upstreams == {}


def test_an_error_in_the_package_file_names_the_setting(
    package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    package("[server]\nprot = 1\n")
    monkeypatch.setenv("LOCKGATE_APP__PACKAGE", "acme_settings")
    with pytest.raises(
        InvalidSettings,
        match=r"lockgate\.toml:2: server\.prot: .* mean port\?",
    ):
        load_settings()


def test_a_missing_package_does_not_hide_behind_the_settings_it_would_hold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOCKGATE_APP__PACKAGE", "no_such_package")
    monkeypatch.setenv("LOCKGATE_UPSTREAMS__INVOICES__TIMEOUT", "1")
    with pytest.raises(InvalidSettings) as caught:
        load_settings()
    assert [error.path.partition(" ")[0] for error in caught.value.errors] == [
        "app.package",
        "upstreams.invoices.url",
    ]


def test_a_package_name_of_another_type_is_reported(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match=r"toml:2: app\.package: must be a string \(got 3\)"):
        load_settings(write_file(tmp_path, "[app]\npackage = 3\n"))


def test_the_modules_of_a_package_have_fixed_names(package: Package) -> None:
    folder = package(FILE)
    found = find_app_package("acme_settings")
    assert (found.clients, found.composites, found.declarations, found.fakes) == (
        "acme_settings.clients",
        "acme_settings.composites",
        "acme_settings",
        "acme_settings.fakes",
    )
    assert found.settings_file == folder / "lockgate.toml"


def test_an_installed_framework_has_no_shop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_package, "_FRAMEWORK", tmp_path)
    with pytest.raises(InvalidSettings, match=r"no package is set .*lockgate new PATH"):
        find_app_package(None)
    assert load_settings().upstreams == {}


def test_the_file_of_the_package_cannot_name_a_package(
    package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    package('[app]\npackage = "acme_settings"')
    monkeypatch.setenv("LOCKGATE_APP__PACKAGE", "acme_settings")
    with pytest.raises(InvalidSettings, match=r"lockgate\.toml:2: app\.package: cannot be set in"):
        load_settings()


def install_entry_points(monkeypatch: pytest.MonkeyPatch, *values: str) -> None:
    """Let installed distributions name these packages in the group `lockgate`."""
    found = [EntryPoint(value, value, "lockgate") for value in values]

    def entry_points(*, group: str) -> list[EntryPoint]:
        assert group == "lockgate"
        return found

    monkeypatch.setattr(app_package, "entry_points", entry_points)


def test_an_entry_point_names_the_package(
    package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(FILE)
    install_entry_points(monkeypatch, "acme_settings")
    found = find_app_package(None)
    assert (found.name, found.source) == ("acme_settings", "entry point")
    assert load_settings().server.port == 1


def test_the_setting_wins_over_an_entry_point(
    package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(FILE)
    install_entry_points(monkeypatch, "tests.sample", "another")
    found = find_app_package("acme_settings")
    assert (found.name, found.source) == ("acme_settings", "app.package")


def test_two_entry_points_are_an_error_that_names_both(monkeypatch: pytest.MonkeyPatch) -> None:
    install_entry_points(monkeypatch, "one", "two", "one")
    with pytest.raises(InvalidSettings, match=r"several entry points .*: one, two \(set app\.pack"):
        find_app_package(None)


def test_an_entry_point_that_names_no_package_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    install_entry_points(monkeypatch, "no_such_package:app")
    with pytest.raises(InvalidSettings, match=r"called 'no_such_package:app' \(an entry"):
        find_app_package(None)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("def", "SyntaxError: invalid syntax (__init__.py, line 1)"),
    ],
)
def test_a_parent_package_that_raises_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, error: str
) -> None:
    folder = tmp_path / "bad_parent"
    (folder / "inner").mkdir(parents=True)
    (folder / "__init__.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(InvalidSettings) as caught:
        find_app_package("bad_parent.inner")
    assert list(map(str, caught.value.errors)) == [
        (
            f"app.package: the package bad_parent cannot be imported: {error} "
            f"({folder}/__init__.py, line 1)"
        )
    ]


@pytest.mark.parametrize("name", [".inner", "..", "json.decoder.inner", "no.such", "a b", "a..b"])
def test_a_name_that_no_package_has_is_reported(name: str) -> None:
    with pytest.raises(InvalidSettings, match="there is no package called"):
        find_app_package(name)
