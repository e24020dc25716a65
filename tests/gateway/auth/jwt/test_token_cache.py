"""The cache of verified tokens behaves like a list in the order of last use."""

from dataclasses import dataclass, replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.auth.jwt.token_cache import TokenCache
from gateway.auth.principal import Principal

MAX_ENTRIES, TTL_SECONDS = 4, 10
NAMES = st.sampled_from([f"token {number}" for number in range(6)])
ISSUERS = st.sampled_from(["a", "b"])


def make_principal(issuer: str, expires_at: float) -> Principal:
    return Principal(issuer, "u1", frozenset(), "u1", None, None, expires_at)


@dataclass(frozen=True)
class ModelEntry:
    token: str
    principal: Principal
    version: int
    cached_at: float


class CacheAgainstModel(RuleBasedStateMachine):
    """The model keeps tokens in the order of their use, the most recent last."""

    def __init__(self) -> None:
        super().__init__()
        self.cache = TokenCache(MAX_ENTRIES, TTL_SECONDS)
        self.model: list[ModelEntry] = []
        self.versions = {"a": 1, "b": 1}
        self.now = 1_000.0

    @rule(token=NAMES, issuer=ISSUERS, life=st.floats(-5, 30))
    def put(self, token: str, issuer: str, life: float) -> None:
        principal = make_principal(issuer, self.now + life)
        self.cache.put(token, principal, self.now, self.versions[issuer])
        if principal.expires_at > self.now:
            self.model = [entry for entry in self.model if entry.token != token]
            self.model.append(ModelEntry(token, principal, self.versions[issuer], self.now))
            self.model = self.model[-MAX_ENTRIES:]

    @rule(token=NAMES)
    def get(self, token: str) -> None:
        found = self.cache.get(token, self.now, self.versions.__getitem__)
        matching = [entry for entry in self.model if entry.token == token]
        self.model = [entry for entry in self.model if entry.token != token]
        valid = [entry for entry in matching if self._is_valid(entry)]
        self.model += valid
        assert found == (valid[0].principal if valid else None)

    def _is_valid(self, entry: ModelEntry) -> bool:
        expires_at = min(entry.cached_at + TTL_SECONDS, entry.principal.expires_at)
        has_current_keys = entry.version == self.versions[entry.principal.issuer]
        return entry.cached_at <= self.now < expires_at and has_current_keys

    @rule(seconds=st.floats(-5, 15))
    def advance_or_set_back_the_clock(self, seconds: float) -> None:
        self.now += seconds

    @rule(issuer=ISSUERS)
    def change_keys(self, issuer: str) -> None:
        self.versions[issuer] += 1

    @invariant()
    def it_is_bounded(self) -> None:
        assert len(self.cache) == len(self.model) <= MAX_ENTRIES


TestCache = CacheAgainstModel.TestCase
TestCache.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


def test_a_ttl_of_zero_disables_the_cache() -> None:
    cache = TokenCache(MAX_ENTRIES, 0)
    cache.put("token", make_principal("a", 2_000), 1_000, 1)
    assert len(cache) == 0


def test_a_clock_that_is_set_back_does_not_prolong_an_entry() -> None:
    cache = TokenCache(MAX_ENTRIES, TTL_SECONDS)
    cache.put("token", make_principal("a", 2_000), 1_000, 1)
    assert cache.get("token", 999, lambda _: 1) is None
    assert cache.get("token", 1_000, lambda _: 1) is None


def test_no_token_is_stored() -> None:
    cache = TokenCache(MAX_ENTRIES, TTL_SECONDS)
    cache.put("secret", replace(make_principal("a", 2_000)), 1_000, 1)
    assert "secret" not in repr(vars(cache))
