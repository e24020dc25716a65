"""When those that keep tokens are told about revocations, and what an API key needs."""

from collections.abc import Callable

import pytest

from gateway.auth.clock import Clock
from gateway.auth.principal import Principal
from gateway.auth.revocation_check import RevocationCheck
from gateway.auth.revocation_index import Revocation, RevocationKind
from gateway.auth.verifier import JwtVerifier
from gateway.errors.tree import DatabaseUnavailable, Unauthenticated
from gateway.settings.schema import Tokens

ISSUER = "urn:lockgate:keys"
KEY = Principal(
    issuer=ISSUER,
    subject="export",
    scopes=frozenset(),
    user_id=None,
    service="export",
    tenant=None,
    expires_at=2_000.0,
    token_id="k1",
    issued_at=1_000.0,
)
NAMED = Revocation(RevocationKind.TOKEN, ISSUER, "k1", 0.0, 2_000.0)


def test_a_change_of_something_else_costs_those_that_keep_tokens_nothing() -> None:
    check, calls = RevocationCheck(60, {}), list[Callable[[Principal], bool]]()
    end = check.call_on_change(calls.append)
    check.apply([], 1_500.0)
    assert not calls
    check.apply([NAMED], 1_500.0)
    [is_revoked] = calls
    assert is_revoked(KEY)
    end()
    check.apply([NAMED], 1_500.0)
    assert len(calls) == 1


async def test_an_api_key_is_refused_until_the_revocations_are_read_and_once_one_names_it() -> None:
    verifier, check = JwtVerifier({}, Tokens(), Clock()), RevocationCheck(60, {})
    verifier.accept_keys("lk_", lambda _text, _now: KEY)
    verifier.refuse_revoked(check)
    with pytest.raises(DatabaseUnavailable):
        await verifier.verify("lk_a")
    check.apply([], 1_500.0)
    assert await verifier.verify("lk_a") is KEY  # however long it lives
    check.apply([NAMED], 1_500.0)
    with pytest.raises(Unauthenticated) as caught:
        await verifier.verify("lk_a")
    assert caught.value.reason == "revoked"
