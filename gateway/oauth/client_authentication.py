"""`ClientAuthentication`: finds out which client sends a request to an OAuth endpoint."""

from starlette.requests import Request

from gateway.auth.clock import Clock
from gateway.oauth.assertion_verifier import AssertionVerifier
from gateway.oauth.attempt_limit import AttemptLimit
from gateway.oauth.client import OAuthClient
from gateway.oauth.client_assertion import ClientAssertion
from gateway.oauth.client_registry import ClientRegistry
from gateway.oauth.form import Form
from gateway.oauth.oauth_errors import InvalidClient, InvalidRequest
from gateway.oauth.presented_credentials import SecretCredentials, read_credentials
from gateway.oauth.secret_verifier import SecretVerifier
from gateway.request_context import RequestContext


class ClientAuthentication:
    """Authenticates clients by a secret or an assertion (RFC 6749, section 2.3).

    Attempts that cost a slow hash or fail are limited. A secret that is known to be right, and an
    assertion that is valid, are not counted; the secret is not even limited.
    """

    def __init__(
        self,
        clients: ClientRegistry,
        secrets: SecretVerifier,
        assertions: AssertionVerifier,
        attempts: AttemptLimit,
        clock: Clock,
    ) -> None:
        self._clients = clients
        self._secrets = secrets
        self._assertions = assertions
        self._attempts = attempts
        self._clock = clock

    async def authenticate(self, request: Request, form: Form) -> OAuthClient:
        """Return the client that sends a request, and log its id.

        Raises:
            InvalidClient: the client is unknown, or its authentication missing or wrong.
            InvalidRequest: it authenticates in more than one way.
            QuotaExceeded: there were too many attempts at this address, or there for this client.
            Overloaded: too many secrets are being checked.
            DatabaseUnavailable: the clients have not been read yet, or it is not known whether an
                assertion was used before.
        """
        credentials = await self._read(request, form)
        if isinstance(credentials, ClientAssertion):
            return await self._verify_assertion(request, credentials)
        return await self._verify_secret(request, credentials)

    async def _read(self, request: Request, form: Form) -> SecretCredentials | ClientAssertion:
        """Read the credentials. Those that cannot be read are charged to the address."""
        try:
            credentials = read_credentials(request, form)
            if isinstance(credentials, SecretCredentials):
                return credentials
            assertion = self._assertions.parse(credentials.assertion, self._clock.now())
        except InvalidClient:
            await self._attempts.charge(request, None)
            raise
        if credentials.client_id not in (None, assertion.client_id):
            raise InvalidRequest("The parameter client_id is not that of the assertion.")
        return assertion

    async def _verify_secret(self, request: Request, credentials: SecretCredentials) -> OAuthClient:
        client, now = self._find(request, credentials.client_id), self._clock.now()
        secrets = () if client is None or client.public_keys else client.secrets
        if not self._secrets.is_known(credentials.secret, secrets, now):
            await self._attempts.charge(request, credentials.client_id)
        address = self._attempts.find_address(request)
        is_valid = await self._secrets.is_valid(credentials.secret, secrets, now, address)
        if client is None:
            raise InvalidClient("there is no such client")
        if client.public_keys:
            raise InvalidClient("the client has keys, so it must send an assertion, not a secret")
        if not is_valid:
            raise InvalidClient("the secret is not that of the client")
        return client

    async def _verify_assertion(self, request: Request, assertion: ClientAssertion) -> OAuthClient:
        """Verify an assertion. One that fails is charged, and too many of them are not verified."""
        client = self._find(request, assertion.client_id)
        await self._attempts.check(request, assertion.client_id)
        try:
            await self._assertions.verify(assertion, client, self._clock.now())
        except InvalidClient:
            await self._attempts.charge(request, assertion.client_id)
            raise
        assert client is not None  # noqa: S101 - else it was refused
        return client

    def _find(self, request: Request, client_id: str) -> OAuthClient | None:
        """Find a client, and log its id. The id of an unknown one may be a misplaced secret."""
        client = self._clients.find(client_id)
        if client is not None:
            RequestContext.of(request.scope).log_fields["client_id"] = client.id
        return client
