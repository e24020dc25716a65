"""The gateway as an issuer: open with a key file, and closed to its own tokens."""

import asyncio
from pathlib import Path

import pytest

from gateway.auth.verifier import open_verifier
from gateway.errors.tree import Unauthenticated
from gateway.identity.internal_tokens import InternalTokens
from gateway.identity.key_file_watcher import KeyFileWatcher
from gateway.identity.setting_errors import find_identity_errors
from gateway.resources import Resources
from gateway.settings.errors import InvalidSettings
from gateway.settings.loader import load_settings
from gateway.settings.schema import Identity, Issuer, Server, Settings, Tokens
from gateway.testing import lockgate
from tests.gateway.auth.token_factory import encode_jwk_set
from tests.gateway.identity.callers import make_caller
from tests.gateway.identity.verifiers import GATEWAY
from tests.gateway.unreadable_folder import make_unreadable


async def test_an_internal_token_is_a_401_at_the_public_port_and_at_forward_auth(
    settings: Settings,
) -> None:
    server = Server.model_validate({"trusted_proxies": ["127.0.0.1"], "forward_auth": True})
    asked = {"X-Original-Method": "GET", "X-Original-URI": "/dashboard/42"}
    async with lockgate(settings.model_copy(update={"server": server})) as gateway:
        tokens: InternalTokens = gateway.app.state.resources[InternalTokens]
        caller = make_caller(scopes=frozenset({"dashboard:read"}), expires_at=4e9)
        internal = tokens.issue(caller, "users", ("dashboard:read",))
        own = gateway.token("42", ["dashboard:read"])
        statuses = {
            (path, token): (
                await gateway.get(path, headers={"Authorization": f"Bearer {token}", **asked})
            ).status_code
            for path in ("/dashboard/42", "/auth/verify")
            for token in (own, internal)
        }
    assert statuses == {
        ("/dashboard/42", own): 200,
        ("/dashboard/42", internal): 401,
        ("/auth/verify", own): 200,
        ("/auth/verify", internal): 401,
    }


async def test_an_internal_token_is_refused_by_its_type_even_if_its_keys_were_trusted(
    tokens: InternalTokens, tmp_path: Path
) -> None:
    keys = tmp_path / "public.jwks"
    keys.write_bytes(encode_jwk_set(*tokens.list_public_jwks()))
    trusting = Issuer(issuer=GATEWAY, audience="users", jwks_file=keys)
    token = tokens.issue(make_caller(expires_at=4e9), "users", ())
    async with open_verifier([trusting], Tokens()) as verifier:
        with pytest.raises(Unauthenticated) as refused:
            await verifier.verify(token)
    assert refused.value.reason == "wrong_type"


async def test_without_a_key_file_nothing_is_opened() -> None:
    async with lockgate() as gateway:
        resources: Resources = gateway.app.state.resources
        assert InternalTokens not in resources
        assert KeyFileWatcher not in resources
        ready = await gateway.get("/readyz")
    assert ready.json()["signing_keys"] is None


async def test_a_key_file_that_cannot_be_used_is_refused_at_the_start(
    settings: Settings, key_file: Path
) -> None:
    await asyncio.to_thread(key_file.chmod, 0o644)
    with pytest.raises(InvalidSettings, match=r"identity.signing_key_file: .* has the mode 0644"):
        async with lockgate(settings):
            pass


async def test_a_key_file_that_becomes_bad_is_a_note_in_readyz(
    settings: Settings, key_file: Path
) -> None:
    async with lockgate(settings) as gateway:
        watcher: KeyFileWatcher = gateway.app.state.resources[KeyFileWatcher]
        good = await gateway.get("/readyz")
        await asyncio.to_thread(key_file.write_text, "garbage")
        await watcher.check()
        stale = await gateway.get("/readyz")
        keys = await gateway.get("/.well-known/jwks.json")
    assert (good.json()["status"], good.json()["signing_keys"]) == ("ok", "ok")
    assert (stale.status_code, stale.json()["status"]) == (200, "degraded")
    assert stale.json()["signing_keys"] == "stale"
    assert len(keys.json()["keys"]) == 1


@pytest.mark.parametrize(
    ("issuer", "tenants"),
    [(GATEWAY, ()), ("https://gateway.example.com/{tenantid}", ("a", "b"))],
)
def test_the_issuer_of_the_gateway_may_not_be_a_provider(
    key_file: Path, issuer: str, tenants: tuple[str, ...]
) -> None:
    provider = Issuer.model_validate(
        {"issuer": issuer, "tenants": tenants, "audience": "x", "jwks_url": "https://x/keys"}
    )
    name = issuer.replace("{tenantid}", "b")
    identity = Identity(issuer=name, signing_key_file=key_file)
    values = {"identity": identity, "issuers": (provider,)}
    (error,) = find_identity_errors(load_settings().model_copy(update=values))
    assert error.path == "issuers.0.issuer"


def test_a_key_file_that_cannot_be_reached_is_an_error_of_the_setting(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "signing.jwks"
    file.parent.mkdir()
    settings = Settings(identity=Identity(issuer=GATEWAY, signing_key_file=file))
    with make_unreadable(file.parent):
        [error] = find_identity_errors(settings)
    assert error.path == "identity.signing_key_file"
    assert error.message.startswith(f"{file}: cannot be read by the user ")
    assert not error.hint
    [error] = find_identity_errors(settings)
    assert error.hint == f"run `lockgate signing-keys rotate --file {file}`"
