"""The files of GET /docs are those that the publisher of Swagger UI distributes."""

import json
from hashlib import sha256
from importlib.resources import files

import pytest

from gateway.openapi.assets import SWAGGER_UI_VERSION, load_assets

# Of the files in the archive of `swagger-ui-dist` with this version: `npm pack swagger-ui-dist`.
VERSION = "5.35.0"
SHA256 = {
    "LICENSE": "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30",
    "NOTICE": "0d20d1adef18aee3f40dd258172155521ce702ac445cb5f7b7d60ed32dad2fb2",
    "favicon-32x32.png": "3ed612f41e050ca5e7000cad6f1cbe7e7da39f65fca99c02e99e6591056e5837",
    "swagger-ui-bundle.js": "e6a898692f2d768e807c3ba4626068a69a2c5dd960dd6c76f3e4d3a3de180af2",
    "swagger-ui-bundle.js.LICENSE.txt": "37eb6e7e59aed57b2c1acf076574b818ea07b74265717e0bd67b59e0baf9abbb",  # noqa: E501
    "swagger-ui.css": "5ed08757e53da3e026d6cbecc61fe5d43585c9560b302d534ad56692519a273d",
}


def test_every_file_is_that_of_the_version() -> None:
    assert SWAGGER_UI_VERSION == VERSION
    folder = files("gateway.openapi").joinpath("swagger_ui")
    found = {it.name: sha256(it.read_bytes()).hexdigest() for it in folder.iterdir()}
    assert found == SHA256


def test_the_bundle_says_the_same_version() -> None:
    text = load_assets()["swagger-ui-bundle.js"].content.decode()
    assert json.dumps(VERSION) in text


@pytest.mark.parametrize("name", sorted(load_assets()))
def test_every_file_is_served_with_a_tag_of_its_content(name: str) -> None:
    asset = load_assets()[name]
    assert asset.content
    assert sha256(asset.content).hexdigest()[:32] in asset.etag


def test_the_page_and_its_script_name_no_other_host() -> None:
    folder = files("gateway.openapi")
    for name in ("docs.html", "docs.js"):
        text = folder.joinpath(name).read_text(encoding="utf-8")
        assert "//" not in text.replace("// ", "")
