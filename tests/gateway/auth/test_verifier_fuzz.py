"""Property-based tests: the verifier accepts only tokens that were signed as they are."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.auth.verifier import TokenVerifier, open_verifier
from gateway.errors.tree import Unauthenticated
from gateway.settings.schema import Issuer, Tokens
from tests.gateway.auth.token_factory import (
    AUDIENCE,
    ISSUER,
    encode_json,
    encode_jwk_set,
    get_signing_keys,
    make_token,
)

SKEW = 5
SEGMENT = st.text("ABCabcxyz019-_=+/ .\n\0é\ud800", max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)


class SharedVerifier:
    """A verifier that all examples share, on an event loop of its own."""

    def __init__(self, runner: asyncio.Runner, verifier: TokenVerifier) -> None:
        self.runner = runner
        self.verifier = verifier

    def accepts(self, token: str) -> bool:
        """Whether the token is accepted. Every error but `Unauthenticated` is raised."""
        try:
            self.runner.run(self.verifier.verify(token))
        except Unauthenticated:
            return False
        return True


@pytest.fixture(scope="module")
def verifier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedVerifier]:
    path = tmp_path_factory.mktemp("keys") / "jwks.json"
    path.write_bytes(encode_jwk_set(*(key.jwk() for key in get_signing_keys().values())))
    issuer = Issuer(issuer=ISSUER, audience=AUDIENCE, jwks_file=path)
    context = open_verifier([issuer], Tokens(keys_cooldown_seconds=0.001))
    with asyncio.Runner() as runner:
        yield SharedVerifier(runner, runner.run(context.__aenter__()))
        runner.run(context.__aexit__(None, None, None))


@settings(max_examples=75, deadline=None)
@given(token=st.text(max_size=60) | st.lists(SEGMENT, max_size=5).map(".".join))
def test_any_text(verifier: SharedVerifier, token: str) -> None:
    assert not verifier.accepts(token)


@settings(max_examples=75, deadline=None)
@given(
    key=st.sampled_from(list(get_signing_keys().values())),
    position=st.floats(0, 1, exclude_max=True),
    inserted=st.text(max_size=2),
    deleted=st.integers(0, 3),
)
def test_a_valid_token_with_one_change(
    verifier: SharedVerifier, key: Any, position: float, inserted: str, deleted: int
) -> None:
    token = make_token(key=key)
    at = int(position * len(token))
    changed = token[:at] + inserted + token[at + deleted :]
    assert verifier.accepts(changed) == (changed == token)


@settings(max_examples=75, deadline=None)
@given(name=st.sampled_from(["alg", "kid", "typ", "crit", "cty", "x"]), value=JSON)
def test_any_header(verifier: SharedVerifier, name: str, value: object) -> None:
    assert verifier.accepts(make_token(header={name: value})) in {False, name == "x"}


@settings(max_examples=75, deadline=None)
@given(name=st.sampled_from(["iss", "aud", "sub", "exp", "nbf", "iat", "scope"]), value=JSON)
def test_any_claim(verifier: SharedVerifier, name: str, value: object) -> None:
    verifier.accepts(make_token({name: value}))


@settings(max_examples=75, deadline=None)
@given(header=st.binary(max_size=60), payload=JSON.map(encode_json))
def test_any_signed_bytes(verifier: SharedVerifier, header: bytes, payload: bytes) -> None:
    assert not verifier.accepts(make_token(payload, header or b"{}"))
    assert not verifier.accepts(make_token(payload))


@settings(max_examples=100, deadline=None)
@given(offset=st.floats(-10_000, 10_000))
def test_expiry_is_exact(verifier: SharedVerifier, offset: float) -> None:
    expires_at = time.time() + offset
    before = time.time()
    accepted = verifier.accepts(make_token({"exp": expires_at, "iat": ...}))
    if accepted:
        assert before < expires_at + SKEW
    else:
        assert time.time() >= expires_at + SKEW
