"""A decoded response together with its status and header fields."""

from dataclasses import dataclass
from typing import Generic, TypeVar

import httpx

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class UpstreamResponse(Generic[T]):
    """`into=UpstreamResponse[list[Order]]` gives the decoded body and the head of the response.

    `headers` are all fields of the response, such as `Link`, `X-Total-Count` or `ETag`; names
    are looked up without regard to case.
    """

    status: int
    headers: httpx.Headers
    content: T
