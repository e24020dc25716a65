"""Close codes of WebSockets, and the close frames that the gateway sends itself (RFC 6455, 7.4)."""

import os
from enum import IntEnum

_CLOSE = 0x88  # the last frame of a message, opcode 8
_MASKED = 0x80
_MASK_BYTES = 4


class CloseCode(IntEnum):
    """The codes that the gateway sends or logs."""

    GOING_AWAY = 1001  # it stops, or the connection was idle or open for too long
    PROTOCOL_ERROR = 1002
    NO_STATUS = 1005  # logged only: a close frame without a code
    ABNORMAL = 1006  # logged only: a connection that ended without a close frame
    POLICY_VIOLATION = 1008  # the token has expired
    INTERNAL_ERROR = 1011  # the service has ended the connection without a close frame


FORBIDDEN_CODES = frozenset({1004, CloseCode.NO_STATUS, CloseCode.ABNORMAL, 1015})
"""Codes that no close frame may have (RFC 6455, 7.4.1); libraries report them for other ends."""


def build_close_frame(code: CloseCode, reason: str, *, is_masked: bool) -> bytes:
    """Build a close frame; a client, as the gateway is to a service, masks its frames."""
    payload = code.to_bytes(2) + reason.encode()
    if not is_masked:
        return bytes((_CLOSE, len(payload))) + payload
    mask = os.urandom(_MASK_BYTES)
    masked = bytes(byte ^ mask[index % _MASK_BYTES] for index, byte in enumerate(payload))
    return bytes((_CLOSE, _MASKED | len(payload))) + mask + masked


def read_close_code(payload: bytes, mask: bytes) -> int:
    """Return the code in the payload of a close frame; `mask` is empty for an unmasked one."""
    if not payload:
        return CloseCode.NO_STATUS
    code = int.from_bytes(payload[:2])
    return code ^ int.from_bytes(mask[:2]) if mask else code
