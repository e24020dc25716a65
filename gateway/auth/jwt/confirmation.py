"""Reads the key to which a token is bound: the claim `cnf` (RFC 7800, section 3.1)."""

import re

from gateway.auth.jwt.claim_path import Claims
from gateway.auth.jwt.refusal import show, show_all
from gateway.errors.tree import Unauthenticated

_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")  # the SHA-256 of RFC 7638 in base64url


def read_key_thumbprint(claims: Claims) -> str | None:
    """Return the thumbprint of the key that DPoP must prove (RFC 9449, 6.1); None without one.

    Other members of `cnf` are ignored beside a thumbprint (RFC 7800, section 3.1): the token is
    good only with a proof. Without one, any holder could use a token that is bound to its client,
    as to the certificate of a client (RFC 8705).

    Raises:
        Unauthenticated: the token is bound to something that is not a thumbprint.
    """
    confirmation = claims.get("cnf")
    if confirmation is None:
        return None
    if not isinstance(confirmation, dict):
        raise Unauthenticated("invalid_cnf", f"cnf is {show(confirmation)}; it must be an object")
    if "jkt" not in confirmation:
        methods = show_all(sorted(confirmation))
        explanation = f"cnf has {methods}, and the gateway verifies only jkt (DPoP)"
        raise Unauthenticated("unsupported_confirmation", explanation)
    thumbprint = confirmation["jkt"]
    if not isinstance(thumbprint, str) or not _THUMBPRINT.fullmatch(thumbprint):
        hint = f"jkt in cnf is {show(thumbprint)}; it must be the SHA-256 thumbprint of a key"
        raise Unauthenticated("invalid_cnf", hint)
    return thumbprint
