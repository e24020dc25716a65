"""The trie of paths: it finds every path that may have a request in common, and few others."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.routing import compile_path

from gateway.path_trie import PathTrie

TEXTS = ("", "a", "b", "7", "v-a")
REQUESTS = ["/".join(("", *texts)) for size in (1, 2, 3) for texts in product(TEXTS, repeat=size)]
SEGMENTS = (*TEXTS, "{%s}", "v-{%s}", "{%s}.a", "{%s:int}", "{%s:path}", "v{%s:path}")


def name_parameters(segments: list[str]) -> str:
    named = [it % f"p{index}" if "%" in it else it for index, it in enumerate(segments)]
    return "/".join(["", *named])


PATHS = st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=3).map(name_parameters)


@given(paths=st.lists(PATHS, max_size=6), path=PATHS)
@settings(max_examples=200, deadline=None)
def test_every_path_with_a_request_in_common_is_a_candidate(paths: list[str], path: str) -> None:
    trie: PathTrie[int] = PathTrie()
    for index, each in enumerate(paths):
        trie.add(each, index)
    own = {it for it in REQUESTS if compile_path(path)[0].match(it)}
    common = {i for i, each in enumerate(paths) if any(map(compile_path(each)[0].match, own))}
    candidates = list(trie.find_candidates(path))
    assert common <= set(candidates)
    assert len(candidates) == len(set(candidates))


@pytest.mark.parametrize(
    ("path", "candidates"),
    [
        ("/a/b", {"/a/b", "/a/{x}", "/a/{x:path}", "/{x}/b", "/{x:path}"}),
        ("/a/{y}", {"/a/b", "/a/{x}", "/a/{x:path}", "/{x}/b", "/{x:path}"}),
        ("/a/{y:path}", {"/a/b", "/a/{x}", "/a/{x:path}", "/{x}/b", "/a/{x}/c", "/{x:path}"}),
        ("/a/b/c", {"/a/{x:path}", "/a/{x}/c", "/{x:path}"}),
        ("/a", {"/a", "/{x:path}"}),
        ("/b/{y}", {"/b/c", "/{x}/b", "/{x:path}"}),
    ],
)
def test_paths_that_differ_in_a_literal_segment_are_no_candidates(
    path: str, candidates: set[str]
) -> None:
    trie: PathTrie[str] = PathTrie()
    for each in (
        "/a", "/a/b", "/a/{x}", "/a/{x:path}", "/a/{x}/c", "/b/c", "/{x}/b", "/{x:path}",
    ):  # fmt: skip
        trie.add(each, each)
    assert set(trie.find_candidates(path)) == candidates


@pytest.mark.parametrize("prefix", ["", "/api/v1", "/{tenant}"])
def test_a_long_table_has_few_candidates(prefix: str) -> None:
    trie: PathTrie[str] = PathTrie()
    ends = ["/admin/{path:path}", "/items", "/items/{item}", "/items/{item}/parts", "/{path:path}"]
    paths = [f"{prefix}/service-{index}{end}" for index in range(400) for end in ends]
    found = 0
    for path in paths:
        found += len(list(trie.find_candidates(path)))
        trie.add(path, path)
    assert 400 <= found <= 400 * 10
