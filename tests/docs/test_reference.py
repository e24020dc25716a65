"""The pages of docs/reference about the framework match the code, and a stale page is reported."""

from inspect import signature
from pathlib import Path

import pytest

from gateway import upstream
from gateway.errors.tree import GatewayError, Unauthenticated
from gateway.settings.schema import Settings
from gateway.settings.section import Section
from tests.docs import reference
from tests.docs.pages import clients, failures
from tests.docs.pages.comments import parse_comments


def test_no_page_is_stale(capsys: pytest.CaptureFixture[str]) -> None:
    assert reference.main(["--check"]) == 0
    assert capsys.readouterr().err == ""


def test_a_stale_page_is_reported_with_the_command_that_updates_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pages = reference.PAGES
    assert reference.main([], pages, tmp_path) == 0
    assert reference.main(["--check"], pages, tmp_path) == 0
    (tmp_path / "errors.md").write_text("old")
    (tmp_path / "settings.md").unlink()
    assert reference.main(["--check"], pages, tmp_path) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[0] for line in lines] == [
        "docs/reference/errors.md",
        "docs/reference/settings.md",
    ]
    assert all("run `make docs`" in line for line in lines)


@pytest.mark.parametrize("name", reference.PAGES)
def test_every_page_starts_with_how_it_is_generated(name: str) -> None:
    head = (reference.FOLDER / name).read_text().splitlines()[:2]
    assert any("make docs" in line for line in head)


def test_the_settings_page_has_every_setting_and_its_variable() -> None:
    text = (reference.FOLDER / "settings.md").read_text()
    for name, field in Settings.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, Section):
            for key in inner.model_fields:
                assert f"`{name}.{key}` | `LOCKGATE_{name.upper()}__{key.upper()}`" in text
        else:
            assert f"LOCKGATE_{name.upper()}" in text


def test_a_setting_without_a_comment_is_an_error() -> None:
    found = parse_comments("[server]\nport = 8000  # the public port\nhost = 1\n")
    assert found.find("server", "port") == "the public port"
    with pytest.raises(LookupError, match=r"server\.host"):
        found.find("server", "host")


def test_the_pages_do_not_depend_on_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKGATE_UPSTREAMS__USERS__URL", "http://users.internal")
    monkeypatch.setenv("COLUMNS", "31")
    assert not list(reference.find_stale(reference.PAGES, reference.FOLDER))


def test_an_error_without_an_example_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    remaining = tuple(f for f in failures.REFUSALS if not isinstance(f.error, Unauthenticated))
    monkeypatch.setattr(failures, "REFUSALS", remaining)
    with pytest.raises(LookupError, match="Unauthenticated"):
        list(failures.list_failures())


def test_the_errors_page_has_every_type() -> None:
    text = (reference.FOLDER / "errors.md").read_text()
    for kind in failures._find_concrete_classes(GatewayError):
        assert f'"type": "{kind.type}"' in text  # type: ignore[attr-defined]


def test_the_page_of_clients_has_every_public_name_and_parameter() -> None:
    text = (reference.FOLDER / "clients.md").read_text()
    for name in upstream.__all__:
        assert f"### {name}\n" in text
    for method in ("get", "post", "put", "patch", "delete", "stream", "get_pages"):
        shown = text.partition(f"#### `ServiceClient.{method}`")[2].partition("####")[0]
        for parameter in signature(getattr(upstream.ServiceClient, method)).parameters:
            assert parameter == "self" or f"    {parameter}" in shown or f"**{parameter}" in shown


def test_a_public_name_that_is_not_on_the_page_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "__all__", [*upstream.__all__, "Forgotten"])
    with pytest.raises(LookupError, match="has no Forgotten"):
        clients.render_clients()
