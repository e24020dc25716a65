"""Failed attempts are limited per address, and per client id at an address."""

from collections.abc import Awaitable, Callable, Mapping
from ipaddress import ip_network
from pathlib import Path

import pytest

from gateway.auth.jwt.signatures import Key, is_valid_signature
from gateway.oauth import assertion_verifier
from gateway.settings.rate import Rate
from gateway.settings.schema import OAuthSettings, Server
from tests.gateway.errors.served import Reply
from tests.gateway.oauth.client_keys import make_claims, present, publish, sign
from tests.gateway.oauth.oauth_gateway import SECRET, OAuthGateway, basic, make_client, serve_oauth

GRANT = {"grant_type": "client_credentials"}
BEHIND_PROXY = Server(trusted_proxies=(ip_network("127.0.0.1"),))


def send_from(address: str, credentials: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the header fields of a request that a trusted proxy forwards for an address."""
    return {**(credentials or {}), "X-Forwarded-For": address}


@pytest.mark.parametrize("client_id", ["bff", "unknown"])
async def test_attempts_for_one_client_are_limited_whether_it_exists(
    tmp_path: Path, client_id: str
) -> None:
    limits = OAuthSettings(client_limit=Rate(2, 3_600))
    async with serve_oauth(tmp_path, make_client("bff", SECRET), oauth=limits) as gateway:
        replies = [await gateway.post(GRANT, basic(client_id, "wrong")) for _ in range(3)]
        assert [reply.status for reply in replies] == [401, 401, 429]
        assert replies[2].document["violated-policies"] == ["oauth_clients"]
        assert 1 <= int(replies[2].header("retry-after")[0]) <= 3_600
        assert (await gateway.post(GRANT, basic("other", "wrong"))).status == 401
        await gateway.served.settle(4)
        assert gateway.log.completed[2]["refused_by"] == "oauth_clients"
        assert "wrong" not in str(gateway.log.lines)


async def test_attempts_of_one_address_are_limited(tmp_path: Path) -> None:
    limits = OAuthSettings(address_limit=Rate(2, 3_600))
    async with serve_oauth(tmp_path, make_client("bff", SECRET), oauth=limits) as gateway:
        names = ["a", "b", "c"]
        replies = [await gateway.post(GRANT, basic(name, "wrong")) for name in names]
        assert [reply.status for reply in replies] == [401, 401, 429]
        assert replies[2].document["violated-policies"] == ["oauth_addresses"]


async def test_wrong_secrets_do_not_lock_out_a_client_that_is_running(tmp_path: Path) -> None:
    limits = OAuthSettings(client_limit=Rate(2, 3_600))
    async with serve_oauth(tmp_path, make_client("bff", SECRET), oauth=limits) as gateway:
        assert (await gateway.post(GRANT, basic("bff", SECRET))).status == 200
        replies = [await gateway.post(GRANT, basic("bff", "wrong")) for _ in range(3)]
        assert [reply.status for reply in replies] == [401, 429, 429]
        rights = [await gateway.post(GRANT, basic("bff", SECRET)) for _ in range(5)]
        assert [reply.status for reply in rights] == [200] * 5


async def test_wrong_secrets_of_other_addresses_do_not_lock_out_a_new_process(
    tmp_path: Path,
) -> None:
    limits = OAuthSettings(client_limit=Rate(2, 3_600))
    bff = make_client("bff", SECRET)
    async with serve_oauth(tmp_path, bff, oauth=limits, server=BEHIND_PROXY) as gateway:
        wrong = send_from("192.0.2.1", basic("bff", "wrong"))
        statuses = [(await gateway.post(GRANT, wrong)).status for _ in range(4)]
        assert statuses == [401, 401, 429, 429]
        right = send_from("198.51.100.7", basic("bff", SECRET))
        assert (await gateway.post(GRANT, right)).status == 200


async def test_only_failed_assertions_are_charged(tmp_path: Path) -> None:
    limits = OAuthSettings(client_limit=Rate(2, 3_600))
    client = make_client("signer", public_keys=[publish("ec")])
    async with serve_oauth(tmp_path, client, oauth=limits, server=BEHIND_PROXY) as gateway:
        for number, address, statuses in (
            (0, "192.0.2.1", [200] * 4),
            (1, "192.0.2.1", [401, 401, 429, 429]),
            (0, "192.0.2.1", [429]),
            (0, "198.51.100.7", [200] * 4),
        ):
            forms = [present(sign(make_claims("signer"), number=number)) for _ in statuses]
            fields = send_from(address)
            assert [(await gateway.post(form, fields)).status for form in forms] == statuses


async def test_the_verifications_of_signatures_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified = list[bytes]()

    def record(key: Key, signing_input: bytes, signature: bytes) -> bool:
        verified.append(signature)
        return is_valid_signature(key, signing_input, signature)

    monkeypatch.setattr(assertion_verifier, "is_valid_signature", record)
    limits = OAuthSettings(address_limit=Rate(3, 3_600))
    client = make_client("signer", public_keys=[publish("rsa")])
    async with serve_oauth(tmp_path, client, oauth=limits) as gateway:
        for number in range(8):
            claims = make_claims("signer" if number % 2 else f"unknown{number}")
            await gateway.post(present(sign(claims, "rsa", 1)))
    assert len(verified) == 3


@pytest.mark.parametrize(
    "send",
    [
        lambda gateway: gateway.post(present(sign(make_claims("signer", aud="https://other")))),
        lambda gateway: gateway.post(present("no.jwt.at-all")),
        lambda gateway: gateway.post(GRANT, {"Authorization": "Basic $$$"}),
        lambda gateway: gateway.post(GRANT, {"Authorization": "Bearer abc"}),
        lambda gateway: gateway.post(GRANT),
    ],
)
async def test_credentials_that_cannot_be_read_are_charged(
    tmp_path: Path, send: Callable[[OAuthGateway], Awaitable[Reply]]
) -> None:
    limits = OAuthSettings(address_limit=Rate(2, 3_600))
    client = make_client("signer", public_keys=[publish("ec")])
    async with serve_oauth(tmp_path, client, oauth=limits) as gateway:
        replies = [await send(gateway) for _ in range(3)]
        assert [reply.status for reply in replies] == [401, 401, 429]
        assert replies[2].document["violated-policies"] == ["oauth_addresses"]
        assert 1 <= int(replies[2].header("retry-after")[0]) <= 3_600
