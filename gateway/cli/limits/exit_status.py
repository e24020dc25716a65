"""The exit statuses of `lockgate limits`, beside 2 for invalid arguments and 130 for Ctrl-C."""

from enum import IntEnum


class ExitStatus(IntEnum):
    """How an action has ended."""

    DONE = 0
    FAILED = 1
    """The ops app cannot be reached, has refused or knows no traffic, or there was no yes."""
    CONFLICT = 3
    """The policy was changed meanwhile (412): nothing is changed."""
    PLAN_EXCEEDED = 4
    """A plan refuses more requests than `--max-newly-refused`."""
