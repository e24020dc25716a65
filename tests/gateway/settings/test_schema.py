"""The settings and their template."""

import re
from pathlib import Path

import pytest

from gateway.settings.loader import load_settings
from gateway.settings.rate import Rate
from gateway.settings.schema import Settings

TEMPLATE = Path(__file__).parents[3] / "config" / "lockgate.toml"


def test_the_template_has_the_defaults_except_for_the_shop() -> None:
    template = load_settings(TEMPLATE)
    shop = {"app": template.app, "upstreams": template.upstreams, "demo": template.demo}
    assert template == Settings.model_validate(shop)
    shown = {"path": "/docs", "client": "demo", "commands": ()}  # the pages that the shop shows
    assert template.demo.model_copy(update=shown) == Settings().demo


def test_the_template_names_every_setting() -> None:
    text = TEMPLATE.read_text()
    for name, field in Settings.model_fields.items():
        assert name in text
        for inner in getattr(field.annotation, "model_fields", {}):
            assert re.search(rf"\n(# )?{inner} = ", text)


def test_the_settings_can_be_dumped_and_read_again() -> None:
    """The demo and `explain` copy them with changes."""
    template = load_settings(TEMPLATE).model_copy(update={"limits": {"pages": Rate(10, 60)}})
    assert Settings.model_validate(template.model_dump()) == template


def test_the_tree_is_frozen() -> None:
    with pytest.raises(Exception, match="frozen"):
        Settings().server.port = 1  # type: ignore[misc]
