"""Follows the frames of one direction of a WebSocket, without touching them (RFC 6455, 5)."""

from gateway.proxy.websocket.close_frame import FORBIDDEN_CODES, read_close_code

_FIN, _OPCODE, _CONTROL = 0x80, 0x0F, 0x08
_CONTINUATION, _BINARY, _CLOSE, _PONG = 0x0, 0x2, 0x8, 0xA
_MASKED, _LENGTH = 0x80, 0x7F
_BASE_BYTES, _MASK_BYTES = 2, 4
_EXTENDED_BYTES = {126: 2, 127: 8}  # of a longer length, by the seven bits in the base
_MIN_EXTENDED = {126: 126, 127: 65_536}
_MAX_LENGTH = (1 << 63) - 1

ALL_RESERVED_BITS = 0x70
COMPRESSED_BIT = 0x40
"""RSV1, with which permessage-deflate marks the first frame of a message (RFC 7692, 6)."""


MAX_FRAMES = 500
"""Frames that are read at once, in about a millisecond; other connections must not wait longer."""


class FrameViolation(Exception):
    """A frame that no endpoint may send; the message is the reason, for the log and the peer."""


class FrameReader:
    """Reads the headers of frames, and passes payloads over.

    `feed` returns the bytes that may be passed on. A header and a close frame are held back until
    they are whole, so that whatever was passed on ends between two frames, or in a payload. The
    bytes after a close frame are dropped (RFC 6455, 5.5.1). After MAX_FRAMES frames the rest of the
    bytes is held back, too (`has_more`): the next `feed`, without further bytes, goes on.

    `reserved_bits` are those that the negotiated extensions give a meaning. `is_masked` says
    whether the frames must be masked: those of a client must be, those of a server must not.
    """

    # Invariants:
    # - `remaining` is the number of bytes to come of the frame whose header has been passed on.
    # - `_held` is empty unless `remaining` is 0. Unless `has_more`, it is shorter than a header and
    #   125 bytes.
    # - Once `has_ended`, by a close frame or a violation, nothing is passed on any more.

    __slots__ = (
        "_held", "_is_in_message", "_is_masked", "_reserved_bits", "close_code", "has_ended",
        "has_more", "remaining", "violation",
    )  # fmt: skip

    def __init__(self, *, is_masked: bool, reserved_bits: int = 0) -> None:
        self._is_masked = is_masked
        self._reserved_bits = reserved_bits
        self._held = b""
        self._is_in_message = self.has_ended = self.has_more = False
        self.remaining = 0
        self.close_code: int | None = None
        self.violation = ""

    def feed(self, data: bytes = b"") -> bytes:
        """Read more bytes, and return what may be passed on now.

        A frame that is not allowed sets `violation`; what stands before it is returned.
        """
        if self.remaining >= len(data) and not self.has_more:
            self.remaining -= len(data)
            return data
        if self.has_ended:
            return b""
        if self._held:
            data, self._held = self._held + data, b""
        end = self._find_last_end(data)
        self.remaining = max(end - len(data), 0)
        if not self.has_ended:
            self._held = data[end:]
        return data[:end]

    def _find_last_end(self, data: bytes) -> int:
        """Return the end of the last frame that may be passed on, at most MAX_FRAMES further."""
        self.has_more = False
        position, self.remaining = self.remaining, 0
        for _ in range(MAX_FRAMES):
            if position >= len(data) or self.has_ended:
                return position
            try:
                end = self._find_end(data, position)
            except FrameViolation as violation:
                self.violation, self.has_ended = str(violation), True
                return position
            if end is None:
                return position
            position = end
        self.has_more = position < len(data) and not self.has_ended
        return position

    def _find_end(self, data: bytes, start: int) -> int | None:
        """Return the end of the frame that begins at `start`; None if it must be held back.

        Raises:
            FrameViolation: no endpoint may send it.
        """
        if len(data) - start < _BASE_BYTES:
            return None
        first, second = data[start], data[start + 1]
        opcode = first & _OPCODE
        self._check_base(first, second)
        mask_start = start + _BASE_BYTES + _EXTENDED_BYTES.get(second & _LENGTH, 0)
        payload_start = mask_start + (_MASK_BYTES if self._is_masked else 0)
        if payload_start > len(data):
            return None
        length = second & _LENGTH
        if mask_start > start + _BASE_BYTES:
            length = _read_length(length, data[start + _BASE_BYTES : mask_start])
        end = payload_start + length
        if opcode == _CLOSE:
            if end > len(data):
                return None
            payload, mask = data[payload_start:end], data[mask_start:payload_start]
            code = read_close_code(payload, mask)
            if payload and code in FORBIDDEN_CODES:
                raise FrameViolation(f"a close frame with the code {code}, which none may have")
            self.close_code, self.has_ended = code, True
        elif not opcode & _CONTROL:
            self._is_in_message = not first & _FIN
        return end

    def _check_base(self, first: int, second: int) -> None:
        """Check the first two bytes of a header (RFC 6455, 5.2)."""
        if bool(second & _MASKED) is not self._is_masked:
            raise FrameViolation("a frame must be masked if a client sends it, and only then")
        if first & ALL_RESERVED_BITS:
            self._check_reserved_bits(first)
        opcode = first & _OPCODE
        if opcode & _CONTROL:
            _check_control(opcode, second & _LENGTH, is_last=bool(first & _FIN))
        elif opcode > _BINARY:
            raise FrameViolation(f"reserved opcode {opcode}")
        elif (opcode == _CONTINUATION) is not self._is_in_message:
            raise FrameViolation(
                "a message within a message" if self._is_in_message else "a continuation of nothing"
            )

    def _check_reserved_bits(self, first: int) -> None:
        is_first_of_message = _CONTINUATION < first & _OPCODE <= _BINARY
        is_compression_only = self._reserved_bits == COMPRESSED_BIT
        allowed = self._reserved_bits if is_first_of_message or not is_compression_only else 0
        if first & ALL_RESERVED_BITS & ~allowed:
            raise FrameViolation("a reserved bit that no extension has given a meaning")


def _check_control(opcode: int, length: int, *, is_last: bool) -> None:
    if opcode > _PONG:
        raise FrameViolation(f"reserved opcode {opcode}")
    if not is_last or length in _EXTENDED_BYTES:
        raise FrameViolation("a control frame that is fragmented or longer than 125 bytes")
    if opcode == _CLOSE and length == 1:
        raise FrameViolation("a close frame with half a code")


def _read_length(kind: int, extended: bytes) -> int:
    length = int.from_bytes(extended)
    if not _MIN_EXTENDED[kind] <= length <= _MAX_LENGTH:
        raise FrameViolation("a length that is not in its shortest form, or above 2^63 - 1")
    return length
