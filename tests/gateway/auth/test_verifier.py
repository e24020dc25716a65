"""The verifier as a whole: start and stop, claims, expiry, the token cache, several issuers."""

import asyncio
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.auth.verifier import open_verifier
from gateway.errors.tree import Unauthenticated
from gateway.settings.schema import Issuer, Tokens
from tests.gateway.auth.manual_clock import ManualClock, run_ready_tasks
from tests.gateway.auth.token_factory import (
    AUDIENCE,
    ISSUER,
    SigningKey,
    encode_jwk_set,
    get_signing_key,
    make_token,
)

# RFC 7515, appendix A.5: an unsecured JWS.
UNSECURED = (
    "eyJhbGciOiJub25lIn0"
    ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
)


@pytest.fixture
def issuer(jwks_file: Path) -> Issuer:
    return Issuer(issuer=ISSUER, audience=AUDIENCE, jwks_file=jwks_file)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(float(int(time.time())))


async def test_the_principal_has_the_configured_claims(jwks_file: Path, clock: ManualClock) -> None:
    issuer = Issuer(
        issuer=ISSUER,
        audience=AUDIENCE,
        jwks_file=jwks_file,
        user_claim="uid",
        service_claim="azp",
        tenant_claim="org",
        scope_claim="permissions",
    )
    claims = {"uid": "7", "azp": "web", "org": "acme", "permissions": ["a", "b"], "exp": 4e9}
    async with open_verifier([issuer], Tokens(), clock=clock) as verifier:
        principal = await verifier.verify(make_token(claims))
        assert (principal.issuer, principal.subject) == (ISSUER, "u1")
        assert principal.scopes == frozenset({"a", "b"})
        assert (principal.user_id, principal.service, principal.tenant) == ("7", "web", "acme")
        assert principal.expires_at == 4e9
        minimal = await verifier.verify(make_token({"scope": ...}))
        assert (minimal.user_id, minimal.service, minimal.tenant) == (None, None, None)
        assert minimal.scopes == frozenset()


@pytest.mark.parametrize("cache_seconds", [0, 60])
async def test_a_token_expires_at_exp_plus_skew(
    issuer: Issuer, clock: ManualClock, cache_seconds: float
) -> None:
    token = make_token({"exp": clock.time + 30, "iat": ...})
    tokens = Tokens(cache_seconds=cache_seconds)
    async with open_verifier([issuer], tokens, clock=clock) as verifier:
        for seconds in (0, 29, 5.75):  # `exp` is over, the skew of 5 s is not
            await clock.advance(seconds)
            assert await verifier.verify(token)
        await clock.advance(0.25)
        with pytest.raises(Unauthenticated, match="expired"):
            await verifier.verify(token)


@pytest.mark.parametrize("claim", ["nbf", "iat"])
async def test_a_token_is_valid_from_nbf_and_iat_minus_skew(
    issuer: Issuer, clock: ManualClock, claim: str
) -> None:
    token = make_token({claim: clock.time + 10})
    async with open_verifier([issuer], Tokens(), clock=clock) as verifier:
        await clock.advance(4.75)
        with pytest.raises(Unauthenticated, match=r"not_yet_valid|issued_in_the_future"):
            await verifier.verify(token)
        await clock.advance(0.25)
        assert await verifier.verify(token)


async def test_a_token_that_expires_while_it_waits_for_its_key(
    issuer: Issuer, clock: ManualClock, jwks_file: Path
) -> None:
    tokens = Tokens(keys_cooldown_seconds=60)
    new = get_signing_key("ES256", "new")
    token = make_token({"exp": clock.time + 30}, key=new)
    async with open_verifier([issuer], tokens, clock=clock) as verifier:
        waiting = asyncio.create_task(verifier.verify(token))
        await run_ready_tasks()
        assert not waiting.done()
        await asyncio.to_thread(jwks_file.write_bytes, encode_jwk_set(new.jwk()))
        await clock.advance(60)
        with pytest.raises(Unauthenticated, match="expired"):
            await waiting


async def test_a_cached_token_is_not_verified_again(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = make_token()
    async with open_verifier([issuer], Tokens()) as verifier:
        first = await verifier.verify(token)
        monkeypatch.setattr("gateway.auth.jwt.signatures.is_valid_signature", lambda *_: False)
        assert await verifier.verify(token) is first
        with pytest.raises(Unauthenticated):
            await verifier.verify(make_token({"jti": "another"}))


async def test_issuers_do_not_share_keys(jwks_file: Path, tmp_path: Path) -> None:
    other_file = tmp_path / "other.json"
    other_file.write_bytes(encode_jwk_set(get_signing_key("RS256", name="other").jwk()))
    issuers = [
        Issuer(issuer=ISSUER, audience=AUDIENCE, jwks_file=jwks_file, user_claim="sub"),
        Issuer(
            issuer="https://other.test",
            audience=AUDIENCE,
            jwks_file=other_file,
            user_claim="sub",
        ),
    ]
    async with open_verifier(issuers, Tokens()) as verifier:
        assert verifier.health() == {ISSUER: "ok", "https://other.test": "ok"}
        assert await verifier.verify(make_token())
        with pytest.raises(Unauthenticated, match="bad_signature"):
            await verifier.verify(make_token({"iss": "https://other.test"}))


async def test_the_unsecured_example_of_the_rfc_is_refused(issuer: Issuer) -> None:
    async with open_verifier([issuer], Tokens()) as verifier:
        with pytest.raises(Unauthenticated):
            await verifier.verify(UNSECURED)


@pytest.mark.parametrize(("header", "is_named"), [({"nonce": "n"}, True), ({}, False)])
async def test_a_token_of_entra_id_for_microsoft_graph_is_named(
    issuer: Issuer, header: dict[str, str], *, is_named: bool
) -> None:
    # Entra ID signs it with the digest of the nonce, which only Graph knows how to do.
    async with open_verifier([issuer], Tokens()) as verifier:
        with pytest.raises(Unauthenticated, match="bad_signature") as refused:
            await verifier.verify(make_token(header=header, signature=b"x" * 256))
    assert ("for Microsoft Graph" in refused.value.explanation) == is_named


@pytest.mark.parametrize("content", [None, b"", b"[]", b'{"keys":[]}'])
async def test_a_jwks_file_without_keys_is_refused_at_start(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "broken.json"
    if content is not None:
        path.write_bytes(content)
    issuer = Issuer(issuer=ISSUER, audience=AUDIENCE, jwks_file=path)
    with pytest.raises(ValueError, match=f"jwks_file: {path}: "):
        async with open_verifier([issuer], Tokens()):
            pass
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_the_tenants_of_one_issuer_share_its_keys(jwks_file: Path) -> None:
    issuer = Issuer(
        issuer="https://{tenantid}.id.test/{tenantid}/v2.0",
        tenants=("t1", "t2"),
        audience=AUDIENCE,
        jwks_file=jwks_file,
    )
    async with open_verifier([issuer], Tokens()) as verifier:
        assert verifier.health() == {issuer.issuer: "ok"}
        for tenant in ("t1", "t2"):
            name = f"https://{tenant}.id.test/{tenant}/v2.0"
            principal = await verifier.verify(make_token({"iss": name, "tid": tenant}))
            assert principal.issuer == name
        with pytest.raises(Unauthenticated, match="wrong_tenant"):
            await verifier.verify(make_token({"iss": "https://t1.id.test/t1/v2.0", "tid": "t2"}))


async def test_a_token_without_kid_is_refused_if_too_many_keys_fit(tmp_path: Path) -> None:
    file = tmp_path / "many.json"
    keys = [SigningKey(f"{number}", "EdDSA", Ed25519PrivateKey.generate()) for number in range(5)]
    token = make_token(header={"kid": ...}, key=keys[3])
    issuer = Issuer(issuer=ISSUER, audience=AUDIENCE, jwks_file=file)
    file.write_bytes(encode_jwk_set(*(key.jwk(kid=None) for key in keys[:4])))
    async with open_verifier([issuer], Tokens()) as verifier:
        assert await verifier.verify(token)
    await asyncio.to_thread(file.write_bytes, encode_jwk_set(*(key.jwk() for key in keys)))
    async with open_verifier([issuer], Tokens()) as verifier:
        with pytest.raises(Unauthenticated, match="ambiguous_key"):
            await verifier.verify(token)


async def test_an_issuer_listed_twice_is_refused_at_start(issuer: Issuer) -> None:
    with pytest.raises(ValueError, match="twice"):
        async with open_verifier([issuer, issuer], Tokens()):
            pass


async def test_closing_ends_every_task(issuer: Issuer) -> None:
    async with open_verifier([issuer], Tokens()) as verifier:
        assert await verifier.verify(make_token())
        assert len(asyncio.all_tasks()) == 2
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_without_issuers_every_token_is_refused() -> None:
    async with open_verifier([], Tokens()) as verifier:
        assert verifier.health() == {}
        with pytest.raises(Unauthenticated, match="unknown_issuer"):
            await verifier.verify(make_token())


async def test_an_empty_user_claim_gives_no_user_id(issuer: Issuer) -> None:
    without_users = issuer.model_copy(update={"user_claim": ""})
    async with open_verifier([without_users], Tokens()) as verifier:
        principal = await verifier.verify(make_token({"": "42"}))
    assert principal.user_id is None
