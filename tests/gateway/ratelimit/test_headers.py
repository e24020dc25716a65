"""The `RateLimit` and `RateLimit-Policy` headers, read back with a strict parser."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors.tree import build_retry_after
from gateway.ratelimit.headers import build_rate_limit_headers
from gateway.ratelimit.limiter import Standing, Verdict
from tests.gateway.ratelimit.charges import make_rule
from tests.gateway.ratelimit.structured_fields import parse

DASHBOARDS = make_rule(120, name="dashboards")
CHAT = make_rule(10, 86_400, name="chat")
SHADOW = make_rule(1, 1, name="shadow", shadow=True)


def test_one_policy() -> None:
    fields = build_rate_limit_headers(Verdict.of([Standing(DASHBOARDS, 119, 59.2)], 0))
    assert fields == [
        (b"ratelimit-policy", b'"dashboards";q=120;w=60'),
        (b"ratelimit", b'"dashboards";r=119;t=60'),
    ]


def test_several_policies_without_the_shadow_policy() -> None:
    fields = dict(
        build_rate_limit_headers(
            Verdict.of(
                [Standing(DASHBOARDS, 1, 2), Standing(SHADOW, 0, 1, 1), Standing(CHAT, 3, 4)], 0
            )
        )
    )
    assert parse(fields[b"ratelimit-policy"].decode()) == [
        ("dashboards", {"q": 120, "w": 60}),
        ("chat", {"q": 10, "w": 86_400}),
    ]
    assert [name for name, _ in parse(fields[b"ratelimit"].decode())] == ["dashboards", "chat"]


def test_there_are_no_headers_if_no_policy_was_counted() -> None:
    assert build_rate_limit_headers(Verdict(admitted=True, degraded="allow")) == []


standings = st.lists(
    st.builds(
        Standing,
        st.builds(
            make_rule,
            st.integers(1, 10**9),
            st.integers(1, 10**7),
            name=st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True),
        ),
        st.integers(0, 10**9),
        st.floats(0, 10**7),
        st.sampled_from([0.0, 0.2, 1.0, 30.5, 86_400.0]),
    ),
    min_size=1,
    max_size=4,
)


@given(standings)
def test_they_are_structured_fields_and_never_contradict_retry_after(
    given_standings: list[Standing],
) -> None:
    verdict = Verdict.of(given_standings, 0)
    fields = dict(build_rate_limit_headers(verdict))
    assert len(parse(fields[b"ratelimit-policy"].decode())) == len(given_standings)
    for _, parameters in parse(fields[b"ratelimit"].decode()):
        assert parameters["r"] >= 0
        if not verdict.admitted:
            wait = int(build_retry_after(verdict.retry_after)["Retry-After"])
            assert parameters.get("t", 0) <= wait


@pytest.mark.parametrize(
    "invalid", ["", "a;q=1", '"a";q', '"a";q=1.5', '"a";q=1,', '"a"; q=1', "'a';q=1", '"a";Q=1']
)
def test_the_parser_of_these_tests_is_strict(invalid: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any
        parse(invalid)
