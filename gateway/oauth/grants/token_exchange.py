"""The grant of token exchange (RFC 8693); `exchange_policy.py` decides, here a token is issued.

With that token, a client calls services on behalf of a subject.
"""

from collections.abc import Sequence
from logging import getLogger

from gateway.auth.clock import Clock
from gateway.auth.principal import Actor, Principal
from gateway.auth.verifier import TokenVerifier
from gateway.identity.subject import encode_subject
from gateway.oauth.access_tokens import AccessTokens
from gateway.oauth.exchange_policy import ExchangePolicy, ExchangeRequest, Permission
from gateway.oauth.exchanged_token import build_exchanged_claims
from gateway.oauth.form import Form
from gateway.oauth.grants.grant import Grant, TokenRequest, TokenResponse, read_scopes
from gateway.oauth.oauth_errors import InvalidRequest, InvalidTarget
from gateway.oauth.subject_token import verify_subject_token
from gateway.telemetry.log import log_event

log = getLogger("lockgate.oauth")

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange"

_TYPE = "urn:ietf:params:oauth:token-type:"
ACCESS_TOKEN, JWT = f"{_TYPE}access_token", f"{_TYPE}jwt"


class TokenExchange(Grant):
    """Issues a token for the one of a subject, as far as a rule of `access.py` permits it."""

    def __init__(
        self,
        policy: ExchangePolicy,
        verifier: TokenVerifier,
        tokens: AccessTokens,
        clock: Clock | None = None,
    ) -> None:
        self._policy = policy
        self._verifier = verifier
        self._tokens = tokens
        self._clock = clock or Clock()

    async def issue(self, request: TokenRequest) -> TokenResponse:
        """Issue a token that is never for more, nor for longer, than the one of the subject.

        Raises:
            OAuthError: the client may not have it.
            IdentityUnavailable: the key of the subject's token cannot be fetched now.
            DatabaseUnavailable: something has not been read from the database yet.
        """
        form, client_id = request.form, request.client.id
        self._policy.require_rule(client_id)
        token = _read_subject_token(form)
        wanted = ExchangeRequest(client_id, self._read_services(form), read_scopes(form))
        subject = await verify_subject_token(self._verifier, token)
        permission = self._policy.permit(wanted, subject)
        client = Actor(self._tokens.issuer, client_id)
        claims = build_exchanged_claims(subject, client, permission, self._clock.now())
        issued = self._tokens.issue(
            claims["sub"],
            client_id,
            permission.scopes,
            expires_by=subject.expires_at,
            claims={**claims, **request.key_claims},
        )
        _log_exchange(client_id, subject, permission)
        return TokenResponse(issued, members={"issued_token_type": ACCESS_TOKEN})

    def _read_services(self, form: Form) -> Sequence[str] | None:
        """Return the services that the request names; None if it names none.

        The only `resource` is the gateway itself, which is where the services are called.
        """
        if any(resource != self._tokens.issuer for resource in form.get_all("resource")):
            raise InvalidTarget("The only resource is the issuer of this server.")
        return form.get_all("audience") or None


def _read_subject_token(form: Form) -> str:
    """Return the token of the subject.

    Raises:
        InvalidRequest: it is missing, or the request asks for what is not supported.
    """
    if form.get("actor_token") is not None or form.get("actor_token_type") is not None:
        raise InvalidRequest(
            "An actor_token is not supported: the client that authenticates is the actor."
        )
    if form.get("requested_token_type") not in (None, ACCESS_TOKEN):
        raise InvalidRequest(f"The only requested_token_type is {ACCESS_TOKEN}.")
    token = form.require("subject_token")
    if form.require("subject_token_type") not in (ACCESS_TOKEN, JWT):
        raise InvalidRequest(f"The subject_token_type must be {ACCESS_TOKEN} or {JWT}.")
    return token


def _log_exchange(client_id: str, subject: Principal, permission: Permission) -> None:
    """Log who got a token, for whom, and on whose behalf; `token_id` is that of the subject."""
    services = permission.services
    log_event(
        log,
        "token.exchanged",
        client_id=client_id,
        subject=encode_subject(subject.issuer, subject.subject),
        services="*" if services is None else " ".join(sorted(services)),
        scopes=" ".join(permission.scopes),
        actors=" ".join(encode_subject(*actor) for actor in subject.actors),
        subject_token_id=subject.token_id or "",
    )
