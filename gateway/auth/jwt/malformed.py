"""Explains in the log why a token cannot be read, without a quote from it."""

from json import JSONDecodeError

from gateway.auth.jwt import base64url, strict_json

_SEGMENTS = ("header", "payload", "signature")


def explain_malformed(token: str) -> str:
    """Return what is wrong with a token of three segments that cannot be parsed."""
    for name, segment in zip(_SEGMENTS, token.split("."), strict=True):
        if fault := _explain_segment(name, segment):
            return f"the {name} {fault}"
    return ""


def _explain_segment(name: str, segment: str) -> str:
    try:
        content = base64url.decode(segment)
        if name != "signature":
            strict_json.parse_object(content)
    except (JSONDecodeError, UnicodeError):
        return "is not JSON"
    except ValueError as error:
        # The messages of `strict_json` name the rule, and quote nothing.
        return _explain_encoding(segment) or f"is refused: {error}"
    return ""


def _explain_encoding(segment: str) -> str:
    """Return why a segment is not base64url; "" if it is."""
    if "=" in segment:
        return "has padding (=), which a JWT must not have (RFC 7515, section 2)"
    if "+" in segment or "/" in segment:
        return "is encoded in base64, not base64url: it has + or /"
    try:
        base64url.decode(segment)
    except ValueError:
        return "is not base64url"
    return ""


def explain_credentials(credentials: bytes) -> str:
    """Return why the credentials after `Bearer` are not a token (RFC 6750, section 2.1)."""
    if not credentials.strip(b"="):
        return "there is no token after Bearer"
    if credentials[:7].lower() == b"bearer ":
        return "it has the scheme Bearer twice"
    if credentials[:1] in (b'"', b"'"):
        return "the token is in quotes"
    if b"," in credentials or b" " in credentials:
        return "it has more than one token"
    return "it has characters that a token cannot have"
