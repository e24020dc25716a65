"""`private_key_jwt` at the token endpoint: which keys verify, and each assertion once."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import jwt
import pytest
import pytest_asyncio

from gateway.oauth import assertion_verifier
from gateway.settings.rate import Rate
from gateway.settings.schema import OAuthSettings, StorageSettings
from tests.gateway.oauth.client_keys import make_claims, present, publish, sign
from tests.gateway.oauth.oauth_gateway import (
    SECRET,
    OAuthGateway,
    basic,
    make_client,
    serve_oauth,
)
from tests.redis_server import RedisServer

pytestmark = pytest.mark.asyncio(loop_scope="module")

MakeForm = Callable[[], dict[str, str]]
"""Signs when the test begins: an assertion is valid for a minute."""

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
    "make_form",
    [
        lambda: present(sign(make_claims("signer"), kid="k1")),
        lambda: present(sign(make_claims("signer"))),
        lambda: present(sign(make_claims("signer")), client_id="signer"),
        lambda: present(sign(make_claims("without-kid"), "ec", 1)),
        lambda: present(sign(make_claims("without-kid"), "ec", 1, kid="any")),
        lambda: present(sign(make_claims("without-kid"), "ed")),
        lambda: present(sign(make_claims("without-kid"), "rsa")),
        lambda: present(sign(make_claims("without-kid"), "rsa", algorithm="PS384")),
        lambda: present(sign(make_claims("both"), "ec", 2)),
    ],
)
async def test_a_key_of_the_client_verifies(gateway: OAuthGateway, make_form: MakeForm) -> None:
    reply = await gateway.post(make_form())
    assert reply.status == 200, reply.document


@pytest.mark.parametrize(
    "make_form",
    [
        lambda: present(sign(make_claims("signer"), "ec", 1)),
        lambda: present(sign(make_claims("signer"), kid="k2")),
        lambda: present(sign(make_claims("signer"), "rsa")),
        lambda: present(sign(make_claims("without-kid"), "ec", 9)),
        lambda: present(sign(make_claims("unknown"))),
        lambda: present(sign(make_claims("bff"))),
        lambda: present(sign(make_claims("signer"))[:-4]),
        lambda: present(sign(make_claims("signer"), typ="at+jwt")),
    ],
)
async def test_another_key_does_not(gateway: OAuthGateway, make_form: MakeForm) -> None:
    reply = await gateway.post(make_form())
    assert (reply.status, reply.document["error"]) == (401, "invalid_client")


async def test_the_keys_of_more_clients_than_are_held_verify(
    gateway: OAuthGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assertion_verifier, "_MAX_PREPARED", 1)
    for client_id, number in (("signer", 0), ("without-kid", 1), ("signer", 0), ("both", 2)):
        form = present(sign(make_claims(client_id), "ec", number))
        assert (await gateway.post(form)).status == 200


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


@pytest.mark.redis
async def test_an_assertion_is_accepted_once_whatever_becomes_of_redis(
    tmp_path: Path, own_redis: RedisServer
) -> None:
    async with serve_oauth(tmp_path, *CLIENTS, redis_url=own_redis.url) as gateway:
        form = present(sign(make_claims("signer")))
        assert (await gateway.post(form)).status == 200
        own_redis.command("FLUSHALL")
        assert (await gateway.post(form)).status == 401
        database_url = gateway.settings.database_url
        async with serve_oauth(tmp_path, database_url=database_url) as without_redis:
            assert (await without_redis.post(form)).status == 401
        own_redis.kill()
        assert (await gateway.post(form)).status == 401
        assert (await gateway.post(present(sign(make_claims("signer"))))).status == 200


async def test_without_its_database_the_gateway_serves_clients_with_secrets(
    tmp_path: Path,
) -> None:
    """It cannot know whether an assertion was used, so it refuses those."""
    storage = StorageSettings(timeout_seconds=0.2)
    async with serve_oauth(tmp_path, *CLIENTS, storage=storage) as gateway:
        file = sqlite3.connect(tmp_path / "lockgate.db", isolation_level=None)
        with closing(file):
            file.execute("BEGIN EXCLUSIVE")
            grant = {"grant_type": "client_credentials"}
            assert (await gateway.post(grant, basic("bff", SECRET))).status == 200
            form = present(sign(make_claims("signer")))
            refused = await gateway.post(form)
            assert refused.status == 503
            assert refused.document["title"] == "Database unavailable"
            assert refused.header("retry-after") == ["1"]
            file.execute("ROLLBACK")
        async with asyncio.timeout(10):
            # Until it tries the database again.
            while (reply := await gateway.post(form)).status == 503:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        assert reply.status == 200
