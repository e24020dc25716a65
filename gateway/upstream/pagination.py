"""How to find the next page of a response that has several."""

import re
from collections.abc import Callable, Iterator
from typing import TypeVar

import httpx

from gateway.upstream.query import Params
from gateway.upstream.response import UpstreamResponse

T = TypeVar("T")

NextParams = Callable[[UpstreamResponse[T]], Params | None]
"""Returns the query parameters of the page after this one; None after the last page."""

# RFC 8288, 3: <target>; name; name=token; name="quoted".
_PARAM = r';\s*([\w!#$%&*+.^`|~-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s";,]*)))?'
_LINK = re.compile(rf"<([^>]*)>((?:\s*{_PARAM})*)", re.ASCII)
_PARAMS = re.compile(_PARAM, re.ASCII)


def get_next_link_params(page: UpstreamResponse[T]) -> Params | None:
    """Return the query parameters of the link with `rel="next"` in the `Link` header (RFC 8288).

    Raises:
        httpx.InvalidURL: the target of the link is not a URL.
    """
    for target, relations in _iter_links(page.headers.get("link", "")):
        if "next" in relations:
            query = httpx.URL(target).params
            return {name: query.get_list(name) for name in query}
    return None


def _iter_links(header: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the target and the relation types of each link, in lower case."""
    for target, params, *_ in _LINK.findall(header):
        for name, quoted, token in _PARAMS.findall(params):
            if name.lower() == "rel":
                yield target, (quoted or token).lower().split()
                break  # only the first one counts (RFC 8288, 3.3)
