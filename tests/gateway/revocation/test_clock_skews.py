"""How far `iat` may be ahead, by issuer, and what a revocation then covers."""

from dataclasses import replace

import pytest

from gateway.auth.principal import Principal
from gateway.auth.revocation_index import Revocation, RevocationIndex, RevocationKind
from gateway.revocation.clock_skews import list_clock_skews
from gateway.settings.schema import Settings

IDP, GATEWAY, KEYS = "https://idp.test", "https://gateway.test", "urn:lockgate:keys"
SETTINGS = Settings.model_validate(
    {
        "issuers": [
            {"issuer": IDP, "audience": "a", "jwks_file": "k.json", "clock_skew_seconds": 30}
        ],
        "identity": {"issuer": GATEWAY},
    }
)
TOKEN = Principal(
    issuer=IDP,
    subject="jane",
    scopes=frozenset(),
    user_id=None,
    service=None,
    tenant=None,
    expires_at=2_000.0,
    issued_at=1_000.0,
)
ALL = Revocation(RevocationKind.ISSUER, "", "", 1_000.0, 5_000.0)


@pytest.mark.parametrize(
    ("issuer", "ahead", "is_revoked"),
    [
        (IDP, 29.0, True),
        (IDP, 30.0, False),
        (GATEWAY, 4.0, True),
        (GATEWAY, 5.0, False),
        (KEYS, -0.001, True),
        (KEYS, 0.0, False),
    ],
)
def test_a_revocation_of_all_has_the_tolerance_of_each_issuer(
    issuer: str, ahead: float, is_revoked: bool
) -> None:
    index = RevocationIndex(list_clock_skews(SETTINGS))
    index.add([ALL], 1_000.0)
    token = replace(TOKEN, issuer=issuer, token_issuer=issuer, issued_at=1_000.0 + ahead)
    assert (index.find(token) is not None) is is_revoked


def test_a_gateway_without_identity_has_the_issuers_of_the_settings_alone() -> None:
    assert list_clock_skews(Settings(issuers=SETTINGS.issuers)) == {IDP: 30.0}
