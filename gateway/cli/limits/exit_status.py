"""The exit statuses of `lockgate limits`, beside 2 for invalid arguments or settings."""

from enum import IntEnum


class ExitStatus(IntEnum):
    """How an action has ended."""

    DONE = 0
    FAILED = 1
    """The ops app cannot be reached or has refused, or the change was not confirmed."""
    CONFLICT = 3
    """The policy was changed meanwhile (412): nothing is changed."""
    PLAN_EXCEEDED = 4
    """A plan refuses more requests than `--max-newly-refused`."""
