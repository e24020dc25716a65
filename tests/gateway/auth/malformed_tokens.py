"""Malformed tokens: texts that are almost, but not quite, a compact JWS with valid claims."""

from base64 import b64encode
from collections.abc import Callable

from tests.gateway.auth.token_factory import (
    encode_base64url,
    encode_json,
    get_signing_key,
    make_claims,
    make_token,
)

DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def _from_segments(change: Callable[[str, str, str], str]) -> Callable[[], str]:
    """Build a text from the three segments of a valid token."""
    return lambda: change(*make_token().split("."))


def _with_unused_bits(segment: int) -> Callable[[], str]:
    """Set the unused bits of the segment's last character: another text for the same bytes."""

    def token() -> str:
        for padding in range(9):
            key = get_signing_key("RS256")
            claims, header = {"x": "x" * padding}, {"x": "x" * padding}
            signature = key.sign(b"") + b"." if segment == 2 else None
            parts = make_token(claims, header, signature=signature).split(".")
            if len(parts[segment]) % 4:
                last = DIGITS.index(parts[segment][-1])
                parts[segment] = parts[segment][:-1] + DIGITS[last + 1]
                return ".".join(parts)
        raise AssertionError("no segment with unused bits")

    return token


def _with_standard_alphabet() -> str:
    """Encode the payload with + and / instead of - and _."""
    key = get_signing_key("RS256")
    header = encode_base64url(encode_json({"alg": "RS256", "kid": key.kid}))
    payload = (
        b64encode(encode_json(make_claims(x="???>>>" * 3, y=" ???>>>" * 3))).decode().rstrip("=")
    )
    assert {"+", "/"} <= set(payload)
    return f"{header}.{payload}.{encode_base64url(key.sign(f'{header}.{payload}'.encode()))}"


TOKENS: dict[str, Callable[[], str]] = {
    "one segment": _from_segments(lambda h, _p, _s: h),
    "two segments": _from_segments(lambda h, p, _s: f"{h}.{p}"),
    "four segments": _from_segments(lambda h, p, s: f"{h}.{p}.{s}.{s}"),
    "five segments, as a JWE has": _from_segments(lambda h, p, s: f"{h}.{p}.{s}.{p}.{s}"),
    "a dot before": _from_segments(lambda h, p, s: f".{h}.{p}.{s}"),
    "a dot after": _from_segments(lambda h, p, s: f"{h}.{p}.{s}."),
    "only dots": lambda: "..",
    "a thousand dots": lambda: "." * 1_000,
    "no header": _from_segments(lambda _h, p, s: f".{p}.{s}"),
    "no payload": _from_segments(lambda h, _p, s: f"{h}..{s}"),
    "no signature": _from_segments(lambda h, p, _s: f"{h}.{p}."),
    "padded header": _from_segments(lambda h, p, s: f"{h}=.{p}.{s}"),
    "padded payload": _from_segments(lambda h, p, s: f"{h}.{p}==.{s}"),
    "padded signature": _from_segments(lambda h, p, s: f"{h}.{p}.{s}=="),
    "space in the header": _from_segments(lambda h, p, s: f"{h[:5]} {h[5:]}.{p}.{s}"),
    "space in the payload": _from_segments(lambda h, p, s: f"{h}.{p[:5]} {p[5:]}.{s}"),
    "space in the signature": _from_segments(lambda h, p, s: f"{h}.{p}.{s[:5]} {s[5:]}"),
    "newline in the signature": _from_segments(lambda h, p, s: f"{h}.{p}.{s[:5]}\n{s[5:]}"),
    "newline at the end": _from_segments(lambda h, p, s: f"{h}.{p}.{s}\n"),
    "tab in the signature": _from_segments(lambda h, p, s: f"{h}.{p}.{s}\t"),
    "NUL in the signature": _from_segments(lambda h, p, s: f"{h}.{p}.{s}\0"),
    "invalid characters in the signature": _from_segments(
        lambda h, p, s: f"{h}.{p}.{s[:9]}!*${s[9:]}"
    ),
    "percent-encoded": _from_segments(lambda h, p, s: f"{h}%2E{p}%2E{s}"),
    "quoted": _from_segments(lambda h, p, s: f'"{h}.{p}.{s}"'),
    "two tokens, a comma between": _from_segments(lambda h, p, s: f"{h}.{p}.{s}, {h}.{p}.{s}"),
    "accented letters": _from_segments(lambda h, p, s: f"{h}.{p}.{s[:-1]}é"),
    "full-width letters": _from_segments(lambda h, p, s: f"{h}.{p}.{s[:-1]}Ａ"),  # noqa: RUF001
    "Arabic digits": _from_segments(lambda h, p, s: f"{h}.{p}.{s[:-1]}٣"),
    "plus and slash": _with_standard_alphabet,
    "unused bits set in the header": _with_unused_bits(0),
    "unused bits set in the payload": _with_unused_bits(1),
    "unused bits set in the signature": _with_unused_bits(2),
    "impossible base64 length": _from_segments(
        lambda h, p, s: f"{h}.{p}.{s}{'A' * (5 - len(s) % 4)}"
    ),
    "empty": lambda: "",
    "a word": lambda: "token",
    "a megabyte of one letter": lambda: "A" * 1_000_000,
    "a megabyte of payload": lambda: make_token({"x": "x" * 1_000_000}),
    "a megabyte of signature": lambda: make_token(signature=b"x" * 1_000_000),
    "longer than the limit": lambda: make_token({"x": "x" * 8_192}),
    "JSON serialization": lambda: encode_json({"payload": "e30", "signatures": []}).decode(),
    "a user name and password": lambda: "dTE6cGFzc3dvcmQ=",
}
