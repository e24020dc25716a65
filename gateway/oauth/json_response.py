"""`build_json`: builds the JSON responses of the OAuth endpoints."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

NO_STORE = {"Cache-Control": "no-store"}
"""No response to a client may be stored (RFC 6749, section 5.1)."""


def build_json(
    document: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] = NO_STORE
) -> Response:
    """Build a response. Its text is ASCII, so that a lone surrogate in a claim can be sent."""
    return Response(json.dumps(document), status, headers, media_type="application/json")
