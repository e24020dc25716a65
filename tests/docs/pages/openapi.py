"""openapi.json: the OpenAPI document of the public gateway."""

import json
from typing import Any

from tests.docs.pages.defaults import default_app

NOTE = {"x-generated": "from the code by `make docs`; `make check` says when it is stale"}


def openapi(document: dict[str, Any] | None = None) -> str:
    """The document, its members in order so that a change shows as one."""
    document = document or default_app().openapi()
    ordered = json.loads(json.dumps(document, sort_keys=True))
    return json.dumps(NOTE | ordered, indent=2, ensure_ascii=False) + "\n"
