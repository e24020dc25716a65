"""No chain of exchanges yields more than its first token had, compared with a plain model."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.access import MayExchange
from gateway.auth.jwt.jws import parse_jws
from gateway.auth.jwt.own_token_rules import OwnTokenRules
from gateway.auth.principal import Actor, Principal, SourceToken
from gateway.auth.verifier import JwtVerifier, TrustedIssuer
from gateway.identity.key_timetable import SigningKeys
from gateway.identity.signing_key import generate_signing_key
from gateway.identity.signing_key_provider import SigningKeyProvider
from gateway.oauth.access_tokens import AccessTokens
from gateway.oauth.exchange_policy import ExchangePolicy, ExchangeRequest
from gateway.oauth.exchanged_token import build_exchanged_claims
from gateway.oauth.oauth_errors import InvalidRequest, InvalidScope, InvalidSubjectToken, OAuthError
from gateway.oauth.own_token_keys import OwnKeys, trust_own_tokens
from gateway.settings.schema import Tokens
from tests.gateway.auth.manual_clock import ManualClock

NOW = 1_800_000_000
SECONDS = 600
GATEWAY, PROVIDER, OTHER = "https://gateway.test", "https://id.example", "https://other.example"
KEYS = SigningKeyProvider(SigningKeys([generate_signing_key("ES256", NOW - 100_000)]))
RULES = OwnTokenRules(GATEWAY, [PROVIDER, OTHER])

CLIENTS = ["bff", "relay", "batch"]
SERVICES = ["stock", "orders", "users"]
SCOPES = ["a", "a:any", "b", "b:any", "c"]


def exchange(
    rules: Sequence[MayExchange], subject: Principal, request: ExchangeRequest, now: float
) -> Principal:
    """Return the caller of the token that the gateway issues, as the gateway itself reads it."""
    jws = parse_jws(issue(rules, subject, request, now))
    return RULES.check(json.loads(json.dumps(jws.payload)), jws.type, now)


def issue(
    rules: Sequence[MayExchange], subject: Principal, request: ExchangeRequest, now: float
) -> str:
    """Return the token that the gateway issues."""
    policy = ExchangePolicy(rules, gateway=GATEWAY, providers=[PROVIDER, OTHER], services=SERVICES)
    permission = policy.permit(request, subject)
    client = Actor(GATEWAY, request.client_id)
    claims = build_exchanged_claims(subject, client, permission, now)
    tokens = AccessTokens(
        KEYS, rules=RULES, seconds=SECONDS, max_bytes=8_192, clock=ManualClock(now)
    )
    return tokens.issue(
        claims["sub"],
        request.client_id,
        permission.scopes,
        expires_by=subject.expires_at,
        claims=claims,
    ).text


def make_subject(**changes: Any) -> Principal:
    defaults: dict[str, Any] = {
        "issuer": PROVIDER,
        "subject": "alice",
        "scopes": frozenset(["a", "b:any"]),
        "user_id": "42",
        "service": None,
        "tenant": "acme",
        "expires_at": NOW + 900.0,
        "token_id": "first",
        "issued_at": NOW - 100.0,
    }
    return Principal(**{**defaults, **changes})


# The model: what a token permits as plain sets, and the rules read word by word.


@dataclass(frozen=True)
class Rights:
    """A token as the model sees it; a scope `x:any` includes `x`."""

    scopes: frozenset[str]
    services: frozenset[str]
    is_whole_gateway: bool
    expires_at: float


def get_rights(principal: Principal) -> Rights:
    narrower = {scope.removesuffix(":any") for scope in principal.scopes}
    return Rights(
        principal.scopes | narrower,
        frozenset(SERVICES) if principal.services is None else principal.services,
        principal.services is None,
        principal.expires_at,
    )


def permits(rule: MayExchange, rights: Rights, subject: Principal, it: ExchangeRequest) -> bool:
    """Whether a rule permits a request, by the words of its documentation."""
    passed_on = {*rule.scopes, *(scope.removesuffix(":any") for scope in rule.scopes)}
    whom = set(SERVICES) if "*" in rule.services else set(rule.services)
    whose = set(rule.on_behalf_of)
    if "*" in whose:
        whose |= {PROVIDER, OTHER}
    if "clients" in whose:
        whose.add(GATEWAY)
    has_services = (
        whom & rights.services
        if it.services is None
        else set(it.services) <= (whom & rights.services)
    )
    has_scopes = (
        passed_on & rights.scopes
        if it.scopes is None
        else set(it.scopes) <= (passed_on & rights.scopes)
    )
    return (
        rule.client == it.client_id
        and subject.issuer in whose
        and set(rule.requires) <= rights.scopes
        and bool(has_services)
        and bool(has_scopes)
    )


def lists(values: Sequence[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True)


rules = st.builds(
    MayExchange,
    st.sampled_from(CLIENTS),
    services=st.just("*") | lists(SERVICES),
    scopes=lists(SCOPES),
    on_behalf_of=st.sampled_from(["*", "clients", PROVIDER, OTHER]),
    requires=st.just(()) | lists(SCOPES),
)
requests = st.builds(
    ExchangeRequest,
    st.sampled_from(CLIENTS),
    st.none() | lists([*SERVICES, "unknown"]),
    st.none() | lists(SCOPES).map(tuple),
)
subjects = st.builds(
    make_subject,
    issuer=st.sampled_from([PROVIDER, OTHER, GATEWAY, "https://unknown.example"]),
    scopes=st.frozensets(st.sampled_from(SCOPES)),
    services=st.none() | lists(SERVICES).map(frozenset),
    expires_at=st.floats(NOW - 5, NOW + 2_000),
    actors=st.lists(st.sampled_from([Actor(PROVIDER, it) for it in "vwxyz"]), unique=True).map(
        lambda found: tuple(found[:4])
    ),
    sources=st.lists(st.just(SourceToken(PROVIDER, "earlier", None)), max_size=4).map(tuple),
)
WHOLE = MayExchange("bff", services="*", scopes=SCOPES, on_behalf_of=["*", "clients"])


@given(st.lists(rules, max_size=6), subjects, st.lists(st.tuples(requests, st.integers(0, 400))))
@example([WHOLE], make_subject(), [(ExchangeRequest("bff"), 0)] * 6)
@example([WHOLE], make_subject(services=frozenset(["stock"])), [(ExchangeRequest("bff"), 0)])
def test_a_chain_of_exchanges_never_widens_a_token(
    declared: list[MayExchange], subject: Principal, chain: list[tuple[ExchangeRequest, int]]
) -> None:
    first, now = subject, float(NOW)
    for request, elapsed in chain:
        now += elapsed
        before = get_rights(subject)
        is_permitted = any(permits(rule, before, subject, request) for rule in declared)
        is_short = len(subject.actors) < 4 and len(subject.sources) < 4
        try:
            after = exchange(declared, subject, request, now)
        except OAuthError:
            assert not is_permitted or not is_short or subject.expires_at - now < 2
            continue
        assert is_permitted
        assert is_short
        assert_narrower(after, subject, request, now)
        assert_narrower(after, first, request, now)
        subject = after


def assert_narrower(
    token: Principal, former: Principal, request: ExchangeRequest, now: float
) -> None:
    new, old = get_rights(token), get_rights(former)
    assert new.scopes <= old.scopes
    assert new.services <= old.services
    assert new.is_whole_gateway <= old.is_whole_gateway
    assert new.expires_at <= min(old.expires_at, now + SECONDS)
    if request.services is not None:
        assert token.services == frozenset(request.services)
    if request.scopes is not None:
        assert token.scopes == frozenset(request.scopes)
    assert (token.issuer, token.subject) == (former.issuer, former.subject)
    assert (token.user_id, token.tenant) == (former.user_id, former.tenant)
    assert token.actors[0] == Actor(GATEWAY, request.client_id)
    assert set(former.actors) <= set(token.actors)
    assert {it.token_id for it in former.sources} <= {it.token_id for it in token.sources}
    assert former.token_id in {it.token_id for it in token.sources}


def test_an_endless_chain_of_one_client_is_refused_and_never_cut() -> None:
    subject = make_subject()
    ids = [subject.token_id]
    for _ in range(4):
        subject = exchange([WHOLE], subject, ExchangeRequest("bff"), NOW)
        assert [it.token_id for it in subject.sources] == ids[::-1]
        ids.append(subject.token_id)
    with pytest.raises(InvalidRequest, match="exchanged too often"):
        exchange([WHOLE], subject, ExchangeRequest("bff"), NOW)


@pytest.mark.parametrize("count", [0, 1, 3, 4])
def test_a_chain_of_more_than_four_actors_is_refused(count: int) -> None:
    actors = tuple(Actor(PROVIDER, str(number)) for number in range(count))
    subject = make_subject(actors=actors)
    if count < 4:
        token = exchange([WHOLE], subject, ExchangeRequest("bff"), NOW)
        assert token.actors == (Actor(GATEWAY, "bff"), *actors)
        return
    with pytest.raises(InvalidRequest, match="exchanged too often"):
        exchange([WHOLE], subject, ExchangeRequest("bff"), NOW)


def test_two_clients_in_turn_are_named_once_each() -> None:
    declared = [WHOLE, MayExchange("relay", services="*", scopes="a", on_behalf_of="*")]
    subject = make_subject()
    for client in ("bff", "relay", "bff"):
        subject = exchange(declared, subject, ExchangeRequest(client), NOW)
    assert subject.actors == (Actor(GATEWAY, "bff"), Actor(GATEWAY, "relay"))
    assert len(subject.sources) == 3


@pytest.mark.parametrize(("left", "is_issued"), [(900, True), (2, True), (1.9, False), (-3, False)])
def test_a_token_lives_no_longer_than_that_of_the_subject(left: float, is_issued: bool) -> None:
    subject = make_subject(expires_at=NOW + left)
    if is_issued:
        token = exchange([WHOLE], subject, ExchangeRequest("bff"), NOW + 0.0)
        assert token.expires_at == NOW + min(left, SECONDS)
        return
    with pytest.raises(InvalidSubjectToken, match="has expired"):
        exchange([WHOLE], subject, ExchangeRequest("bff"), NOW + 0.0)


def test_the_caller_is_counted_by_the_same_claims_after_each_exchange() -> None:
    subject = make_subject(claims={"plan": "pro", "https://acme.example/org": "7"})
    for _ in range(3):
        subject = exchange([WHOLE], subject, ExchangeRequest("bff"), NOW)
        assert subject.claims == {"plan": "pro", "https://acme.example/org": "7"}
    assert exchange([WHOLE], make_subject(), ExchangeRequest("bff"), NOW).claims == {}


def test_a_token_without_an_id_is_named_by_its_issuer_and_time() -> None:
    subject = replace(make_subject(), token_id=None)
    token = exchange([WHOLE], subject, ExchangeRequest("bff"), NOW)
    assert token.sources == (SourceToken(PROVIDER, None, NOW - 100.0),)


# What a verifier of a provider's tokens accepts: see `read_id` and `SCOPE`.
ids = st.integers(-(10**19), 10**19).map(str) | st.text(
    st.characters(exclude_categories=("C", "Z")) | st.just(" "), min_size=1, max_size=255
)
long_ids = st.sampled_from(["ä", "x", "\U0001f600"]).map(lambda char: char * 255)
# Of these characters is `*`, which a rule does not take for a scope.
scope_texts = st.text(
    st.characters(min_codepoint=0x23, max_codepoint=0x5B), min_size=1, max_size=60
).filter(lambda text: text != "*")
any_subjects = st.builds(
    make_subject,
    subject=ids | long_ids,
    user_id=st.none() | ids | long_ids,
    tenant=st.none() | ids | long_ids,
    token_id=st.none() | ids,
    claims=st.dictionaries(ids, ids, max_size=3),
    issued_at=st.none() | st.floats(-1e300, 1e300) | st.just(NOW - 0.5),
    expires_at=st.floats(NOW, NOW + 1e9),
    scopes=st.frozensets(scope_texts, max_size=90),
    actors=st.lists(ids | long_ids, max_size=4, unique=True).map(
        lambda found: tuple(Actor(PROVIDER, it) for it in found)
    ),
)


@given(any_subjects, st.integers(1, 64))
@example(make_subject(subject="\U0001f600" * 255, tenant="ä" * 255), 64)
@example(make_subject(user_id="\U0001f600" * 255, tenant="\U0001f600" * 255), 64)
@settings(max_examples=100, deadline=None)
def test_each_token_that_is_issued_is_accepted(subject: Principal, count: int) -> None:
    """The other ones are refused in words, never with an error of the server."""
    rule = MayExchange(
        "bff",
        services=[f"s{number}" for number in range(count)],
        scopes=sorted(subject.scopes) or "a",
        on_behalf_of="*",
    )
    try:
        token = issue([rule], subject, ExchangeRequest("bff"), NOW)
    except (InvalidRequest, InvalidScope):
        return
    provider = TrustedIssuer(None, (), RULES, OwnKeys(PROVIDER, KEYS, ManualClock(NOW)))
    verifier = JwtVerifier({PROVIDER: provider}, Tokens(), ManualClock(NOW))
    trust_own_tokens(GATEWAY, KEYS, verifier, ManualClock(NOW))
    read = asyncio.run(verifier.verify(token))
    assert (read.issuer, read.subject) == (PROVIDER, subject.subject)
    assert (read.user_id, read.tenant) == (subject.user_id, subject.tenant)
    assert len(read.services or ()) == count
    assert read.scopes == subject.scopes
