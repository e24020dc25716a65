"""`ClientAuthentication`: finds out which client sends a request to an OAuth endpoint."""

from starlette.requests import Request

from gateway.auth.clock import Clock
from gateway.oauth.attempt_limit import AttemptLimit
from gateway.oauth.client import OAuthClient
from gateway.oauth.client_registry import ClientRegistry
from gateway.oauth.form import Form
from gateway.oauth.oauth_errors import InvalidClient
from gateway.oauth.presented_credentials import (
    AssertionCredentials,
    SecretCredentials,
    read_credentials,
)
from gateway.oauth.secret_verifier import SecretVerifier
from gateway.request_context import RequestContext


class ClientAuthentication:
    """Authenticates clients by a secret or an assertion (RFC 6749, section 2.3).

    Attempts that cost a slow hash or fail are limited. A secret that is known to be right costs
    none, so nobody can lock a running client out with wrong ones.
    """

    def __init__(
        self,
        clients: ClientRegistry,
        secrets: SecretVerifier,
        attempts: AttemptLimit,
        clock: Clock | None = None,
    ) -> None:
        self._clients = clients
        self._secrets = secrets
        self._attempts = attempts
        self._clock = clock or Clock()

    async def authenticate(self, request: Request, form: Form) -> OAuthClient:
        """Return the client that sends a request, and log its id.

        Raises:
            InvalidClient: the client is unknown, or its authentication missing or wrong.
            InvalidRequest: it authenticates in more than one way.
            QuotaExceeded: there were too many attempts for the id of this client.
            Overloaded: too many secrets are being checked.
            DatabaseUnavailable: the clients have not been read yet.
        """
        context = RequestContext.of(request.scope)
        credentials = read_credentials(request, form)
        if isinstance(credentials, AssertionCredentials):
            raise InvalidClient("assertions are not supported yet")
        client = self._clients.find(credentials.client_id)
        if client is not None:
            # The id of an unknown client may be a secret in the wrong place.
            context.log_fields["client_id"] = client.id
        return await self._verify_secret(request, credentials, client)

    async def _verify_secret(
        self, request: Request, credentials: SecretCredentials, client: OAuthClient | None
    ) -> OAuthClient:
        now = self._clock.now()
        secrets = () if client is None or client.public_keys else client.secrets
        if not self._secrets.is_known(credentials.secret, secrets, now):
            await self._attempts.charge(request, credentials.client_id)
        is_valid = await self._secrets.is_valid(credentials.secret, secrets, now)
        if client is None:
            raise InvalidClient("there is no such client")
        if not is_valid:
            has_keys = "; it must send an assertion, for it has keys" if client.public_keys else ""
            raise InvalidClient(f"the secret is not that of the client{has_keys}")
        return client
