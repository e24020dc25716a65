"""Finds the next page of a response with several pages."""

import re
from collections.abc import Callable, Iterator
from typing import TypeVar

import httpx

from gateway.upstream.query import Params
from gateway.upstream.response import UpstreamResponse

T = TypeVar("T")

NextParams = Callable[[UpstreamResponse[T]], Params | None]
"""Returns the query parameters of the page after this one; None after the last page."""

MAX_LINK_CHARACTERS = 8_192
"""The length of a `Link` header up to which it is read."""

# RFC 8288, 3: <target>; name; name=token; name="quoted". A target contains neither "<" nor ">"
# (RFC 3986, 2), and the quantifiers are possessive, so that matching takes linear time.
_PARAM = r';\s*+([\w!#$%&*+.^`|~-]++)(?:\s*+=\s*+(?:"((?:[^"\\]|\\.)*+)"|([^\s";,]*+)))?+'
_LINK = re.compile(rf"<([^<>]*+)>((?:\s*+{_PARAM})*+)", re.ASCII)
_PARAMS = re.compile(_PARAM, re.ASCII)


class InvalidLink(ValueError):
    """The `Link` header of a service cannot be followed; the text says why."""


def get_next_link_params(page: UpstreamResponse[T]) -> Params | None:
    """Return the query parameters of the link with `rel="next"` in the `Link` header (RFC 8288).

    Raises:
        InvalidLink: the header is longer than `MAX_LINK_CHARACTERS`, or the target is not a URL.
    """
    header = page.headers.get("link", "")
    if len(header) > MAX_LINK_CHARACTERS:
        raise InvalidLink(f"the Link header has more than {MAX_LINK_CHARACTERS} characters")
    for target, relations in _iter_links(header):
        if "next" in relations:
            return _parse_query(target)
    return None


def _parse_query(target: str) -> Params:
    try:
        query = httpx.URL(target).params
    except httpx.InvalidURL:
        raise InvalidLink("the link to the next page is not a URL") from None
    return {name: query.get_list(name) for name in query}


def _iter_links(header: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the target and the relation types of each link, in lower case."""
    for target, params, *_ in _LINK.findall(header):
        for name, quoted, token in _PARAMS.findall(params):
            if name.lower() == "rel":
                yield target, (quoted or token).lower().split()
                break  # only the first one counts (RFC 8288, 3.3)
