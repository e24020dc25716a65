"""Checks the handshake of a caller before anything is sent to the service (RFC 6455, 4.2.1)."""

import binascii
from base64 import b64decode

from starlette.exceptions import HTTPException
from starlette.types import Scope

VERSION = b"13"

_KEY_BYTES = 16


def check_handshake(scope: Scope) -> None:
    """Check version and key; the server has checked method, `Connection` and `Upgrade`.

    Raises:
        HTTPException: 426 for another version, 400 for a key that is not 16 bytes in base64.
    """
    if get_values(scope["headers"], b"sec-websocket-version") != [VERSION]:
        raise HTTPException(
            426,
            "The only supported version of WebSocket is 13.",
            headers={
                "Sec-WebSocket-Version": VERSION.decode(),
                "Upgrade": "websocket",
                "Connection": "Upgrade",  # required with `Upgrade` (RFC 9110, 7.8)
            },
        )
    keys = get_values(scope["headers"], b"sec-websocket-key")
    if len(keys) != 1 or not _is_key(keys[0]):
        raise HTTPException(400, "Sec-WebSocket-Key must be 16 bytes in base64, once.")


def get_values(fields: list[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    """Return the values of a field by its lower-case name, in their order."""
    return [value for key, value in fields if key.lower() == name]


def _is_key(value: bytes) -> bool:
    try:
        return len(b64decode(value, validate=True)) == _KEY_BYTES
    except binascii.Error:
        return False
