"""A compiled route gives the response that FastAPI gives, and hands on the same objects.

`gateway/routing/compiled_route.py` and `gateway/routing/dispatcher.py` must agree with FastAPI's
own path through a route; these tests send the same requests along both.
"""

from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors.problem_json import Problem, build_internal_error
from tests.gateway.routing import example_app, failing_app
from tests.gateway.routing.comparison import TwoPaths
from tests.gateway.routing.failing_app import FAILURES, RESULTS

PLACES = ["first", "second", "third", "fourth", "last"]
GOOD = {"Authorization": "Bearer 42-a"}


@pytest.fixture(scope="module")
def paths() -> TwoPaths:
    """The app whose dependencies fail."""
    return TwoPaths(failing_app.build_app(), failing_app.calls)


@pytest.fixture(scope="module")
def examples() -> TwoPaths:
    """The app with a route of every kind."""
    return TwoPaths(example_app.build_app(), example_app.calls)


def test_the_routes_of_these_tests_are_compiled(paths: TwoPaths) -> None:
    assert paths.takes_compiled_path("/in/42/probe/3", GOOD)
    assert paths.takes_compiled_path("/in/42/missing", GOOD)
    assert paths.takes_compiled_path("/direct/42", GOOD)
    assert paths.takes_compiled_path("/read/42/unread", GOOD)


@pytest.mark.parametrize("target", ["/in/42/probe/3", "/direct/42"])
def test_dependencies_get_the_same_objects(paths: TwoPaths, target: str) -> None:
    compiled, general = paths.send(target, GOOD)
    assert any(isinstance(call, dict) for call in compiled.calls)
    assert compiled == general
    assert compiled.status == 200


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", FAILURES)
def test_a_failing_dependency_gives_the_same_error(paths: TwoPaths, place: str, kind: str) -> None:
    target = "/in/42/probe/3?" + urlencode({place: kind})
    assert paths.takes_compiled_path(target, GOOD)
    compiled, general = paths.send(target, GOOD)
    assert compiled == general
    assert compiled.status != 200


@pytest.mark.parametrize("result", RESULTS)
def test_a_result_of_any_kind_gives_the_same_response(paths: TwoPaths, result: str) -> None:
    target = "/in/42/probe/3?" + urlencode({"result": result})
    assert paths.takes_compiled_path(target, GOOD)
    compiled, general = paths.send(target, GOOD)
    assert compiled == general


@pytest.mark.parametrize("token", [None, "bad", "later", "42-b", "43-a", "43-a_any", "42-a"])
@pytest.mark.parametrize("query", ["", "n=6", "n=x", "first=quota&n=6", "last=quota&n=6"])
@pytest.mark.parametrize("number", ["3", "x", "-1", "7", "8"])
def test_refusals_come_in_the_same_order(
    paths: TwoPaths, token: str | None, query: str, number: str
) -> None:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    compiled, general = paths.send(f"/in/42/probe/{number}?{query}", headers)
    assert compiled == general


def test_a_missing_token_is_refused_before_an_invalid_query(paths: TwoPaths) -> None:
    assert [result.status for result in paths.send("/in/42/probe/3?n=6")] == [401, 401]
    assert [result.status for result in paths.send("/in/42/probe/3?n=6", GOOD)] == [422, 422]


@pytest.mark.parametrize("query", ["", "last=quota", "first=quota"])
@pytest.mark.parametrize("path", ["/in/42/missing", "/in/42/missing/last"])
def test_a_missing_resource_fails_where_it_is_declared(
    paths: TwoPaths, path: str, query: str
) -> None:
    compiled, general = paths.send(f"{path}?{query}", GOOD)
    assert compiled == general
    assert compiled.status == (429 if query in {"first=quota", path[-4:] + "=quota"} else 500)


@pytest.mark.parametrize("user_id", ["042", "4_2", "+42"])
@pytest.mark.parametrize("target", ["/in/{}/probe/3", "/direct/{}", "/read/{}/unread"])
def test_ownership_does_not_depend_on_the_path(paths: TwoPaths, target: str, user_id: str) -> None:
    """All dependencies of a route count, those of the routers that include it too."""
    token = {"Authorization": f"Bearer {user_id}-a"}
    compiled, general = paths.send(target.format(quote(user_id, safe="+")), token)
    assert compiled == general
    reads_text = "/probe/" in target  # nothing on that route reads user_id as a number
    assert compiled.status == (200 if reads_text else 403)


@pytest.mark.parametrize("place", ["first", "last"])
def test_an_unknown_error_is_a_problem_on_both_paths(paths: TwoPaths, place: str) -> None:
    expected = build_internal_error("the-same-id")
    for result in paths.send("/in/42/probe/3?" + urlencode({place: "unknown"}), GOOD):
        assert (result.status, result.body, result.error) == (500, expected.body, None)
        assert (b"content-type", Problem.media_type.encode()) in result.headers


@pytest.mark.parametrize("kind", [Exception, 500])
@pytest.mark.parametrize("failure", ["unknown", "http 500", "answered", "answered by failing"])
def test_an_apps_own_handler_of_unknown_errors_is_used_on_both(
    kind: type[Exception] | int, failure: str
) -> None:
    app = failing_app.build_app()
    app.add_exception_handler(kind, failing_app.answer)
    paths = TwoPaths(app, failing_app.calls)
    target = "/in/42/probe/3?" + urlencode({"last": failure})
    assert paths.takes_compiled_path(target, GOOD)
    compiled, general = paths.send(target, GOOD)
    assert compiled == general


TEXTS = st.one_of(
    st.sampled_from(["", "1", "5", "6", "x", "true", "1.5", "+2", " 3", "é", "&", "=", "%", ";"]),
    st.text(max_size=5),
)
HEADER_TEXTS = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=6
)


@settings(deadline=None, max_examples=150)
@given(
    token=st.sampled_from([None, "bad", "later", "42-b", "43-a", "42-a", "42-a", "42-a"]),
    number=st.sampled_from(["3", "3", "7", "8", "x"]),
    query=st.dictionaries(
        st.sampled_from([*PLACES, "n", "result"]),
        st.one_of(st.sampled_from([*FAILURES, *RESULTS]), TEXTS),
        max_size=3,
    ),
    ratio=st.one_of(st.none(), st.sampled_from(["1", "nan", "x", ""]), HEADER_TEXTS),
    cookie=st.one_of(
        st.none(),
        st.sampled_from(["session=1", "session=x", "session=", 'session="3"', "a=1; session=2"]),
        HEADER_TEXTS,
    ),
)
def test_any_request_gives_the_same_result(
    *,
    paths: TwoPaths,
    token: str | None,
    number: str,
    query: dict[str, str],
    ratio: str | None,
    cookie: str | None,
) -> None:
    sent = {"Authorization": token and f"Bearer {token}", "X-Ratio": ratio, "Cookie": cookie}
    headers = {name: value.encode("latin-1") for name, value in sent.items() if value is not None}
    compiled, general = paths.send(f"/in/42/probe/{number}?{urlencode(query)}", headers)
    assert compiled == general


PATHS = st.sampled_from(
    [
        "first/35",
        "first/me",
        "first/-1",
        "first/x",
        "created",
        "dict",
        "list",
        "response",
        "header",
        "cookie",
        "uncached",
    ]
)
NAMES = st.sampled_from(["n", "text", "an-alias", "alias", "name", "number", "refused", "plain"])


@settings(deadline=None, max_examples=150)
@given(path=PATHS, pairs=st.lists(st.tuples(NAMES, TEXTS), max_size=4), plus=st.booleans())
def test_any_query_gives_the_same_result(
    examples: TwoPaths, path: str, pairs: list[tuple[str, str]], plus: bool
) -> None:
    query = "&".join(f"{name}={quote(value, safe='+' if plus else '')}" for name, value in pairs)
    compiled, general = examples.send(f"/things/{path}?{query}")
    assert compiled == general
