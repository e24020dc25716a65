"""`CallerId[int]`: the user id of the caller, as an input of a route or of a part."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from fastapi import Depends
from pydantic import TypeAdapter, ValidationError
from starlette.requests import HTTPConnection

from gateway.auth.dependencies import authenticate
from gateway.errors.tree import UserRequired
from gateway.request_context import RequestContext

T = TypeVar("T")


@dataclass(frozen=True)
class CallerIdLookup:
    """The dependency behind `CallerId`; `kind` is the type that the id is converted to."""

    kind: Any = field(hash=False)  # the metadata of an `Annotated` may have no hash
    _validate: Callable[[str], Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Build the validator once, at import."""
        object.__setattr__(self, "_validate", TypeAdapter(self.kind).validate_python)

    async def __call__(self, connection: HTTPConnection) -> Any:  # noqa: ANN401 - of type `kind`
        """Return the user id of the token.

        Raises:
            Unauthenticated: no token, or one that is not valid.
            IdentityUnavailable: the token's key cannot be fetched now.
            UserRequired: the token has no user id, or one that is not of type `kind`. An id must
                be canonical: "042" is not user 42 (see `ownership.py`).
        """
        principal = await authenticate(connection)
        text = principal.user_id
        if text is None:
            raise _refuse(connection, "no_user")
        try:
            user_id = self._validate(text)
        except ValidationError:
            user_id = None
        if user_id is None or str(user_id) != text:
            raise _refuse(connection, "invalid_user_id")
        return user_id


def _refuse(connection: HTTPConnection, reason: str) -> UserRequired:
    """Return the error for a token without a usable user id; `reason` is only logged."""
    RequestContext.of(connection.scope).log_fields["reason"] = reason
    return UserRequired()


if TYPE_CHECKING:
    CallerId = Annotated[T, "the user id of the caller"]
else:

    class CallerId:
        """`CallerId[int]`: the user id of the caller, converted to that type."""

        def __class_getitem__(cls, kind: type[T]) -> Any:  # noqa: ANN401
            return Annotated[kind, Depends(CallerIdLookup(kind))]
