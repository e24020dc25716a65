"""Finds the demo that runs on this machine, by its identity provider."""

import json
from http.client import HTTPConnection, HTTPException

from gateway.fakes.identity_endpoints import DISCOVERY_PATH, ISSUER

_TIMEOUT_SECONDS = 2
_MAX_DOCUMENT_BYTES = 65_536


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
