"""The content codings of responses, and their choice by `Accept-Encoding` (RFC 9110, 12.5.3).

The levels are small: JSON of 5 kB takes 15 to 30 microseconds and becomes a quarter as long. Higher
levels take several times as long to save a few percent more; see `docs/decisions/compression.md`.
"""

import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import brotli
import zstandard

MIN_BYTES = 1_024  # below, the response fits into one packet anyway
MAX_HEADER_BYTES = 1_024

_IDENTITY = "identity"
_ALIASES = {"x-gzip": "gzip"}  # RFC 9110, 8.4.1.3
_MEMBER = re.compile(
    r"[ \t]*([!#$%&'*+.^_`|~0-9a-z-]+)[ \t]*(?:;[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*)?"
)


@dataclass(frozen=True, slots=True)
class Encoder:
    """Encodes one body, piece by piece; `finish` returns the rest."""

    add: Callable[[bytes], bytes]
    finish: Callable[[], bytes]

    def encode(self, body: bytes) -> bytes:
        """Encode a whole body."""
        return self.add(body) + self.finish()


def _open_zstd() -> Encoder:
    compressor = zstandard.ZstdCompressor(level=3).compressobj()
    return Encoder(compressor.compress, compressor.flush)


def _open_brotli() -> Encoder:
    compressor = brotli.Compressor(quality=1)
    return Encoder(compressor.process, compressor.finish)


def _open_gzip() -> Encoder:
    compressor = zlib.compressobj(level=1, wbits=31)
    return Encoder(compressor.compress, compressor.flush)


CODINGS: Mapping[str, Callable[[], Encoder]] = {
    "zstd": _open_zstd,
    "br": _open_brotli,
    "gzip": _open_gzip,
}
"""The codings, the preferred one first: of two that a client wants equally, it is chosen."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The coding to use; None for none. `is_identity_refused` if the body must be encoded."""

    coding: str | None
    is_identity_refused: bool = False


NO_CODING = Choice(None)


def choose_coding(accept_encoding: bytes) -> Choice:
    """Choose the coding that a client wants most.

    A member that is malformed is ignored. If the client accepts nothing that the gateway has, or
    its field is too long, the response is sent without a coding, which RFC 9110 allows.
    """
    # Before the cache, which would otherwise hold whatever clients send.
    return NO_CODING if len(accept_encoding) > MAX_HEADER_BYTES else _choose(accept_encoding)


@lru_cache(maxsize=256)
def _choose(accept_encoding: bytes) -> Choice:
    wanted = dict(_read_members(accept_encoding.decode("latin-1").lower()))
    others = wanted.get("*", 0.0)
    weights = {coding: wanted.get(coding, others) for coding in CODINGS}
    best = max(weights, key=lambda coding: weights[coding])
    if weights[best] == 0 or wanted.get(_IDENTITY, 0.0) > weights[best]:
        return NO_CODING
    is_refused = _IDENTITY in wanted or "*" in wanted
    return Choice(best, is_refused and wanted.get(_IDENTITY, others) == 0)


@lru_cache(maxsize=32)
def encode_once(coding: str, content: bytes) -> bytes:
    """Encode a content that is sent many times; the result is kept."""
    return CODINGS[coding]().encode(content)


def _read_members(text: str) -> Iterator[tuple[str, float]]:
    for member in text.split(","):
        if match := _MEMBER.fullmatch(member):
            coding, weight = match.groups()
            yield _ALIASES.get(coding, coding), 1.0 if weight is None else float(weight)
