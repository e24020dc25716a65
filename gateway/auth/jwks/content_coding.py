"""Decodes the content codings of a document (RFC 9110, section 8.4.1) within a bound."""

import io
import zlib
from collections.abc import Callable, Mapping

import brotli
import zstandard

_MAX_CODINGS = 2


def decode_content(body: bytes, content_encoding: str, max_bytes: int) -> bytes:
    """Decode a complete body that has the codings of the header field `Content-Encoding`.

    No step produces more than `max_bytes` plus one buffer of the decoder, whatever the body is.

    Raises:
        ValueError: unknown coding, more than `max_bytes` bytes, or corrupt or incomplete content.
    """
    codings = [coding.strip().lower() for coding in content_encoding.split(",")]
    codings = [coding for coding in codings if coding not in {"", "identity"}]
    if len(codings) > _MAX_CODINGS:
        raise ValueError(f"more than {_MAX_CODINGS} content codings: {len(codings)}")
    for coding in reversed(codings):
        decode = _DECODERS.get(coding)
        if decode is None:
            raise ValueError(f"unknown content coding {coding[:40]!r}")
        try:
            body = decode(body, max_bytes)
        except (zlib.error, brotli.error, zstandard.ZstdError, EOFError) as error:
            raise ValueError(f"not valid {coding}: {error}") from None
        if len(body) > max_bytes:
            raise ValueError(f"document of more than {max_bytes} bytes after decoding {coding}")
    return body


def _decode_gzip(body: bytes, max_bytes: int) -> bytes:
    """Decode one or more members (RFC 1952, section 2.2)."""
    decoded = bytearray()
    while body and len(decoded) <= max_bytes:
        decoder = zlib.decompressobj(16 + zlib.MAX_WBITS)
        decoded += decoder.decompress(body, max_bytes + 1 - len(decoded))
        if not decoder.eof and len(decoded) <= max_bytes:
            raise EOFError("incomplete")
        body = decoder.unused_data
    return bytes(decoded)


def _decode_deflate(body: bytes, max_bytes: int) -> bytes:
    """Decode zlib's format (RFC 9110, section 8.4.1.2), or the raw one that some servers send."""
    has_header = len(body) > 1 and body[0] & 0x0F == 8 and int.from_bytes(body[:2]) % 31 == 0
    decoder = zlib.decompressobj(zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)
    decoded = decoder.decompress(body, max_bytes + 1)
    if not decoder.eof and len(decoded) <= max_bytes:
        raise EOFError("incomplete")
    return decoded


def _decode_brotli(body: bytes, max_bytes: int) -> bytes:
    decoder = brotli.Decompressor()
    decoded = decoder.process(body, output_buffer_limit=max_bytes + 1)
    if not decoder.is_finished() and len(decoded) <= max_bytes:
        raise EOFError("incomplete")
    return bytes(decoded)


def _decode_zstd(body: bytes, max_bytes: int) -> bytes:
    """Decode one or more frames; an incomplete one yields what there is.

    The window is 8 MiB at most, as RFC 9659 requires of HTTP.
    """
    decoder = zstandard.ZstdDecompressor(max_window_size=8_388_608)
    with decoder.stream_reader(io.BytesIO(body), read_across_frames=True) as reader:
        return reader.read(max_bytes + 1)


_DECODERS: Mapping[str, Callable[[bytes, int], bytes]] = {
    "gzip": _decode_gzip,
    "x-gzip": _decode_gzip,
    "deflate": _decode_deflate,
    "br": _decode_brotli,
    "zstd": _decode_zstd,
}
