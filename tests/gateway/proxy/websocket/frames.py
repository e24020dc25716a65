"""Frames of WebSockets as bytes, and a corpus of those that endpoints exchange.

The corpus follows the groups of the Autobahn test suite: sizes, fragmentation, control frames in
between, UTF-8, and compressed messages, whose bytes a proxy must not touch.
"""

import zlib
from collections.abc import Iterator

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FIN, RSV1 = 0x80, 0x40
MASK = bytes.fromhex("37fa213d")

SIZES = [0, 1, 125, 126, 127, 128, 65_535, 65_536, 65_537]


def build_frame(
    opcode: int,
    payload: bytes = b"",
    *,
    is_last: bool = True,
    mask: bytes = b"",
    bits: int = 0,
    length_bytes: int | None = None,
) -> bytes:
    """Build a frame; `length_bytes` chooses another form of the length than the shortest."""
    size = len(payload)
    if length_bytes is None:
        length_bytes = 0 if size < 126 else 2 if size < 65_536 else 8
    kind = {0: size, 2: 126, 8: 127}[length_bytes]
    head = bytes([(FIN if is_last else 0) | bits | opcode, (0x80 if mask else 0) | kind])
    if any(mask):
        payload = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    return head + (size.to_bytes(length_bytes) if length_bytes else b"") + mask + payload


def fragment(payload: bytes, count: int, mask: bytes, *between: bytes, bits: int = 0) -> bytes:
    """Build a message in so many fragments, with the frames `between` after each of them."""
    size = len(payload) // count + 1
    frames = b""
    for index in range(count):
        frames += build_frame(
            CONTINUATION if index else TEXT,
            payload[index * size : (index + 1) * size],
            is_last=index == count - 1,
            mask=mask,
            bits=0 if index else bits,
        )
        if index < count - 1:
            frames += b"".join(between)
    return frames


def iter_corpus(mask: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield names and frames that are allowed with permessage-deflate; `mask` is of a client."""
    for size in SIZES:
        yield f"text of {size}", build_frame(TEXT, b"x" * size, mask=mask)
        yield f"binary of {size}", build_frame(BINARY, bytes([254]) * size, mask=mask)
    for size in (0, 1, 125):
        yield f"ping of {size}", build_frame(PING, b"p" * size, mask=mask)
        yield f"pong of {size}", build_frame(PONG, b"q" * size, mask=mask)
    ping = build_frame(PING, b"in between", mask=mask)
    pong = build_frame(PONG, mask=mask)
    for count in (2, 3, 17):
        yield f"{count} fragments", fragment(b"y" * 1_000, count, mask)
        yield (
            f"{count} fragments with control frames",
            fragment(b"y" * 999, count, mask, ping, pong),
        )
    yield "empty fragments", fragment(b"", 5, mask)
    yield "one byte in each fragment", fragment(b"z" * 50, 50, mask, ping)
    for name, text in {
        "greek": "κόσμε".encode(),
        "four bytes": "\U0001f600".encode(),
        "invalid": b"\xce\xba\xe1\xbd\xb9\xcf\x83\xed\xa0\x80edited",
        "surrogate": b"\xed\xa0\x80",
        "overlong": b"\xc0\xaf",
        "truncated": b"\xf4\x90",
    }.items():
        yield f"utf-8 {name}", build_frame(TEXT, text, mask=mask)
        yield f"utf-8 {name} in fragments", fragment(text, len(text), mask)
    compressor = zlib.compressobj(wbits=-15)
    compressed = compressor.compress(b"compress me " * 99) + compressor.flush(zlib.Z_SYNC_FLUSH)
    yield "compressed", build_frame(TEXT, compressed[:-4], mask=mask, bits=RSV1)
    yield "compressed in fragments", fragment(compressed[:-4], 3, mask, ping, bits=RSV1)


def iter_violations(mask: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield names and frames that are never allowed without an extension."""
    for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
        yield f"opcode {opcode}", build_frame(opcode, b"x", mask=mask)
    for bits in (0x10, 0x20, 0x40, 0x70):
        yield f"reserved bits {bits:#x}", build_frame(TEXT, b"x", mask=mask, bits=bits)
    for opcode in (CLOSE, PING, PONG):
        yield f"long control frame {opcode}", build_frame(opcode, b"\x03\xe8" * 63, mask=mask)
        yield f"fragmented control {opcode}", build_frame(opcode, b"", is_last=False, mask=mask)
        yield f"control with RSV1 {opcode}", build_frame(opcode, b"", bits=RSV1, mask=mask)
    yield "half a close code", build_frame(CLOSE, b"\x03", mask=mask)
    for code in (1004, 1005, 1006, 1015):
        yield f"close code {code}", build_frame(CLOSE, code.to_bytes(2) + b"bye", mask=mask)
    yield "continuation of nothing", build_frame(CONTINUATION, b"x", mask=mask)
    first = build_frame(TEXT, b"x", is_last=False, mask=mask)
    yield "message within a message", first + build_frame(TEXT, b"y", mask=mask)
    yield "length of 5 in 2 bytes", build_frame(TEXT, b"12345", mask=mask, length_bytes=2)
    yield "length of 126 in 8 bytes", build_frame(TEXT, b"x" * 126, mask=mask, length_bytes=8)
    yield "length above 2^63", bytes([FIN | TEXT, 0xFF if mask else 0x7F]) + b"\xff" * 8 + mask
    yield "wrong masking", build_frame(TEXT, b"x", mask=b"" if mask else MASK)
