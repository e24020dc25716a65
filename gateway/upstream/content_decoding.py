"""Content codings of responses (RFC 9110, 8.4.1), decoded piece by piece within a bound.

A few kilobytes can stand for gigabytes (a decompression bomb). No decoder here produces more than
a few megabytes at once, and each layer of codings counts against the bound on its own, so that the
cost is at most that of a valid body of the permitted size.
"""

import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import brotli
import zstandard

MAX_CODINGS = 3
MAX_MEMBERS = 10_000

_PIECE_BYTES = 65_536
_INPUT_BYTES = 8_192
# A block of 4 bytes can stand for 128 KiB, and `zstandard` cannot bound the output of a call.
_ZSTD_INPUT_BYTES = 128
_MAX_WINDOW_BYTES = 2**23  # RFC 9659
_IDENTITY = frozenset({"", "identity", "none", "utf-8"})  # the last two are common mistakes
_MAX_SHOWN = 40


class NotDecodable(Exception):
    """The body is not of the requested type; the message never quotes the body."""


class _Decoder(Protocol):
    """Decodes one coding."""

    is_complete: bool

    def decode(self, data: bytes) -> Iterator[bytes]:
        """Decode the next bytes; each piece of the result has a bounded size."""


class _ZlibDecoder:
    """Decodes gzip with one or more members (RFC 1952), or deflate: zlib (RFC 1950) or raw."""

    def __init__(self, *, is_gzip: bool) -> None:
        self.is_complete = False
        self._is_gzip = is_gzip
        self._member_count = 0
        self._start = b""
        self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 16) if is_gzip else None

    def decode(self, data: bytes) -> Iterator[bytes]:
        if self._inflate is None:
            data = self._start = self._start + data
            if len(data) < 2:
                return
            self._inflate = zlib.decompressobj(zlib.MAX_WBITS * (1 if _is_zlib(data) else -1))
        for start in range(0, len(data), _INPUT_BYTES):
            yield from self._decode_slice(self._inflate, data[start : start + _INPUT_BYTES])

    def _decode_slice(self, inflate: "zlib._Decompress", data: bytes) -> Iterator[bytes]:
        while data:
            if self.is_complete:
                if not data.strip(b"\0"):
                    return  # padding
                inflate = self._begin_member()
            while data or inflate.unconsumed_tail:
                piece = inflate.decompress(data, _PIECE_BYTES)
                data = inflate.unconsumed_tail
                yield piece
                if inflate.eof or not (piece or data):
                    break
            self.is_complete, data = inflate.eof, inflate.unused_data

    def _begin_member(self) -> "zlib._Decompress":
        self._member_count += 1
        if not self._is_gzip or self._member_count > MAX_MEMBERS:
            raise zlib.error("data after the end")
        self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
        return self._inflate


class _BrotliDecoder:
    """Decodes Brotli (RFC 7932)."""

    def __init__(self) -> None:
        self.is_complete = False
        self._decompressor = brotli.Decompressor()

    def decode(self, data: bytes) -> Iterator[bytes]:
        decompressor = self._decompressor
        yield decompressor.process(data, output_buffer_limit=_PIECE_BYTES)
        while not decompressor.can_accept_more_data():
            yield decompressor.process(b"", output_buffer_limit=_PIECE_BYTES)
        self.is_complete = decompressor.is_finished()


class _ZstdDecoder:
    """Decodes Zstandard (RFC 8878), one frame or more, with a window of 8 MiB at most."""

    def __init__(self) -> None:
        self.is_complete = False
        self._frame_count = 0
        self._begin_frame()

    def _begin_frame(self) -> None:
        self._frame_count += 1
        if self._frame_count > MAX_MEMBERS:
            raise zstandard.ZstdError("data after the end")
        decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES)
        self._frame = decompressor.decompressobj()

    def decode(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), _ZSTD_INPUT_BYTES):
            rest = data[start : start + _ZSTD_INPUT_BYTES]
            while rest:
                if self.is_complete:
                    self._begin_frame()
                yield self._frame.decompress(rest)
                self.is_complete, rest = self._frame.eof, self._frame.unused_data


_DECODERS: dict[str, Callable[[], _Decoder]] = {
    "gzip": lambda: _ZlibDecoder(is_gzip=True),
    "x-gzip": lambda: _ZlibDecoder(is_gzip=True),
    "deflate": lambda: _ZlibDecoder(is_gzip=False),
    "br": _BrotliDecoder,
    "zstd": _ZstdDecoder,
}
_ERRORS = (zlib.error, brotli.error, zstandard.ZstdError, EOFError)


class ContentDecoder:
    """Decodes a body whose codings are `codings`, the value of its `Content-Encoding`.

    No layer may have more than `max_bytes`; None sets no bound, for a body that is streamed.

    Raises:
        NotDecodable: a coding is unknown, or there are more than `MAX_CODINGS`.
    """

    def __init__(self, codings: str, max_bytes: int | None) -> None:
        names = [name.strip().lower() for name in codings.split(",")]
        names = [name for name in names if name not in _IDENTITY]
        for name in names:
            if name not in _DECODERS:
                raise NotDecodable(f"the content coding {name[:_MAX_SHOWN]!a} is unknown")
        if len(names) > MAX_CODINGS:
            raise NotDecodable(f"the body has more than {MAX_CODINGS} content codings")
        self._decoders = [_DECODERS[name]() for name in reversed(names)]
        self._sizes = [0] * len(self._decoders)
        self._max_bytes = max_bytes
        self._is_empty = True
        self._name = ", ".join(names)

    def decode(self, data: bytes) -> Iterator[bytes]:
        """Decode the next bytes; pieces may be empty.

        Raises:
            NotDecodable: they are corrupt, or a layer exceeds its bound.
        """
        self._is_empty = self._is_empty and not data
        if not data:
            return
        try:
            yield from self._decode_layer(0, data)
        except _ERRORS:
            raise NotDecodable(f"the body is not valid {self._name}") from None

    def finish(self) -> None:
        """Check that the body is complete; an empty body has no coding.

        Raises:
            NotDecodable: it is cut off.
        """
        if not self._is_empty and not all(decoder.is_complete for decoder in self._decoders):
            raise NotDecodable(f"the {self._name} body is cut off")

    def _decode_layer(self, layer: int, data: bytes) -> Iterator[bytes]:
        if layer == len(self._decoders):
            yield data
            return
        for piece in self._decoders[layer].decode(data):
            self._sizes[layer] += len(piece)
            if self._max_bytes is not None and self._sizes[layer] > self._max_bytes:
                raise NotDecodable(f"the body is larger than {self._max_bytes} bytes")
            yield from self._decode_layer(layer + 1, piece)


def decode_content(codings: str, body: bytes, max_bytes: int) -> bytes:
    """Decode a whole body; with `codings` "" return it as it is.

    Raises:
        NotDecodable: it is corrupt or cut off, or one of its layers is larger than `max_bytes`.
    """
    if not codings:
        return body
    decoder = ContentDecoder(codings, max_bytes)
    decoded = b"".join(decoder.decode(body))
    decoder.finish()
    return decoded


def _is_zlib(start: Sequence[int]) -> bool:
    """Whether a deflate body has a zlib header (RFC 1950, 2.2); some servers send none."""
    return start[0] & 0x0F == 8 and (start[0] << 8 | start[1]) % 31 == 0
