"""What a revocation names, and which tokens it revokes; compared with a plain reference."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.auth.principal import Actor, Principal
from gateway.auth.revocation_index import Revocation, RevocationIndex, RevocationKind

ISSUER, OTHER = "https://iss.test", "https://other.test"
NOW = 1_500.0
TOKEN = Principal(
    issuer=ISSUER,
    subject="jane",
    scopes=frozenset(),
    user_id="jane",
    service=None,
    tenant=None,
    expires_at=2_000.0,
    token_id="t1",
    issued_at=1_000.0,
    client="bff",
    actors=(Actor(ISSUER, "bff"), Actor(OTHER, "jobs")),
)


def revoke(kind: RevocationKind, issuer: str, value: str, before: float = 0.0) -> Revocation:
    return Revocation(kind, issuer, value, before, 5_000.0)


@pytest.mark.parametrize(
    ("revocation", "is_revoked"),
    [
        (revoke(RevocationKind.TOKEN, ISSUER, "t1"), True),
        (revoke(RevocationKind.TOKEN, OTHER, "t1"), False),
        (revoke(RevocationKind.TOKEN, ISSUER, "t2"), False),
        (revoke(RevocationKind.SUBJECT, ISSUER, "jane", 1_001), True),
        (revoke(RevocationKind.SUBJECT, ISSUER, "jane", 1_000), False),
        (revoke(RevocationKind.SUBJECT, OTHER, "jane", 1_001), False),
        (revoke(RevocationKind.CLIENT, ISSUER, "bff", 1_001), True),
        (revoke(RevocationKind.CLIENT, ISSUER, "bff", 999), False),
        (revoke(RevocationKind.CLIENT, OTHER, "jobs", 1_001), True),
        (revoke(RevocationKind.CLIENT, ISSUER, "jobs", 1_001), False),
        (revoke(RevocationKind.ISSUER, ISSUER, "", 1_001), True),
        (revoke(RevocationKind.ISSUER, ISSUER, "", 1_000), False),
        (revoke(RevocationKind.ISSUER, OTHER, "", 1_001), False),
        (revoke(RevocationKind.ISSUER, "", "", 1_001), True),
        (revoke(RevocationKind.ISSUER, "", "", 1_000), False),
    ],
)
def test_a_revocation_names_tokens(revocation: Revocation, is_revoked: bool) -> None:
    index = RevocationIndex()
    assert index.find(TOKEN) is None
    index.add([revocation], NOW)
    assert index.find(TOKEN) is (revocation.kind if is_revoked else None)


def test_a_token_without_iat_is_revoked_by_each_time() -> None:
    index = RevocationIndex()
    index.add([revoke(RevocationKind.SUBJECT, ISSUER, "jane", 1)], NOW)
    assert index.find(TOKEN) is None
    assert index.find(replace(TOKEN, issued_at=None)) is RevocationKind.SUBJECT


def test_a_token_without_jti_is_not_revoked_by_a_token_id() -> None:
    index = RevocationIndex()
    index.add([revoke(RevocationKind.TOKEN, ISSUER, "t1")], NOW)
    assert index.find(replace(TOKEN, token_id=None)) is None


def test_expired_revocations_are_forgotten_when_others_come() -> None:
    index = RevocationIndex()
    for number in range(100):
        index.add([revoke(RevocationKind.TOKEN, ISSUER, f"t{number}")], NOW)
    assert len(index) == 100
    for number in range(50):
        late = Revocation(RevocationKind.TOKEN, ISSUER, f"late{number}", 0.0, 9_000.0)
        index.add([late], 5_000.0)
    assert len(index) == 50
    assert "50 revocations" in repr(index)


def test_a_revocation_that_is_prolonged_is_kept() -> None:
    index = RevocationIndex()
    index.add([revoke(RevocationKind.TOKEN, ISSUER, "t1")], NOW)
    index.add([Revocation(RevocationKind.TOKEN, ISSUER, "t1", 0.0, 9_000.0)], NOW)
    index.add([revoke(RevocationKind.TOKEN, OTHER, "t2")], 5_000.0)
    assert index.find(TOKEN) is RevocationKind.TOKEN


NAMES = st.sampled_from(["a", "b"])
ISSUERS = st.sampled_from([ISSUER, OTHER])
TIMES = st.integers(0, 5).map(float)
REVOCATIONS = st.builds(
    Revocation, st.sampled_from(RevocationKind), ISSUERS, NAMES, TIMES, TIMES
).map(lambda it: replace(it, value="") if it.kind is RevocationKind.ISSUER else it)
PRINCIPALS = st.builds(
    lambda issuer, subject, token_id, issued_at, actors: replace(
        TOKEN, issuer=issuer, subject=subject, token_id=token_id, issued_at=issued_at, actors=actors
    ),
    ISSUERS,
    NAMES,
    st.none() | NAMES,
    st.none() | TIMES,
    st.lists(st.builds(Actor, ISSUERS, NAMES), max_size=2).map(tuple),
)


def names(revocation: Revocation, principal: Principal) -> bool:
    """The rule, without an index."""
    match revocation.kind:
        case RevocationKind.TOKEN:
            named = (principal.issuer, principal.token_id)
            return named == (revocation.issuer, revocation.value)
        case RevocationKind.SUBJECT:
            is_named = (principal.issuer, principal.subject) == (
                revocation.issuer,
                revocation.value,
            )
        case RevocationKind.CLIENT:
            is_named = Actor(revocation.issuer, revocation.value) in principal.actors
        case RevocationKind.ISSUER:
            is_named = revocation.issuer == principal.issuer
    issued_at = principal.issued_at
    return is_named and (issued_at is None or issued_at < revocation.issued_before)


@given(st.lists(REVOCATIONS, max_size=6), PRINCIPALS)
def test_the_index_finds_what_the_rule_names(
    revocations: list[Revocation], principal: Principal
) -> None:
    index = RevocationIndex()
    for revocation in revocations:
        index.add([revocation], -1.0)
    assert (index.find(principal) is not None) == any(
        names(revocation, principal) for revocation in revocations
    )
