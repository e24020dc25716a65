"""`If-Match`: a change names the version that it is based on, so none overwrites another."""

import re
from typing import Annotated, NamedTuple

from fastapi import Depends, Header, Request

from gateway.auth.dependencies import Caller
from gateway.auth.principal import Principal
from gateway.ops.ops_errors import PreconditionFailed, PreconditionRequired
from gateway.storage.journal import Author
from gateway.storage.journal_bounds import MAX_TEXT_LENGTH

_VERSION_TAG = re.compile(r'"(0|[1-9]\d{0,15})"')


class Editor(NamedTuple):
    """The operator who makes a change, and the version that the change is based on."""

    operator: Principal
    version: int

    def sign(self, reason: str) -> Author:
        """Return the author of the change, for the journal."""
        return create_author(self.operator, reason)


def create_author(operator: Principal, reason: str) -> Author:
    """Return the operator as an author: the subject of the token, with its issuer."""
    return Author(name_operator(operator)[:MAX_TEXT_LENGTH], reason)


def name_operator(operator: Principal) -> str:
    """Return the name of an operator, which no other operator has."""
    return f"{operator.subject} ({operator.issuer})"


def format_version(version: int) -> str:
    """Return the entity tag of a version: `"7"`."""
    return f'"{version}"'


async def read_editor(
    operator: Caller, request: Request, if_match: Annotated[str | None, Header()] = None
) -> Editor:
    """Return the operator, and the version that `If-Match` names.

    Several lines are one list (RFC 9110, section 5.3), which names more than one version. `*` would
    match any version, which is what the precondition is there to prevent.

    Raises:
        PreconditionRequired: there is no `If-Match`.
        PreconditionFailed: it has no version, so it cannot be the current one.
    """
    if if_match is None:
        raise PreconditionRequired(
            'Send If-Match with the version that the change is based on, such as If-Match: "7"; '
            "it is the ETag of GET."
        )
    if_match = ", ".join(request.headers.getlist("if-match"))
    found = _VERSION_TAG.fullmatch(if_match.strip())
    if found is None:
        raise PreconditionFailed(
            f'If-Match is {if_match[:80]!r}; it must be one version, such as "7".'
        )
    return Editor(operator, int(found[1]))


EditedBy = Annotated[Editor, Depends(read_editor)]
