"""Who acts for the subject of a token: its client, then the actors of `act`."""

from typing import Any

import pytest

from gateway.auth.jwt.actors import MAX_ACTORS, list_actors, read_client
from gateway.auth.jwt.claims import ClaimRules
from gateway.auth.principal import Actor
from gateway.settings.schema import Issuer

ISSUER = "https://idp"


def nest(depth: int) -> dict[str, Any]:
    """Nest `act` claims; the outermost subject is 1."""
    act: dict[str, Any] = {}
    for number in range(depth, 0, -1):
        act = {"sub": str(number), **({"act": act} if act else {})}
    return act


@pytest.mark.parametrize(
    ("claims", "client"),
    [
        ({}, None),
        ({"client_id": "app"}, "app"),
        ({"azp": "app"}, "app"),
        ({"cid": "app"}, "app"),
        ({"appid": "app"}, "app"),
        ({"client_id": "app", "azp": "other"}, "app"),
        ({"client_id": None, "azp": "app"}, "app"),
        ({"client_id": ["app"]}, None),
        ({"client_id": "a\nb"}, None),
    ],
)
def test_the_client_is_read_from_the_claim_that_the_provider_has(
    claims: dict[str, Any], client: str | None
) -> None:
    assert read_client(claims) == client


@pytest.mark.parametrize(
    ("claims", "client", "actors"),
    [
        ({}, None, []),
        ({}, "app", [(ISSUER, "app")]),
        ({"act": {"sub": "support"}}, None, [(ISSUER, "support")]),
        ({"act": {"sub": "support"}}, "app", [(ISSUER, "app"), (ISSUER, "support")]),
        ({"act": {"sub": "app"}}, "app", [(ISSUER, "app")]),
        ({"act": {"sub": "x", "iss": "https://other"}}, None, [("https://other", "x")]),
        ({"act": {"iss": "https://other"}}, None, []),
        ({"act": {"sub": {}}}, None, []),
        ({"act": ["support"]}, None, []),
        ({"act": nest(2)}, None, [(ISSUER, "1"), (ISSUER, "2")]),
        ({"act": nest(30)}, None, [(ISSUER, str(n)) for n in range(1, MAX_ACTORS + 1)]),
    ],
)
def test_the_actors_are_the_client_and_then_those_of_act(
    claims: dict[str, Any], client: str | None, actors: list[tuple[str, str]]
) -> None:
    assert list(list_actors(claims, ISSUER, client)) == actors


@pytest.mark.parametrize(
    ("settings", "client"), [({}, "app"), ({"service_claim": "service"}, "billing")]
)
def test_the_principal_has_the_service_of_the_settings_as_its_client(
    settings: dict[str, str], client: str
) -> None:
    issuer = Issuer.model_validate(
        {"issuer": ISSUER, "audience": "a", "jwks_url": "https://idp/keys", **settings}
    )
    claims: dict[str, Any] = {
        "iss": ISSUER, "aud": "a", "sub": "42", "exp": 100, "azp": "app", "service": "billing",
        "act": {"sub": "support"},
    }  # fmt: skip
    principal = ClaimRules(issuer).check(claims, "at+jwt", 0)
    assert principal.client == client
    assert principal.actors == (Actor(ISSUER, client), Actor(ISSUER, "support"))
