"""Compares entity tags: whether a client has the representation already (RFC 9110, 13.1.2)."""

from starlette.datastructures import Headers


def is_not_modified(headers: Headers, etag: str) -> bool:
    """Whether `If-None-Match` names the entity tag, so that the response to a GET is 304.

    The comparison is weak (RFC 9110, 8.8.3.2). `*` names every representation.
    """
    condition = ",".join(headers.getlist("if-none-match"))
    return condition.strip() == "*" or etag.removeprefix("W/") in condition
