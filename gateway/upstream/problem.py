"""Refusals of a service that the gateway passes on to its own caller as declared problems."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic.dataclasses import is_pydantic_dataclass
from pydantic_core import to_jsonable_python

from gateway.upstream.errors import UpstreamRefused
from gateway.upstream.model import ResponseModel

PROBLEM_MEDIA_TYPE = "application/problem+json"

ABOUT_BLANK = "about:blank"
"""The type of a problem that its status describes completely (RFC 9457, 4.2.1)."""

_STANDARD_MEMBERS = frozenset({"type", "title", "status", "detail", "instance"})  # RFC 9457, 3.1

# Statuses about the gateway as a client of the service, not about the gateway's own caller:
# missing or invalid credentials of the gateway, and too many requests of the gateway.
_NOT_PASSED_ON = frozenset({401, 407, 429})


@dataclass(frozen=True, slots=True)
class ProblemDeclaration:
    """The problem document of a class of problems (RFC 9457).

    Without a `title`, the phrase of the status is sent. `members` is the model of the members.
    """

    status: int
    type_uri: str
    title: str | None
    detail: str
    members: type[ResponseModel] | None


class UpstreamProblem(UpstreamRefused):
    """A refusal of a service with which the gateway responds to its caller.

        class OrderConflict(
            UpstreamProblem,
            status=409,
            type="https://shop.example/problems/order-conflict",
            title="The order has changed",
            members=CurrentVersion,
        ):
            pass

    `PendingCall.or_raise(OrderConflict)` raises it if the service responds with this status. If a
    required part or the endpoint raises it, the gateway responds with the same status and this
    problem document. An optional part is missing with the reason `refused`.

    Without a `type`, the type is `about:blank` and the title the phrase of the status. `detail`
    is a sentence for people. `members` declares which members of the service's JSON body become
    members of the document; nothing else of the body is passed on. Members need a `type`, by which
    a client knows them. `raises` lists the problem in OpenAPI.

    Raises:
        TypeError: at import, if the status cannot be passed on, a member is a standard one, or
            there are members without a `type`.
    """

    declaration: ClassVar[ProblemDeclaration]

    def __init_subclass__(
        cls,
        *,
        status: int,
        type: str = ABOUT_BLANK,  # noqa: A002 - RFC 9457's name
        title: str | None = None,
        detail: str = "The service refused the request.",
        members: type[ResponseModel] | None = None,
    ) -> None:
        """Check the declaration, and store it in `declaration`."""
        super().__init_subclass__()
        if not 400 <= status <= 499 or status in _NOT_PASSED_ON:
            raise TypeError(
                f"{cls.__name__}: status={status} cannot be passed on; declare a status from 400 "
                "to 499, but not 401, 407 or 429, which are about the gateway itself"
            )
        if clash := _STANDARD_MEMBERS.intersection(_iter_names(members)):
            raise TypeError(f"{cls.__name__}: {', '.join(sorted(clash))} cannot be a member")
        if members is not None and type == ABOUT_BLANK:
            raise TypeError(
                f"{cls.__name__}: members={members.__name__} needs a problem type; add "
                'type="https://..." (RFC 9457, 4.2.1: about:blank has no members)'
            )
        cls.declaration = ProblemDeclaration(status, type, title, detail, members)

    def __init__(self, refusal: UpstreamRefused) -> None:
        """Create the problem for a refusal.

        Raises:
            UpstreamInvalid: the body of the refusal does not have the declared members.
        """
        super().__init__(
            refusal.service,
            refusal.operation,
            refusal.detail,
            status=refusal.status,
            response=refusal.response,
        )
        model = self.declaration.members
        decoded = None if model is None else refusal.decode(model)
        self.members: dict[str, Any] = {} if decoded is None else to_jsonable_python(decoded)


def _iter_names(model: type[ResponseModel] | None) -> Iterator[str]:
    """Yield the names under which the fields and the computed fields of a model are sent."""
    if model is None or not is_pydantic_dataclass(model):
        return
    for name, info in model.__pydantic_fields__.items():
        yield info.serialization_alias or name
    for name, decorator in model.__pydantic_decorators__.computed_fields.items():
        yield decorator.info.alias or name
