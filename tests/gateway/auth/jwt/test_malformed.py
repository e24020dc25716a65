"""The log says what is wrong with a text that is not a token, without a quote from it."""

import pytest

from gateway.auth.jwt.jws import parse_jws
from gateway.auth.jwt.malformed import explain_credentials
from gateway.errors.tree import Unauthenticated
from tests.gateway.auth.token_factory import encode_base64url, encode_json, make_token

HEADER, PAYLOAD, SIGNATURE = make_token().split(".")
NONE = encode_base64url(encode_json({"alg": "none"}))


DUPLICATE = b'{"sub":"u1","sub":"u2"}'


def _encode(text: bytes) -> str:
    return encode_base64url(text)


@pytest.mark.parametrize(
    ("token", "explanation"),
    [
        (f"{NONE}.{PAYLOAD}.", "the signature is empty"),
        (f"{HEADER}.{PAYLOAD}.", "the signature is empty"),
        (f"{HEADER}..{SIGNATURE}", "the payload is empty"),
        (f".{PAYLOAD}.{SIGNATURE}", "the header is empty"),
        (f"{HEADER}.{PAYLOAD}.a.b", "it has 4 segments separated by dots; a signed JWT has 3"),
        # An Application Load Balancer of AWS pads its tokens.
        (
            f"{HEADER}.{PAYLOAD}.{SIGNATURE}==",
            "the signature has padding (=), which a JWT must not have (RFC 7515, section 2)",
        ),
        (
            f"{HEADER}=.{PAYLOAD}.{SIGNATURE}",
            "the header has padding (=), which a JWT must not have (RFC 7515, section 2)",
        ),
        (
            f"{HEADER}.a+b/.{SIGNATURE}",
            "the payload is encoded in base64, not base64url: it has + or /",
        ),
        (f"{HEADER}.{PAYLOAD}.a~", "the signature is not base64url"),
        (f"{HEADER}.{_encode(b'{')}.{SIGNATURE}", "the payload is not JSON"),
        (f"{HEADER}.{_encode(bytes([255]))}.{SIGNATURE}", "the payload is not JSON"),
        (f"{HEADER}.{_encode(b'[]')}.{SIGNATURE}", "the payload is refused: not a JSON object"),
        (
            f"{HEADER}.{_encode(DUPLICATE)}.{SIGNATURE}",
            "the payload is refused: duplicate member name",
        ),
        (
            _encode(b'{"alg":"RS256","kid":1}') + f".{PAYLOAD}.{SIGNATURE}",
            "kid is 1; it must be a string of 1 to 256 characters",
        ),
        (
            _encode(b'{"alg":["RS256"]}') + f".{PAYLOAD}.{SIGNATURE}",
            'alg is ["RS256"]; it must be a string',
        ),
    ],
)
def test_a_token(token: str, explanation: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        parse_jws(token)
    assert refused.value.explanation == explanation


@pytest.mark.parametrize(
    ("credentials", "explanation"),
    [
        (b"", "there is no token after Bearer"),
        (b"==", "there is no token after Bearer"),
        (b"Bearer a.b.c", "it has the scheme Bearer twice"),
        (b"bearer a.b.c", "it has the scheme Bearer twice"),
        (b'"a.b.c"', "the token is in quotes"),
        (b"'a.b.c'", "the token is in quotes"),
        (b"a.b.c, a.b.c", "it has more than one token"),
        (b"a.b.c a.b.c", "it has more than one token"),
        (b"a.b.\xff", "it has characters that a token cannot have"),
    ],
)
def test_credentials(credentials: bytes, explanation: str) -> None:
    assert explain_credentials(credentials) == explanation
