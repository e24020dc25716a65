"""Who acts for the subject of a token: its client, then the actors of `act`."""

from typing import Any

import pytest

from gateway.auth.jwt.actors import MAX_READ_ACTORS, list_actors, list_clients
from gateway.auth.jwt.claims import ClaimRules
from gateway.auth.principal import Actor, Principal
from gateway.auth.revocation_index import Revocation, RevocationIndex, RevocationKind
from gateway.errors.tree import Unauthenticated
from gateway.settings.schema import Issuer

ISSUER = "https://idp"


def nest(depth: int) -> dict[str, Any]:
    """Nest `act` claims; the outermost subject is 1."""
    act: dict[str, Any] = {}
    for number in range(depth, 0, -1):
        act = {"sub": str(number), **({"act": act} if act else {})}
    return act


@pytest.mark.parametrize(
    ("claims", "names"),
    [
        ({}, []),
        ({"client_id": "app"}, ["app"]),
        ({"azp": "app"}, ["app"]),
        ({"cid": "app"}, ["app"]),
        ({"appid": "app"}, ["app"]),
        ({"azp": "other", "client_id": "app"}, ["app", "other"]),
        ({"client_id": None, "azp": "app"}, ["app"]),
        ({"client_id": ["app"]}, []),
        ({"client_id": "a\nb"}, []),
    ],
)
def test_the_client_is_read_from_the_claims_that_the_provider_has(
    claims: dict[str, Any], names: list[str]
) -> None:
    assert list_clients(claims) == names


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
        ({"act": nest(16)}, None, [(ISSUER, str(n)) for n in range(1, 17)]),
        ({"act": {"client_id": "x", "act": {"sub": "y"}}}, None, [(ISSUER, "y")]),
    ],
)
def test_the_actors_are_the_client_and_then_those_of_act(
    claims: dict[str, Any], client: str | None, actors: list[tuple[str, str]]
) -> None:
    assert list(list_actors(claims, ISSUER, [client] if client else [])) == actors


@pytest.mark.parametrize(("depth", "clients"), [(MAX_READ_ACTORS + 1, []), (16, ["app"])])
def test_a_chain_that_is_too_long_is_refused_never_cut(depth: int, clients: list[str]) -> None:
    with pytest.raises(Unauthenticated) as refusal:
        list_actors({"act": nest(depth)}, ISSUER, clients)
    assert refusal.value.reason == "too_many_actors"
    assert refusal.value.explanation == "it has 17 actors (act); at most 16 are possible"


GATEWAY = "https://gateway"


def check(claims: dict[str, Any], **settings: str) -> Principal:
    issuer = Issuer.model_validate(
        {"issuer": ISSUER, "audience": "a", "jwks_url": "https://idp/keys", **settings}
    )
    valid: dict[str, Any] = {"iss": ISSUER, "aud": "a", "sub": "42", "exp": 100}
    return ClaimRules(issuer, GATEWAY).check(valid | claims, "at+jwt", 0)


@pytest.mark.parametrize(
    ("claims", "client", "names"),
    [
        ({"azp": "app"}, "app", ["app"]),
        ({"azp": "app", "svc": "billing"}, "app", ["app", "billing"]),
        ({"azp": "app", "svc": "app"}, "app", ["app"]),
        ({"svc": "billing"}, "billing", ["billing"]),
    ],
)
def test_a_client_is_revoked_by_its_name_and_by_that_of_the_service_claim(
    claims: dict[str, Any], client: str, names: list[str]
) -> None:
    principal = check({**claims, "act": {"sub": "support"}}, service_claim="svc")
    assert principal.client == client
    assert principal.service == claims.get("svc")
    assert principal.actors == tuple(Actor(ISSUER, name) for name in [*names, "support"])
    for name in names:
        index = RevocationIndex({})
        index.add([Revocation(RevocationKind.CLIENT, ISSUER, name, 1.0, 100.0)], 0.0)
        assert index.find(principal) is RevocationKind.CLIENT


def test_every_actor_of_a_chain_is_revoked() -> None:
    principal = check({"azp": "app", "act": nest(15)})
    index = RevocationIndex({})
    index.add([Revocation(RevocationKind.CLIENT, ISSUER, "15", 1.0, 100.0)], 0.0)
    assert index.find(principal) is RevocationKind.CLIENT


@pytest.mark.parametrize(
    "act",
    [
        {"iss": GATEWAY, "sub": "mailer"},
        {"sub": "a", "act": {"iss": GATEWAY, "sub": "mailer"}},
        {"act": {"iss": GATEWAY, "sub": "mailer"}},
    ],
)
def test_a_provider_cannot_say_that_a_client_of_the_gateway_has_acted(act: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated) as refusal:
        check({"azp": "app", "act": act})
    assert refusal.value.reason == "actor_of_gateway"
    assert "mailer" not in refusal.value.explanation
