"""The HTTP methods as a typed client writes them: a path template, its values, what comes back."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TypeVar

from gateway.upstream.call import Call
from gateway.upstream.pending import PendingCall
from gateway.upstream.query import Params

T = TypeVar("T")


class Verbs(ABC):
    """`await self.get("/users/{user_id}", user_id=7, into=User)`, and its siblings.

    All raise what `call` raises. They are plain functions: what they give is not awaited yet.
    """

    @abstractmethod
    def call(self, call: Call, *, into: type[T]) -> PendingCall[T]:
        """A call that brings back an `into`."""

    def get(
        self,
        path: str,
        *,
        into: type[T],
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **segments: str | int,
    ) -> PendingCall[T]:
        """Read it."""
        call = Call("GET", path, segments, params, headers, timeout=timeout)
        return self.call(call, into=into)

    def delete(
        self,
        path: str,
        *,
        into: type[T],
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **segments: str | int,
    ) -> PendingCall[T]:
        """Remove it."""
        call = Call("DELETE", path, segments, params, headers, timeout=timeout)
        return self.call(call, into=into)

    def post(  # noqa: PLR0913 - one keyword per part of a request
        self,
        path: str,
        *,
        into: type[T],
        json: object = None,
        content: bytes | None = None,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **segments: str | int,
    ) -> PendingCall[T]:
        """Have it processed."""
        call = Call("POST", path, segments, params, headers, json, content, timeout)
        return self.call(call, into=into)

    def put(  # noqa: PLR0913 - one keyword per part of a request
        self,
        path: str,
        *,
        into: type[T],
        json: object = None,
        content: bytes | None = None,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **segments: str | int,
    ) -> PendingCall[T]:
        """Replace it."""
        call = Call("PUT", path, segments, params, headers, json, content, timeout)
        return self.call(call, into=into)

    def patch(  # noqa: PLR0913 - one keyword per part of a request
        self,
        path: str,
        *,
        into: type[T],
        json: object = None,
        content: bytes | None = None,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **segments: str | int,
    ) -> PendingCall[T]:
        """Change a part of it."""
        call = Call("PATCH", path, segments, params, headers, json, content, timeout)
        return self.call(call, into=into)
