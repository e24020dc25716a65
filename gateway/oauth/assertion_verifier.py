"""Verifies the signature and the single use of what `client_assertion.py` has parsed."""

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence

from gateway.auth.jwks.key_set import KeySet, parse_key_set
from gateway.auth.jwt.refusal import show
from gateway.auth.jwt.signatures import is_valid_signature
from gateway.identity.signing_key import generate_signing_key
from gateway.oauth.client import OAuthClient
from gateway.oauth.client_assertion import CLOCK_SKEW_SECONDS, ClientAssertion, parse_assertion
from gateway.oauth.oauth_errors import InvalidClient
from gateway.replay import TableReplayCache
from gateway.settings.schema import ALGORITHMS

_KIND = "client_assertion"
_MAX_PREPARED = 1_000


class AssertionVerifier:
    """Verifies with the keys of the client, each with the algorithms of its type.

    An assertion of an unknown client costs the verification of a signature, too. Used ones are
    remembered in the database, which forgets none when Redis restarts, and which all processes use.
    """

    # `_prepared` has the keys of the clients that have sent the last assertions, each as long as
    # the client is the same: the registry replaces one that has changed.

    def __init__(self, issuer: str, replays: TableReplayCache) -> None:
        self._issuer = issuer
        self._replays = replays
        self._prepared = OrderedDict[str, tuple[OAuthClient, KeySet]]()
        self._decoy = _prepare([generate_signing_key("ES256", 0).public_jwk])

    def parse(self, text: str, now: float) -> ClientAssertion:
        """Parse an assertion for this gateway; nothing in it is trusted yet.

        Raises:
            InvalidClient: it is malformed, or a claim is not that of an assertion for the gateway.
        """
        return parse_assertion(text, self._issuer, now)

    async def verify(
        self, assertion: ClientAssertion, client: OAuthClient | None, now: float
    ) -> None:
        """Verify an assertion; `now` is in seconds since the epoch.

        Raises:
            InvalidClient: no key of the client has signed it, or it was used before.
            DatabaseUnavailable: it is not known whether it was.
        """
        jws = assertion.jws
        if client is None or not client.public_keys:
            decoys = self._decoy.find(None, "ES256")
            is_valid_signature(decoys[0], jws.signing_input, jws.signature)
            raise InvalidClient("there is no such client, or it has no keys")
        keys = self._get_keys(client).find(jws.key_id, jws.algorithm)
        if not any(is_valid_signature(key, jws.signing_input, jws.signature) for key in keys):
            hint = f"its kid is {show(jws.key_id)}, its alg {show(jws.algorithm)}"
            raise InvalidClient(f"the assertion: no key of the client has signed it; {hint}")
        seconds = assertion.expires_at + CLOCK_SKEW_SECONDS - now
        if not await self._replays.remember(_KIND, f"{client.id} {assertion.id}", seconds):
            raise InvalidClient("the assertion: its jti was used before")

    def _get_keys(self, client: OAuthClient) -> KeySet:
        prepared = self._prepared.get(client.id)
        if prepared is None or prepared[0] is not client:
            prepared = self._prepared[client.id] = client, _prepare(client.public_keys)
            if len(self._prepared) > _MAX_PREPARED:
                self._prepared.popitem(last=False)
        self._prepared.move_to_end(client.id)
        return prepared[1]


def _prepare(keys: Sequence[Mapping[str, str]]) -> KeySet:
    document = json.dumps({"keys": [dict(key) for key in keys]}).encode()
    return parse_key_set(document, ALGORITHMS)
