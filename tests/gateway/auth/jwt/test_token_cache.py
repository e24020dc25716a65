"""The cache of verified tokens behaves like a list that is searched from the end."""

from dataclasses import dataclass, replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.auth.jwt.token_cache import TokenCache
from gateway.auth.principal import Principal

MOST, SECONDS = 4, 10
NAMES = st.sampled_from([f"token {number}" for number in range(6)])
ISSUERS = st.sampled_from(["a", "b"])


def principal(issuer: str, expires_at: float) -> Principal:
    return Principal(issuer, "u1", frozenset(), "u1", None, None, expires_at)


@dataclass(frozen=True)
class Remembered:
    token: str
    principal: Principal
    version: int
    at: float


class CacheAgainstModel(RuleBasedStateMachine):
    """The model keeps tokens in the order of their use, the latest last."""

    def __init__(self) -> None:
        super().__init__()
        self.cache = TokenCache(MOST, SECONDS)
        self.model: list[Remembered] = []
        self.versions = {"a": 1, "b": 1}
        self.now = 1_000.0

    @rule(token=NAMES, issuer=ISSUERS, life=st.floats(-5, 30))
    def put(self, token: str, issuer: str, life: float) -> None:
        who = principal(issuer, self.now + life)
        self.cache.put(token, who, self.now, self.versions[issuer])
        if who.expires_at > self.now:
            self.model = [one for one in self.model if one.token != token]
            self.model.append(Remembered(token, who, self.versions[issuer], self.now))
            self.model = self.model[-MOST:]

    @rule(token=NAMES)
    def get(self, token: str) -> None:
        found = self.cache.get(token, self.now, self.versions.__getitem__)
        kept = [one for one in self.model if one.token == token]
        self.model = [one for one in self.model if one.token != token]
        good = [one for one in kept if self._is_good(one)]
        self.model += good
        assert found == (good[0].principal if good else None)

    def _is_good(self, one: Remembered) -> bool:
        return (
            one.at <= self.now < min(one.at + SECONDS, one.principal.expires_at)
            and one.version == self.versions[one.principal.issuer]
        )

    @rule(seconds=st.floats(-5, 15))
    def time_passes_or_is_set_back(self, seconds: float) -> None:
        self.now += seconds

    @rule(issuer=ISSUERS)
    def keys_change(self, issuer: str) -> None:
        self.versions[issuer] += 1

    @invariant()
    def it_is_bounded(self) -> None:
        assert len(self.cache) == len(self.model) <= MOST


TestCache = CacheAgainstModel.TestCase
TestCache.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


def test_no_seconds_means_no_cache() -> None:
    cache = TokenCache(MOST, 0)
    cache.put("token", principal("a", 2_000), 1_000, 1)
    assert len(cache) == 0


def test_a_clock_put_back_lengthens_no_life() -> None:
    cache = TokenCache(MOST, SECONDS)
    cache.put("token", principal("a", 2_000), 1_000, 1)
    assert cache.get("token", 999, lambda _: 1) is None
    assert cache.get("token", 1_000, lambda _: 1) is None


def test_no_token_is_kept() -> None:
    cache = TokenCache(MOST, SECONDS)
    cache.put("secret", replace(principal("a", 2_000)), 1_000, 1)
    assert "secret" not in repr(vars(cache))
