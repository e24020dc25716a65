"""Hostile tokens: well signed, but what they claim is missing, mistyped, elsewhere or otherwhen."""

import time
from collections.abc import Callable
from typing import Any

from tests.gateway.auth.token_factory import encode_json, make_claims, make_token

Token = Callable[[], str]

SKEW = 5


def _claims(**changes: Any) -> Token:
    return lambda: make_token(changes)


def _at(claim: str, seconds: float) -> Token:
    """A date so many seconds from the moment the token is made."""
    return lambda: make_token({claim: time.time() + seconds})


def _raw(claim: str, value: str) -> Token:
    """A value that Python would not write."""
    members = encode_json(make_claims(**{claim: ...}))
    return lambda: make_token(members[:-1] + f',"{claim}":{value}}}'.encode())


def _repeated(claim: str, first: object) -> Token:
    return lambda: make_token(
        b'{"%s":%s,' % (claim.encode(), encode_json(first)) + encode_json(make_claims())[1:]
    )


def _nested(opening: str, closing: str, depth: int) -> Token:
    return _raw("x", opening * depth + "1" + closing * depth)


MISSING: dict[str, Token] = {
    f"no {claim}": _claims(**{claim: ...}) for claim in ("iss", "aud", "sub", "exp")
}

MISTYPED: dict[str, Token] = {
    f"{claim} {str(value)[:40]!r}": _claims(**{claim: value})
    for claim, values in {
        "iss": ("", None, True, 1, ["https://id.example.test"], {"a": 1}),
        "aud": ("", None, True, 1, [], {"gateway": 1}, ["gateway", 1], [["gateway"]], [None]),
        "sub": ("", None, True, 1, 1.5, ["u1"], {"u1": 1}, "u" * 256, "u1\n", "u1\0", "\u202eu1"),
        "exp": (None, True, "", "4000000000", [4_000_000_000], {"a": 1}, 0, -1, -1e300, False),
        "nbf": (None, True, "0", [0], {"a": 0}, -1, 1e300),
        "iat": (None, True, "0", [0], {"a": 0}, -1, 1e300),
        "scope": (None, True, 1, {"dashboard:read": 1}, [1], [["dashboard:read"]], ["a b"], 'a"b'),
        "client_id": (None, True, 1, ["x"], {"x": 1}, "", "x\r\ny"),
        "tenant": (None, True, 1, ["x"], {"x": 1}, "", "t" * 256),
    }.items()
    for value in values
}

TOKENS: dict[str, Token] = {
    **MISSING,
    **MISTYPED,
    "another issuer": _claims(iss="https://id.example.org"),
    "an issuer with a slash more": _claims(iss="https://id.example.test/"),
    "an issuer in capitals": _claims(iss="HTTPS://ID.EXAMPLE.TEST"),
    "another audience": _claims(aud="other"),
    "other audiences": _claims(aud=["other", "another"]),
    "an audience that contains ours": _claims(aud="gateway2"),
    "an audience of letters of ours": _claims(aud=list("gateway")),
    "scp of the wrong type": _claims(scope=..., scp={"dashboard:read": 1}),
    "expired long ago": _at("exp", -86_400),
    "expired just now": _at("exp", -SKEW - 0.01),
    "not valid yet": _at("nbf", 60),
    "issued tomorrow": _at("iat", 86_400),
    "issued in 2100": _claims(iat=4_102_444_800),
    "exp far beyond any date": _claims(exp=10**15),
    "exp NaN": _raw("exp", "NaN"),
    "exp Infinity": _raw("exp", "Infinity"),
    "exp -Infinity": _raw("exp", "-Infinity"),
    "exp 1e400": _raw("exp", "1e400"),
    "exp of 400 digits": _raw("exp", "9" * 400),
    "exp of 5,000 digits": _raw("exp", "9" * 5_000),
    "exp in hexadecimal": _raw("exp", "0xFFFFFFFF"),
    "exp with a leading zero": _raw("exp", "04000000000"),
    "exp with a plus": _raw("exp", "+4000000000"),
    "nbf NaN": _raw("nbf", "NaN"),
    "iat 1e400": _raw("iat", "1e400"),
    "sub a lone surrogate": _raw("sub", '"\\ud800"'),
    "anything a lone surrogate": _raw("x", '[{"y":"\\uDFFF"}]'),
    "a name that is a lone surrogate": _raw("x", '{"\\udbff":1}'),
    "exp named twice": _repeated("exp", 1),
    "sub named twice": _repeated("sub", "admin"),
    "aud named twice": _repeated("aud", "other"),
    "scope named twice": _repeated("scope", "admin"),
    "a payload that is a list": lambda: make_token(b"[1]"),
    "a payload that is a string": lambda: make_token(b'"u1"'),
    "a payload that is null": lambda: make_token(b"null"),
    "a payload that is text": lambda: make_token(b"Example of Ed25519 signing"),
    "a payload of nothing": lambda: make_token(b"{}"),
    "a payload of spaces": lambda: make_token(b"   "),
    "a payload of zeros": lambda: make_token(b"\0" * 64),
    "a payload that is not UTF-8": lambda: make_token(b'{"\xff":1}'),
    "a payload cut off": lambda: make_token(encode_json(make_claims())[:-1]),
    "a token in a token": lambda: make_token(make_token().encode()),
    "payload: 33 deep": _nested("[", "]", 32),
    "payload: lists as deep as fit": _nested("[", "]", 2_400),
    "payload: lists that never close": lambda: make_token(b"[" * 5_000),
    "payload: objects that never close": lambda: make_token(b'{"a":' * 1_000),
}
