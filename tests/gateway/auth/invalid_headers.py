"""Invalid tokens: protected headers with missing, unsupported or malformed parameters."""

from collections.abc import Callable
from typing import Any

from tests.gateway.auth.token_factory import encode_json, get_signing_key, make_token

Token = Callable[[], str]

_NESTED = b'{"alg":"RS256","kid":"rs256","x":%s1%s}'


def _with_header(header: dict[str, Any] | bytes) -> Token:
    return lambda: make_token(header=header)


def _signed_by_attacker(header: dict[str, Any]) -> Token:
    """Sign with the attacker's key, which the header offers."""
    key = get_signing_key("RS256", name="attacker")
    return lambda: make_token(header={**header}, key=key)


def _offer_attackers_jwk() -> str:
    key = get_signing_key("RS256", name="attacker")
    return make_token(header={"jwk": key.jwk()}, key=key)


def _with_nesting(opening: bytes, closing: bytes, depth: int) -> Token:
    return _with_header(_NESTED % (opening * depth, closing * depth))


ALGORITHMS: dict[str, Token] = {
    f"alg {alg!r}": _with_header({"alg": alg})
    for alg in (
        "none", "None", "NONE", "nOnE", "none ", "", "rs256", "RS256 ", "RS1", "RSA-OAEP", "dir",
        "ES256K", "Ed448", "HS256", "A128KW", "RS256\0", None, True, 256, ["RS256"], {"RS256": 1},
    )
}  # fmt: skip

KEY_IDS: dict[str, Token] = {
    f"kid {str(kid)[:40]!r}": _with_header({"kid": kid})
    for kid in (
        "", "unknown", "RS256", "rs256 ", "../../../../dev/null", "/dev/null", "rs256\0",
        "' OR 1=1 --", "$(id)", "${jndi:ldap://x}", "http://127.0.0.1/keys", "k" * 257, "k" * 4_000,
        None, 0, True, 1.5, ["rs256"], {"rs256": 1}, "\ud800",
    )
}  # fmt: skip

TYPES: dict[str, Token] = {
    f"typ {typ!r}": _with_header({"typ": typ})
    for typ in (
        "", "JWE", "JOSE", "dpop+jwt", "logout+jwt", "secevent+jwt", "application/", "text/jwt",
        "application/application/jwt", "jwt ", "id_token", None, 1, True, ["JWT"], {"JWT": 1},
    )
}  # fmt: skip

TOKENS: dict[str, Token] = {
    **ALGORITHMS,
    **KEY_IDS,
    **TYPES,
    "no alg": _with_header({"alg": ...}),
    "crit, empty": _with_header({"crit": []}),
    "crit exp": _with_header({"crit": ["exp"], "exp": 1}),
    "crit with an unknown parameter": _with_header({"crit": ["x"], "x": 1}),
    "crit null": _with_header({"crit": None}),
    "b64 false": _with_header({"b64": False, "crit": ["b64"]}),
    "b64 true": _with_header({"b64": True}),
    "zip": _with_header({"zip": "DEF"}),
    "cty JWT": _with_header({"cty": "JWT"}),
    "jwk of the attacker": _offer_attackers_jwk,
    "jku of the attacker": _signed_by_attacker({"jku": "http://127.0.0.1:1/keys"}),
    "x5u of the attacker": _signed_by_attacker({"x5u": "http://127.0.0.1:1/cert"}),
    "x5c of the attacker": _signed_by_attacker({"x5c": ["MIIB"]}),
    "x5t of the attacker": _signed_by_attacker({"x5t": "c2hhMQ"}),
    "alg twice": _with_header(b'{"alg":"none","alg":"RS256","kid":"rs256"}'),
    "kid twice": _with_header(b'{"alg":"RS256","kid":"other","kid":"rs256"}'),
    "alg twice, once escaped": _with_header(b'{"alg":"none","\\u0061lg":"RS256","kid":"rs256"}'),
    "a member of a member twice": _with_header(b'{"alg":"RS256","kid":"rs256","x":{"a":1,"a":2}}'),
    "a list": _with_header(b'["RS256"]'),
    "a string": _with_header(b'"RS256"'),
    "a number": _with_header(b"1"),
    "null": _with_header(b"null"),
    "an empty object": _with_header(b"{}"),
    "truncated": _with_header(b'{"alg":"RS256","kid":"rs256"'),
    "two objects": _with_header(b'{"alg":"RS256","kid":"rs256"}{}'),
    "single quotes": _with_header(b"{'alg':'RS256','kid':'rs256'}"),
    "a comment": _with_header(b'{"alg":"RS256",/* */"kid":"rs256"}'),
    "a trailing comma": _with_header(b'{"alg":"RS256","kid":"rs256",}'),
    "a byte order mark": _with_header(
        b"\xef\xbb\xbf" + encode_json({"alg": "RS256", "kid": "rs256"})
    ),
    "not UTF-8": _with_header(b'{"alg":"RS256","kid":"rs256","x":"\xff"}'),
    "UTF-16": _with_header('{"alg":"RS256","kid":"rs256"}'.encode("utf-16")),
    "an overlong UTF-8 sequence": _with_header(b'{"alg":"RS256","kid":"rs256","x":"\xc0\xaf"}'),
    "a control character": _with_header(b'{"alg":"RS256","kid":"rs256","x":"\n"}'),
    "a lone surrogate": _with_header(b'{"alg":"RS256","kid":"rs256","x":"\\ud800"}'),
    "NaN": _with_header(b'{"alg":"RS256","kid":"rs256","x":NaN}'),
    "33 deep": _with_nesting(b"[", b"]", 32),
    "lists as deep as the size limit allows": _with_nesting(b"[", b"]", 2_500),
    "objects as deep as the size limit allows": _with_nesting(b'{"":', b"}", 1_000),
    "unclosed lists": _with_header(b"[" * 5_000),
    "unclosed objects": _with_header(b'{"a":' * 1_000),
    "an unclosed string": _with_header(b'{"' + b"[" * 40 + b'\\"' * 2_400),
    "an integer of 3,000 digits": _with_header(
        b'{"alg":"RS256","kid":"rs256","x":%s}' % (b"9" * 3_000)
    ),
}
