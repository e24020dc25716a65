"""docs/reference is what the code says, and a change of the code is noticed."""

import json
import re
from pathlib import Path

import pytest

from gateway.application import load_application
from gateway.errors.tree import GatewayError, Unauthenticated
from gateway.settings.schema import Section, Settings
from gateway.testing import lockgate
from tests.docs import reference
from tests.docs.pages import failures
from tests.docs.pages.comments import comments
from tests.docs.pages.defaults import default_app
from tests.docs.pages.openapi import NOTE, openapi


def test_no_page_is_stale(capsys: pytest.CaptureFixture[str]) -> None:
    assert reference.main(["--check"]) == 0
    assert capsys.readouterr().err == ""


def test_a_page_that_differs_is_named_with_the_command_that_mends_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reference.main([], tmp_path) == 0
    assert reference.main(["--check"], tmp_path) == 0
    (tmp_path / "errors.md").write_text("old")
    (tmp_path / "limits.md").unlink()
    (tmp_path / "forgotten.md").write_text("left over")
    assert reference.main(["--check"], tmp_path) == 1
    said = capsys.readouterr().err.splitlines()
    assert [line.split()[0] for line in said] == [
        "docs/reference/errors.md",
        "docs/reference/limits.md",
        "docs/reference/forgotten.md",
    ]
    assert all("run `make docs`" in line for line in said)


@pytest.mark.parametrize("name", reference.PAGES)
def test_every_page_opens_with_how_it_is_made(name: str) -> None:
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


def test_a_setting_that_the_template_passes_over_is_an_error() -> None:
    found = comments("[server]\nport = 8000  # the public port\nhost = 1\n")
    assert found.of("server", "port") == "the public port"
    with pytest.raises(LookupError, match=r"server\.host"):
        found.of("server", "host")


def test_the_environment_of_the_reader_changes_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKGATE_UPSTREAMS__USERS__URL", "http://users.internal")
    monkeypatch.setenv("COLUMNS", "31")
    assert not list(reference.stale())


def test_an_error_without_an_example_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    left = tuple(f for f in failures.REFUSALS if not isinstance(f.error, Unauthenticated))
    monkeypatch.setattr(failures, "REFUSALS", left)
    with pytest.raises(LookupError, match="Unauthenticated"):
        list(failures.failures())


def test_the_errors_page_has_every_type() -> None:
    text = (reference.FOLDER / "errors.md").read_text()
    for kind in failures._concrete(GatewayError):
        assert f'"type": "{kind.type}"' in text  # type: ignore[attr-defined]


def test_the_limits_page_has_every_policy_and_every_word() -> None:
    text = (reference.FOLDER / "limits.md").read_text()
    for policy in load_application(None).policies.values():
        assert f"| `{policy.name}` | `{policy.rate}` |" in text
    for word in ("rate", "per", "without_redis", "burst", "shadow"):
        assert f"- **{word}**:" in text


async def test_the_snapshot_is_the_document_that_is_served() -> None:
    snapshot = json.loads((reference.FOLDER / "openapi.json").read_text())
    async with lockgate() as gateway:
        served = (await gateway.get("/openapi.json")).json()
    assert snapshot == NOTE | served


def test_a_change_of_the_api_changes_the_snapshot() -> None:
    app = default_app()
    before = openapi(app.openapi())

    @app.get("/extra")
    async def _extra() -> None: ...

    app.openapi_schema = None
    assert re.search(r'"/extra"', openapi(app.openapi()))
    assert before == (reference.FOLDER / "openapi.json").read_text()
