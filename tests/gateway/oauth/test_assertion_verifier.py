"""`private_key_jwt` at the token endpoint: which keys verify, and each assertion once."""

from collections.abc import AsyncIterator

import jwt
import pytest
import pytest_asyncio

from gateway.settings.rate import Rate
from gateway.settings.schema import OAuthSettings
from tests.gateway.oauth.client_keys import make_claims, present, publish, sign
from tests.gateway.oauth.oauth_gateway import (
    SECRET,
    OAuthGateway,
    basic,
    make_client,
    serve_oauth,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLIENTS = [
    make_client("signer", public_keys=[publish("ec", kid="k1")]),
    make_client("without-kid", public_keys=[publish("ec", 1), publish("ed"), publish("rsa")]),
    make_client("both", SECRET, public_keys=[publish("ec", 2, kid="k2")]),
    make_client("bff", SECRET),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OAuthGateway]:
    limits = OAuthSettings(address_limit=Rate(9_999, 1), client_limit=Rate(9_999, 1))
    async with serve_oauth(tmp_path_factory.mktemp("oauth"), *CLIENTS, oauth=limits) as served:
        yield served


@pytest.mark.parametrize(
    "form",
    [
        present(sign(make_claims("signer"), kid="k1")),
        present(sign(make_claims("signer"))),
        present(sign(make_claims("signer")), client_id="signer"),
        present(sign(make_claims("without-kid"), "ec", 1)),
        present(sign(make_claims("without-kid"), "ec", 1, kid="any")),
        present(sign(make_claims("without-kid"), "ed")),
        present(sign(make_claims("without-kid"), "rsa")),
        present(sign(make_claims("without-kid"), "rsa", algorithm="PS384")),
        present(sign(make_claims("both"), "ec", 2)),
    ],
)
async def test_a_key_of_the_client_verifies(gateway: OAuthGateway, form: dict[str, str]) -> None:
    reply = await gateway.post(form)
    assert reply.status == 200, reply.document


@pytest.mark.parametrize(
    "form",
    [
        present(sign(make_claims("signer"), "ec", 1)),
        present(sign(make_claims("signer"), kid="k2")),
        present(sign(make_claims("signer"), "rsa")),
        present(sign(make_claims("without-kid"), "ec", 9)),
        present(sign(make_claims("unknown"))),
        present(sign(make_claims("bff"))),
        present(sign(make_claims("signer"))[:-4]),
        present(sign(make_claims("signer"), typ="at+jwt")),
    ],
)
async def test_another_key_does_not(gateway: OAuthGateway, form: dict[str, str]) -> None:
    reply = await gateway.post(form)
    assert (reply.status, reply.document["error"]) == (401, "invalid_client")


async def test_an_algorithm_of_a_symmetric_key_or_none_is_refused(gateway: OAuthGateway) -> None:
    for algorithm, key in (("HS256", "k" * 64), ("none", "")):
        assertion = jwt.encode(make_claims("signer"), key, algorithm, headers={"kid": "k1"})
        reply = await gateway.post(present(assertion))
        assert (reply.status, reply.document["error"]) == (401, "invalid_client")


async def test_the_id_beside_the_assertion_must_be_the_same(gateway: OAuthGateway) -> None:
    reply = await gateway.post(present(sign(make_claims("signer")), client_id="bff"))
    assert (reply.status, reply.document["error"]) == (400, "invalid_request")


async def test_an_assertion_is_accepted_once(gateway: OAuthGateway) -> None:
    form = present(sign(make_claims("signer", jti="one"), kid="k1"))
    assert (await gateway.post(form)).status == 200
    gateway.log.clear()
    again = await gateway.post(form)
    assert (again.status, again.document["error"]) == (401, "invalid_client")
    await gateway.served.settle(1)
    assert gateway.log.completed[0]["explanation"] == "the assertion: its jti was used before"
    assert gateway.log.completed[0]["client_id"] == "signer"
    # The id is that of the client alone.
    other = present(sign(make_claims("without-kid", jti="one"), "ec", 1))
    assert (await gateway.post(other)).status == 200


async def test_a_client_with_keys_cannot_use_a_secret(gateway: OAuthGateway) -> None:
    gateway.log.clear()
    reply = await gateway.post({"grant_type": "client_credentials"}, basic("both", SECRET))
    assert (reply.status, reply.document["error"]) == (401, "invalid_client")
    await gateway.served.settle(1)
    assert "it must send an assertion" in gateway.log.completed[0]["explanation"]


async def test_another_process_refuses_a_used_assertion_too(
    gateway: OAuthGateway,
) -> None:
    form = present(sign(make_claims("signer"), kid="k1"))
    assert (await gateway.post(form)).status == 200
    settings = {name: getattr(gateway.settings, name) for name in ("database_url", "identity")}
    async with serve_oauth(gateway.folder, **settings) as second:
        assert (await second.post(form)).status == 401
