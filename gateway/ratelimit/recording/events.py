"""The events of a recording: requests with their decisions, settlements, leases and gaps.

All times are in microseconds, on the clock that decided: that of Redis, or of the process.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.ratelimit.limiter import State
from gateway.ratelimit.rule import MICROSECONDS, Rule

IN_FLIGHT = MICROSECONDS
"""How long a check can be on its way and in Redis, in microseconds."""


@dataclass(frozen=True, slots=True)
class RecordedKey:
    """A partition under a policy, and the rules that were in force for it.

    `rules` is empty for a partition that an operator allows without counting, and None for one
    that an operator blocks. `keys` has the key of each rule.
    """

    policy: str
    partition: str
    tier: str | None
    rules: tuple[Rule, ...] | None
    keys: tuple[str, ...]


@dataclass(slots=True)
class RecordedDecision:
    """The decision of one policy about a request.

    `refuses` says whether the policy refuses the request; a shadow never does. `fits` says for each
    rule whether the cost fits, and `remaining` what the rule had left after the decision. Both are
    empty if nothing was counted.
    """

    key: RecordedKey
    cost: int
    refuses: bool
    fits: tuple[bool, ...]
    remaining: tuple[int, ...]


@dataclass(slots=True)
class RecordedRequest:
    """A request, and the decisions of all its policies, which were taken at once.

    `is_counted` is False if it was decided without a look at the counts: its key is blocked, or
    Redis has refused it just before or granted it in advance. `states` has the counts before the
    decision of the keys that were seen for the first time, `leases` has the number of the lease
    that it takes of a key. `granted` further requests of the same keys and costs were charged with
    this one; they come later, and are not counted.
    """

    now: int
    admitted: bool
    is_counted: bool
    decisions: list[RecordedDecision] = field(default_factory=list)
    states: Mapping[str, State] = field(default_factory=dict)
    leases: Mapping[str, int] = field(default_factory=dict)
    granted: int = 0


@dataclass(slots=True)
class RecordedGap:
    """From `now` until `until`, the counts of the keys with this prefix may have changed unseen.

    A key is known again from its next state on. `requests` counts the requests that were decided
    in the gap and that are not recorded.
    """

    now: int
    until: int
    prefix: str
    requests: int


@dataclass(slots=True)
class RecordedSettlement:
    """The charge of one key was corrected: by `difference`, given back if it is negative.

    The request was decided at `decided_at`. The quota given back had been charged at `charged_at`.
    """

    now: int
    key: RecordedKey
    difference: int
    decided_at: int
    charged_at: int


@dataclass(slots=True)
class RecordedLease:
    """A lease of one key was renewed or released, which would have expired at `expires_at`."""

    now: int
    key: RecordedKey
    number: int
    expires_at: int
    is_release: bool


RecordedEvent = RecordedRequest | RecordedGap | RecordedSettlement | RecordedLease
