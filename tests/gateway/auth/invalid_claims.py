"""Invalid tokens with a valid signature: claims missing, mistyped, for others, or out of time."""

import time
from collections.abc import Callable
from typing import Any

from tests.gateway.auth.token_factory import encode_json, make_claims, make_token

Token = Callable[[], str]

SKEW = 5


def _with_claims(**changes: Any) -> Token:
    return lambda: make_token(changes)


def _with_date(claim: str, seconds: float) -> Token:
    """Set a date relative to the time when the token is made."""
    return lambda: make_token({claim: time.time() + seconds})


def _with_raw_value(claim: str, value: str) -> Token:
    """Set a claim to raw JSON that Python would not produce."""
    members = encode_json(make_claims(**{claim: ...}))
    return lambda: make_token(members[:-1] + f',"{claim}":{value}}}'.encode())


def _with_duplicate(claim: str, first: object) -> Token:
    return lambda: make_token(
        b'{"%s":%s,' % (claim.encode(), encode_json(first)) + encode_json(make_claims())[1:]
    )


def _with_nesting(opening: str, closing: str, depth: int) -> Token:
    return _with_raw_value("x", opening * depth + "1" + closing * depth)


MISSING: dict[str, Token] = {
    f"no {claim}": _with_claims(**{claim: ...}) for claim in ("iss", "aud", "sub", "exp")
}

MISTYPED: dict[str, Token] = {
    f"{claim} {str(value)[:40]!r}": _with_claims(**{claim: value})
    for claim, values in {
        "iss": ("", None, True, 1, ["https://id.example.test"], {"a": 1}),
        "aud": ("", None, True, 1, [], {"gateway": 1}, ["gateway", 1], [["gateway"]], [None]),
        "sub": ("", None, True, 1.5, ["u1"], {"u1": 1}, "u" * 256, "u1\n", "u1\0", "\u202eu1"),
        "exp": (None, True, "", "4000000000", [4_000_000_000], {"a": 1}, 0, -1, -1e300, False),
        "nbf": (True, "0", [0], {"a": 0}, -1, 1e300),
        "iat": (1e300,),
    }.items()
    for value in values
}

TOKENS: dict[str, Token] = {
    **MISSING,
    **MISTYPED,
    "wrong issuer": _with_claims(iss="https://id.example.org"),
    "issuer with an extra slash": _with_claims(iss="https://id.example.test/"),
    "issuer in upper case": _with_claims(iss="HTTPS://ID.EXAMPLE.TEST"),
    "wrong audience": _with_claims(aud="other"),
    "wrong audiences": _with_claims(aud=["other", "another"]),
    "audience with the expected one as a prefix": _with_claims(aud="gateway2"),
    "audience as a list of letters": _with_claims(aud=list("gateway")),
    "expired long ago": _with_date("exp", -86_400),
    "expired just now": _with_date("exp", -SKEW - 0.01),
    "not valid yet": _with_date("nbf", 60),
    "issued tomorrow": _with_date("iat", 86_400),
    "issued in 2100": _with_claims(iat=4_102_444_800),
    "exp after the year 10000": _with_claims(exp=10**15),
    "exp NaN": _with_raw_value("exp", "NaN"),
    "exp Infinity": _with_raw_value("exp", "Infinity"),
    "exp -Infinity": _with_raw_value("exp", "-Infinity"),
    "exp 1e400": _with_raw_value("exp", "1e400"),
    "exp of 400 digits": _with_raw_value("exp", "9" * 400),
    "exp of 5,000 digits": _with_raw_value("exp", "9" * 5_000),
    "exp in hexadecimal": _with_raw_value("exp", "0xFFFFFFFF"),
    "exp with a leading zero": _with_raw_value("exp", "04000000000"),
    "exp with a plus": _with_raw_value("exp", "+4000000000"),
    "nbf NaN": _with_raw_value("nbf", "NaN"),
    "iat 1e400": _with_raw_value("iat", "1e400"),
    "sub with a lone surrogate": _with_raw_value("sub", '"\\ud800"'),
    "unused claim with a lone surrogate": _with_raw_value("x", '[{"y":"\\uDFFF"}]'),
    "member name with a lone surrogate": _with_raw_value("x", '{"\\udbff":1}'),
    "exp twice": _with_duplicate("exp", 1),
    "sub twice": _with_duplicate("sub", "admin"),
    "aud twice": _with_duplicate("aud", "other"),
    "scope twice": _with_duplicate("scope", "admin"),
    "a payload that is a list": lambda: make_token(b"[1]"),
    "a payload that is a string": lambda: make_token(b'"u1"'),
    "a payload that is null": lambda: make_token(b"null"),
    "a payload of plain text": lambda: make_token(b"Example of Ed25519 signing"),
    "an empty payload": lambda: make_token(b"{}"),
    "a payload of spaces": lambda: make_token(b"   "),
    "a payload of zeros": lambda: make_token(b"\0" * 64),
    "a payload that is not UTF-8": lambda: make_token(b'{"\xff":1}'),
    "a truncated payload": lambda: make_token(encode_json(make_claims())[:-1]),
    "a token in a token": lambda: make_token(make_token().encode()),
    "payload: 33 deep": _with_nesting("[", "]", 32),
    "payload: lists as deep as the size limit allows": _with_nesting("[", "]", 2_400),
    "payload: unclosed lists": lambda: make_token(b"[" * 5_000),
    "payload: unclosed objects": lambda: make_token(b'{"a":' * 1_000),
}
