"""Names the token to revoke from the token itself, whose signature is not verified here.

The author of a revocation may revoke any token, so a forged one gains nothing: at most, it names a
token that does not exist.
"""

import shlex

from gateway.auth.jwt.ids import read_id
from gateway.auth.jwt.jws import parse_jws
from gateway.auth.jwt.numeric_date import is_numeric_date
from gateway.auth.revocation_index import Revocation, RevocationKind
from gateway.errors.tree import Unauthenticated

MAX_TOKEN_BYTES = 65_536

MAX_SKEW_SECONDS = 60
"""A token is accepted for so long after its `exp` at most: the maximum of `clock_skew_seconds`."""

_TYPES = frozenset({"jwt", "at+jwt", "lockgate-internal+jwt"})
"""Those of access tokens, and that of the internal tokens of the gateway."""


def compute_end(now: float, max_lifetime: float) -> float:
    """Return when each token has expired that was issued before `now`, in seconds.

    The clock of its issuer may be ahead, and the token is accepted for a while after its `exp`.
    """
    return now + max_lifetime + 2 * MAX_SKEW_SECONDS


class UnnamedToken(ValueError):
    """The token cannot be revoked by its id; the message says why."""


def name_token(token: str, now: float, longest: float) -> Revocation:
    """Return the revocation of one token.

    `longest` is the time at which any token has expired, for one that does not say when.

    Raises:
        UnnamedToken: it is no JWT, it has no issuer or no id, or it says that it has expired.
    """
    if not token or len(token) > MAX_TOKEN_BYTES:
        raise UnnamedToken("standard input has no token")
    try:
        claims = parse_jws(token, _TYPES).payload
    except Unauthenticated as error:
        raise UnnamedToken(f"this is no JWT: {error.explanation or error.reason}") from None
    issuer, token_id, exp = (
        read_id(claims.get("iss")),
        read_id(claims.get("jti")),
        claims.get("exp"),
    )
    if issuer is None:
        raise UnnamedToken("the token has no iss")
    if token_id is None:
        raise UnnamedToken("the token has no jti; revoke all tokens of its subject instead")
    expires_at = longest
    if is_numeric_date(exp):
        expires_at = min(exp + MAX_SKEW_SECONDS, longest)
    if expires_at <= now:
        named = f"--id {shlex.quote(token_id)} --issuer {shlex.quote(issuer)}"
        message = "the token says that it has expired (exp), and its signature is not verified here"
        raise UnnamedToken(f"{message}; to revoke it nevertheless, use {named}")
    return Revocation(RevocationKind.TOKEN, issuer, token_id, 0.0, expires_at)
