"""Wrong secrets and failed assertions are limited per address and per client id."""

from pathlib import Path

import pytest

from gateway.settings.rate import Rate
from gateway.settings.schema import OAuthSettings
from tests.gateway.oauth.client_keys import make_claims, present, publish, sign
from tests.gateway.oauth.oauth_gateway import SECRET, basic, make_client, serve_oauth

GRANT = {"grant_type": "client_credentials"}


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


async def test_only_failed_assertions_are_charged(tmp_path: Path) -> None:
    limits = OAuthSettings(client_limit=Rate(2, 3_600))
    client = make_client("signer", public_keys=[publish("ec")])
    async with serve_oauth(tmp_path, client, oauth=limits) as gateway:
        for number, statuses in ((0, [200] * 4), (1, [401, 401, 429, 429]), (0, [200])):
            forms = [present(sign(make_claims("signer"), number=number)) for _ in statuses]
            assert [(await gateway.post(form)).status for form in forms] == statuses
