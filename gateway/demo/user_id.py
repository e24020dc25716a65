"""The user ids that the services accept in a path or a query."""

import re

from starlette.exceptions import HTTPException

MAX_ID = 2**63 - 1

_ID = re.compile(r"[1-9][0-9]{0,18}")


def parse_user_id(text: str | None) -> int:
    """Parse a user id from a path or a query.

    Raises:
        HTTPException: 422 if it is missing, 404 if it is not an integer from 1 to `MAX_ID`.
    """
    if text is None:
        raise HTTPException(422, "user_id is missing.")
    if not _ID.fullmatch(text) or int(text) > MAX_ID:
        raise HTTPException(404, "There is no such user.")
    return int(text)
