"""OAuth is on only with a database, an issuer and signing keys; else its routes do not exist."""

import time
from pathlib import Path
from typing import Any

import pytest

from gateway.identity.key_file_rotation import rotate_key_file
from gateway.oauth.oauth_requirements import list_missing
from gateway.settings.schema import Identity, Settings
from tests.gateway.auth.token_factory import ISSUER
from tests.gateway.errors.served import build_request, serve
from tests.gateway.oauth.oauth_gateway import GATEWAY, make_settings
from tests.gateway.oauth.own_token_gateway import Signer, find_reason, get, serve_own_tokens

PATHS = ["/oauth/token", "/.well-known/oauth-authorization-server"]


@pytest.mark.parametrize(
    ("without", "missing"),
    [
        ({}, []),
        ({"database_url": None}, ["database_url"]),
        ({"identity": Identity(issuer=GATEWAY)}, ["identity.key_file"]),
        ({"identity": Identity()}, ["identity.issuer", "identity.key_file"]),
    ],
)
async def test_it_needs_three_settings(
    tmp_path: Path, without: dict[str, Any], missing: list[str]
) -> None:
    rotate_key_file(tmp_path / "signing.jwks", "ES256", time.time())
    settings: Settings = make_settings(tmp_path, **without)
    assert list_missing(settings) == missing
    async with serve(settings=settings) as served:
        replies = await served.send(*map(build_request, PATHS))
        expected = [404, 404] if missing else [405, 200]
        assert [reply.status for reply in replies] == expected


async def test_a_provider_that_leaves_the_settings_takes_along_what_was_exchanged(
    tmp_path: Path,
) -> None:
    async with serve_own_tokens(tmp_path) as gateway:
        signer = Signer(gateway)
        issued, own = signer.exchange(), signer.sign()
        assert [(await get(gateway, it)).status for it in (issued, own)] == [200, 200]
    async with serve_own_tokens(tmp_path, issuers=()) as gateway:
        assert (await get(gateway, own)).status == 200
        assert (await get(gateway, issued)).status == 401
        assert find_reason(gateway)[0] == "unknown_issuer"
        assert ISSUER in str(find_reason(gateway)[1])
