"""A decoded response together with its status and header fields."""

from dataclasses import dataclass
from typing import Generic, TypeVar

import httpx

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class UpstreamResponse(Generic[T]):
    """The decoded body, status and header fields, for `into=UpstreamResponse[list[Order]]`.

    `headers` are all fields of the response, such as `Link`, `X-Total-Count` or `ETag`; names
    are case-insensitive.
    """

    status: int
    headers: httpx.Headers
    content: T
