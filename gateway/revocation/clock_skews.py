"""By how much the clock of an issuer may be ahead of the one that a revocation was made by."""

from collections.abc import Mapping

from gateway.auth.jwt.own_token_rules import SKEW_SECONDS
from gateway.settings.issuer_names import list_issuer_names
from gateway.settings.schema import Settings


def list_clock_skews(settings: Settings) -> Mapping[str, float]:
    """Return the tolerance for `iat`, in seconds, by the `iss` of the tokens.

    API keys have none: the time at which one is added is that of the journal.
    """
    own = settings.identity.issuer
    skews = {} if own is None else {own: SKEW_SECONDS}
    for issuer in settings.issuers:
        skews |= dict.fromkeys(list_issuer_names(issuer), issuer.clock_skew_seconds)
    return skews
