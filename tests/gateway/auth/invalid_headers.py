"""Hostile tokens: protected headers that say too little, too much, or something else."""

from collections.abc import Callable
from typing import Any

from tests.gateway.auth.token_factory import encode_json, get_signing_key, make_token

Token = Callable[[], str]

_NESTED = b'{"alg":"RS256","kid":"rs256","x":%s1%s}'


def _header(header: dict[str, Any] | bytes) -> Token:
    return lambda: make_token(header=header)


def _stranger(header: dict[str, Any]) -> Token:
    """Signed by a key of the attacker, which the header offers."""
    key = get_signing_key("RS256", name="stranger")
    return lambda: make_token(header={**header}, key=key)


def _offering_jwk() -> str:
    key = get_signing_key("RS256", name="stranger")
    return make_token(header={"jwk": key.jwk()}, key=key)


def _nested(opening: bytes, closing: bytes, depth: int) -> Token:
    return _header(_NESTED % (opening * depth, closing * depth))


ALGORITHMS: dict[str, Token] = {
    f"alg {alg!r}": _header({"alg": alg})
    for alg in (
        "none", "None", "NONE", "nOnE", "none ", "", "rs256", "RS256 ", "RS1", "RSA-OAEP", "dir",
        "ES256K", "Ed448", "HS256", "A128KW", "RS256\0", None, True, 256, ["RS256"], {"RS256": 1},
    )
}  # fmt: skip

KEY_IDS: dict[str, Token] = {
    f"kid {str(kid)[:40]!r}": _header({"kid": kid})
    for kid in (
        "", "unknown", "RS256", "rs256 ", "../../../../dev/null", "/dev/null", "rs256\0",
        "' OR 1=1 --", "$(id)", "${jndi:ldap://x}", "http://127.0.0.1/keys", "k" * 257, "k" * 4_000,
        None, 0, True, 1.5, ["rs256"], {"rs256": 1}, "\ud800",
    )
}  # fmt: skip

TYPES: dict[str, Token] = {
    f"typ {typ!r}": _header({"typ": typ})
    for typ in (
        "", "JWE", "JOSE", "dpop+jwt", "logout+jwt", "secevent+jwt", "application/", "text/jwt",
        "application/application/jwt", "jwt ", "id_token", None, 1, True, ["JWT"], {"JWT": 1},
    )
}  # fmt: skip

TOKENS: dict[str, Token] = {
    **ALGORITHMS,
    **KEY_IDS,
    **TYPES,
    "no alg": _header({"alg": ...}),
    "no kid": _header({"kid": ...}),
    "crit, empty": _header({"crit": []}),
    "crit exp": _header({"crit": ["exp"], "exp": 1}),
    "crit of something unknown": _header({"crit": ["x"], "x": 1}),
    "crit null": _header({"crit": None}),
    "b64 false": _header({"b64": False, "crit": ["b64"]}),
    "b64 true": _header({"b64": True}),
    "zip": _header({"zip": "DEF"}),
    "cty JWT": _header({"cty": "JWT"}),
    "jwk of the attacker": _offering_jwk,
    "jku of the attacker": _stranger({"jku": "http://127.0.0.1:1/keys"}),
    "x5u of the attacker": _stranger({"x5u": "http://127.0.0.1:1/cert"}),
    "x5c of the attacker": _stranger({"x5c": ["MIIB"]}),
    "x5t of the attacker": _stranger({"x5t": "c2hhMQ"}),
    "alg named twice": _header(b'{"alg":"none","alg":"RS256","kid":"rs256"}'),
    "kid named twice": _header(b'{"alg":"RS256","kid":"other","kid":"rs256"}'),
    "alg named twice, once escaped": _header(b'{"alg":"none","\\u0061lg":"RS256","kid":"rs256"}'),
    "a member of a member named twice": _header(b'{"alg":"RS256","kid":"rs256","x":{"a":1,"a":2}}'),
    "a list": _header(b'["RS256"]'),
    "a string": _header(b'"RS256"'),
    "a number": _header(b"1"),
    "null": _header(b"null"),
    "an empty object": _header(b"{}"),
    "cut off": _header(b'{"alg":"RS256","kid":"rs256"'),
    "two objects": _header(b'{"alg":"RS256","kid":"rs256"}{}'),
    "single quotes": _header(b"{'alg':'RS256','kid':'rs256'}"),
    "a comment": _header(b'{"alg":"RS256",/* */"kid":"rs256"}'),
    "a trailing comma": _header(b'{"alg":"RS256","kid":"rs256",}'),
    "a byte order mark": _header(b"\xef\xbb\xbf" + encode_json({"alg": "RS256", "kid": "rs256"})),
    "not UTF-8": _header(b'{"alg":"RS256","kid":"rs256","x":"\xff"}'),
    "UTF-16": _header('{"alg":"RS256","kid":"rs256"}'.encode("utf-16")),
    "an overlong UTF-8 sequence": _header(b'{"alg":"RS256","kid":"rs256","x":"\xc0\xaf"}'),
    "a control character": _header(b'{"alg":"RS256","kid":"rs256","x":"\n"}'),
    "a lone surrogate": _header(b'{"alg":"RS256","kid":"rs256","x":"\\ud800"}'),
    "NaN": _header(b'{"alg":"RS256","kid":"rs256","x":NaN}'),
    "33 deep": _nested(b"[", b"]", 32),
    "lists as deep as fit": _nested(b"[", b"]", 2_500),
    "objects as deep as fit": _nested(b'{"":', b"}", 1_000),
    "lists that never close": _header(b"[" * 5_000),
    "objects that never close": _header(b'{"a":' * 1_000),
    "a string that never closes": _header(b'{"' + b"[" * 40 + b'\\"' * 2_400),
    "an integer of 3,000 digits": _header(b'{"alg":"RS256","kid":"rs256","x":%s}' % (b"9" * 3_000)),
}
