"""Generates openapi.json, the OpenAPI document of the public gateway."""

import json
from typing import Any

from tests.shop.docs.pages.defaults import create_default_app

NOTE = {"x-generated": "from the code by `make docs`; `make check` reports a stale file"}


def render_openapi(document: dict[str, Any] | None = None) -> str:
    """Return the document as JSON, with sorted keys so that diffs stay small."""
    document = document or create_default_app().openapi()
    ordered = json.loads(json.dumps(document, sort_keys=True))
    return json.dumps(NOTE | ordered, indent=2, ensure_ascii=False) + "\n"
