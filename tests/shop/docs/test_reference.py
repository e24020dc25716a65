"""The pages of docs/reference about the shop match the code."""

import json
import re
from inspect import signature

import pytest

from gateway.app_loader import load_application
from gateway.ratelimit import RateLimit
from gateway.settings.schema import App
from gateway.testing import lockgate
from tests.docs import reference as framework_reference
from tests.shop.docs import reference
from tests.shop.docs.pages.defaults import create_default_app
from tests.shop.docs.pages.openapi import NOTE, render_openapi

FOLDER = framework_reference.FOLDER


def test_no_page_is_stale(capsys: pytest.CaptureFixture[str]) -> None:
    assert framework_reference.main(["--check"], reference.PAGES) == 0
    assert capsys.readouterr().err == ""


def test_every_file_of_the_folder_is_generated_or_tested() -> None:
    names = {file.name for file in FOLDER.iterdir()}
    assert names == {*framework_reference.PAGES, *reference.PAGES}


def test_the_limits_page_has_every_policy_and_every_parameter() -> None:
    text = (FOLDER / "limits.md").read_text()
    for policy in load_application(App()).policies.values():
        assert f"| `{policy.name}` | `{policy.limit_text}` |" in text
    for parameter in signature(RateLimit).parameters.keys() - {"name"}:
        assert f"**{parameter}**" in text


async def test_the_snapshot_is_the_served_document() -> None:
    snapshot = json.loads((FOLDER / "openapi.json").read_text())
    async with lockgate() as gateway:
        served = (await gateway.get("/openapi.json")).json()
    assert snapshot == NOTE | served


def test_a_change_of_the_api_changes_the_snapshot() -> None:
    app = create_default_app()
    before = render_openapi(app.openapi())

    @app.get("/extra")
    async def _extra() -> None: ...

    app.openapi_schema = None
    assert re.search(r'"/extra"', render_openapi(app.openapi()))
    assert before == (FOLDER / "openapi.json").read_text()
