"""Finds the demo that runs on this machine, by its identity provider, which also issues tokens."""

import json
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlencode

from gateway.fakes.identity_endpoints import (
    DEFAULT_PORT,
    DISCOVERY_PATH,
    ISSUER,
    OPERATOR,
    OPS_AUDIENCE,
    TOKEN_PATH,
)

_TIMEOUT_SECONDS = 2
_TOKEN_SECONDS = 5
_MAX_DOCUMENT_BYTES = 65_536


def request_token(port: int, query: str) -> tuple[int, dict[str, Any]]:
    """Ask the identity provider of a demo for a token; return the status and the document.

    The document is {} for JSON that is none.

    Raises:
        OSError: nothing responds on the port.
        HTTPException: the response is not HTTP.
        ValueError: the body is not JSON.
    """
    connection = HTTPConnection("127.0.0.1", port, timeout=_TOKEN_SECONDS)
    try:
        connection.request("POST", f"{TOKEN_PATH}?{query}")
        response = connection.getresponse()
        document = json.loads(response.read(_MAX_DOCUMENT_BYTES))
    finally:
        connection.close()
    return response.status, document if isinstance(document, dict) else {}


def request_operator_token(scopes: Sequence[str], port: int = DEFAULT_PORT) -> str | None:
    """Return a token of an operator for the ops API of the demo; None if no demo runs."""
    if find_demo(port) is None:
        return None
    query = {"sub": OPERATOR, "scope": " ".join(scopes), "audience": OPS_AUDIENCE}
    try:
        _, issued = request_token(port, urlencode(query))
    except (OSError, HTTPException, ValueError):
        return None
    token = issued.get("access_token")
    return token if isinstance(token, str) else None


def find_demo(port: int) -> str | None:
    """Return the URL of the identity provider of a demo on this port of loopback, if it is one."""
    connection = HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", DISCOVERY_PATH)
        document = json.loads(connection.getresponse().read(_MAX_DOCUMENT_BYTES))
    except (OSError, HTTPException, ValueError):
        return None
    finally:
        connection.close()
    is_demo = isinstance(document, dict) and document.get("issuer") == ISSUER
    return f"http://127.0.0.1:{port}" if is_demo else None
