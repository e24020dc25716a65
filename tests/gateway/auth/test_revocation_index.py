"""What a revocation names, and which tokens it revokes; compared with a plain reference."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.auth.principal import Actor, Principal, SourceToken
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
    index = RevocationIndex({})
    assert index.find(TOKEN) is None
    index.add([revocation], NOW)
    assert index.find(TOKEN) is (revocation.kind if is_revoked else None)


@pytest.mark.parametrize(
    ("issuer", "skew", "is_revoked"),
    [(ISSUER, 5.0, True), (ISSUER, 4.0, False), (OTHER, 60.0, False)],
)
@pytest.mark.parametrize(
    "revocation",
    [
        revoke(RevocationKind.SUBJECT, ISSUER, "jane", 996),
        revoke(RevocationKind.CLIENT, ISSUER, "bff", 996),
        revoke(RevocationKind.ISSUER, ISSUER, "", 996),
        revoke(RevocationKind.ISSUER, "", "", 996),
    ],
    ids=lambda it: it.kind.value + it.issuer,
)
def test_the_clock_of_an_issuer_may_be_ahead(
    revocation: Revocation, issuer: str, skew: float, is_revoked: bool
) -> None:
    index = RevocationIndex({issuer: skew})
    index.add([revocation], NOW)
    assert index.find(TOKEN) is (revocation.kind if is_revoked else None)


GATEWAY = "https://gateway.test"
EXCHANGED = replace(
    TOKEN,
    token_id="g2",
    issued_at=1_200.0,
    client="cart",
    actors=(Actor(GATEWAY, "cart"), Actor(GATEWAY, "desk"), Actor(ISSUER, "bff")),
    token_issuer=GATEWAY,
    sources=(SourceToken(GATEWAY, "g1", 1_100.0), SourceToken(ISSUER, "t1", 1_000.0)),
)


@pytest.mark.parametrize(
    ("revocation", "is_revoked"),
    [
        (revoke(RevocationKind.TOKEN, GATEWAY, "g2"), True),
        (revoke(RevocationKind.TOKEN, GATEWAY, "g1"), True),
        (revoke(RevocationKind.TOKEN, ISSUER, "t1"), True),
        (revoke(RevocationKind.TOKEN, ISSUER, "g2"), False),
        (revoke(RevocationKind.TOKEN, GATEWAY, "t1"), False),
        # The subject is that of the first token, so it counts when that one was issued.
        (revoke(RevocationKind.SUBJECT, ISSUER, "jane", 1_001), True),
        (revoke(RevocationKind.SUBJECT, ISSUER, "jane", 1_000), False),
        (revoke(RevocationKind.SUBJECT, GATEWAY, "jane", 2_000), False),
        (revoke(RevocationKind.ISSUER, ISSUER, "", 1_001), True),
        (revoke(RevocationKind.ISSUER, ISSUER, "", 1_000), False),
        (revoke(RevocationKind.ISSUER, GATEWAY, "", 1_101), True),
        (revoke(RevocationKind.ISSUER, GATEWAY, "", 1_100), False),
        (revoke(RevocationKind.ISSUER, "", "", 1_001), True),
        (revoke(RevocationKind.ISSUER, "", "", 1_000), False),
        # A client whose secret is replaced may go on to exchange the tokens of its users.
        (revoke(RevocationKind.CLIENT, GATEWAY, "cart", 1_101), True),
        (revoke(RevocationKind.CLIENT, GATEWAY, "cart", 1_100), False),
        (revoke(RevocationKind.CLIENT, GATEWAY, "desk", 1_101), True),
        (revoke(RevocationKind.CLIENT, ISSUER, "bff", 1_001), True),
        (revoke(RevocationKind.CLIENT, ISSUER, "bff", 1_000), False),
        (revoke(RevocationKind.CLIENT, ISSUER, "cart", 2_000), False),
    ],
)
def test_an_exchanged_token_is_named_by_those_that_it_comes_from(
    revocation: Revocation, is_revoked: bool
) -> None:
    index = RevocationIndex({})
    index.add([revocation], NOW)
    assert index.find(EXCHANGED) is (revocation.kind if is_revoked else None)


def test_a_source_without_iat_or_jti_is_revoked_with_all_of_its_issuer() -> None:
    token = replace(EXCHANGED, sources=(SourceToken(ISSUER, None, None),))
    index = RevocationIndex({})
    index.add([revoke(RevocationKind.ISSUER, GATEWAY, "", 1_100)], NOW)
    assert index.find(token) is None
    index.add([revoke(RevocationKind.SUBJECT, ISSUER, "jane", 1)], NOW)
    assert index.find(token) is RevocationKind.SUBJECT


def test_a_token_without_iat_is_revoked_by_each_time() -> None:
    index = RevocationIndex({})
    index.add([revoke(RevocationKind.SUBJECT, ISSUER, "jane", 1)], NOW)
    assert index.find(TOKEN) is None
    assert index.find(replace(TOKEN, issued_at=None)) is RevocationKind.SUBJECT


def test_a_token_without_jti_is_not_revoked_by_a_token_id() -> None:
    index = RevocationIndex({})
    index.add([revoke(RevocationKind.TOKEN, ISSUER, "t1")], NOW)
    assert index.find(replace(TOKEN, token_id=None)) is None


def test_expired_revocations_are_forgotten_when_others_come() -> None:
    index = RevocationIndex({})
    for number in range(100):
        index.add([revoke(RevocationKind.TOKEN, ISSUER, f"t{number}")], NOW)
    assert len(index) == 100
    for number in range(50):
        late = Revocation(RevocationKind.TOKEN, ISSUER, f"late{number}", 0.0, 9_000.0)
        index.add([late], 5_000.0)
    assert len(index) == 50
    assert "50 revocations" in repr(index)


def test_a_revocation_that_is_prolonged_is_kept() -> None:
    index = RevocationIndex({})
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
    partial(replace, TOKEN),
    issuer=ISSUERS,
    subject=NAMES,
    token_id=st.none() | NAMES,
    issued_at=st.none() | TIMES,
    actors=st.lists(st.builds(Actor, ISSUERS, NAMES), max_size=2).map(tuple),
    token_issuer=ISSUERS,
    sources=st.lists(
        st.builds(SourceToken, ISSUERS, st.none() | NAMES, st.none() | TIMES), max_size=2
    ).map(tuple),
)


def names(revocation: Revocation, principal: Principal, skews: Mapping[str, float]) -> bool:
    """The rule, without an index."""
    own = SourceToken(principal.token_issuer, principal.token_id, principal.issued_at)
    tokens = [own, *principal.sources]
    match revocation.kind:
        case RevocationKind.TOKEN:
            return any(it[:2] == (revocation.issuer, revocation.value) for it in tokens)
        case RevocationKind.SUBJECT:
            named = (principal.issuer, principal.subject)
            is_named = named == (revocation.issuer, revocation.value)
        case RevocationKind.CLIENT:
            is_named = Actor(revocation.issuer, revocation.value) in principal.actors
        case RevocationKind.ISSUER:
            issuers = {principal.issuer, *(it.issuer for it in tokens)}
            is_named = revocation.issuer in issuers
    is_of_subject = revocation.kind is RevocationKind.SUBJECT
    of_issuer = [it for it in tokens if it.issuer == revocation.issuer and not is_of_subject]
    return is_named and any(
        it.issued_at is None or it.issued_at - skews.get(it.issuer, 0) < revocation.issued_before
        for it in of_issuer or tokens
    )


@given(
    st.lists(REVOCATIONS, max_size=6),
    PRINCIPALS,
    st.dictionaries(ISSUERS, st.integers(0, 3).map(float)),
)
def test_the_index_finds_what_the_rule_names(
    revocations: list[Revocation], principal: Principal, skews: Mapping[str, float]
) -> None:
    index = RevocationIndex(skews)
    for revocation in revocations:
        index.add([revocation], -1.0)
    assert (index.find(principal) is not None) == any(
        names(revocation, principal, skews) for revocation in revocations
    )
