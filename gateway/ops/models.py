"""The JSON documents of the ops API. Times are RFC 3339 in UTC."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gateway.ratelimit.bounds import MAX_OVERRIDES, MAX_VERSION
from gateway.ratelimit.key_override import OverrideKind
from gateway.storage.journal_bounds import MAX_TEXT_LENGTH

Kind = Literal["rate", "concurrency"]


def _require_printable(text: str) -> str:
    """Refuse control characters and those that change the direction of the text around them."""
    if not text.isprintable():
        raise ValueError("must have only printable characters")
    return text


def _require_text(text: str) -> str:
    if not text.strip():
        raise ValueError("must have a character that is not a space")
    return text


Printable = AfterValidator(_require_printable)
Reason = Annotated[str, Field(max_length=MAX_TEXT_LENGTH), AfterValidator(_require_text), Printable]
JournalNumber = Annotated[int, Field(ge=0, le=MAX_VERSION)]


class _Sent(BaseModel):
    """A model of what a client sends: a member that it does not have is an error."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class OverrideChange(_Sent):
    """The override of one key, as a client sends it.

    `rate` or `limit` replaces the number of the policy, `times` multiplies it; `block` refuses all
    requests of the key, and `allow` counts none. `until` (RFC 3339) ends the override. `issuer`
    names the issuer of the user, if the settings have several. `caller` must be that of the key, or
    is left out.
    """

    kind: OverrideKind
    rate: str | None = None
    limit: int | None = None
    times: float | None = None
    until: str | None = None
    reason: Annotated[str, Field(max_length=MAX_TEXT_LENGTH), Printable] = ""
    caller: Annotated[str, Field(max_length=256), Printable] | None = None
    issuer: str | None = None


class Proposal(_Sent):
    """The fields of a live document; an absent one has the value of the settings or the code.

    `overrides` maps a key, such as `user:42`, to its override. In a PATCH, null removes a field,
    a tier or an override; an override replaces that of its key. `until` (RFC 3339) ends all values
    of the document, but no override: a PATCH without it leaves the end that there is. Before a
    PATCH is merged, what has ended is dropped.
    """

    rate: str | None = None
    limit: int | None = None
    burst: int | None = None
    shadow: bool | None = None
    tiers: dict[str, str | int | None] | None = None
    prefetch: int | None = None
    until: str | None = None
    overrides: Annotated[
        dict[str, OverrideChange | None] | None, Field(max_length=MAX_OVERRIDES)
    ] = None


class LimitChange(Proposal):
    """A live document and the reason for it, which the journal keeps."""

    reason: Reason


class Rollback(_Sent):
    """The version to go back to; 0 has no live document."""

    version: JournalNumber
    reason: Reason


class Values(BaseModel):
    """The values of a policy; `rate` is null for a concurrency limit, `limit` for a rate limit."""

    rate: str | None
    limit: int | None
    burst: int | None
    shadow: bool
    per: str
    tiers: dict[str, str | int]
    tier_claim: str | None
    without_redis: str
    prefetch: int | None
    cost: int | Literal["per request"]


class Override(BaseModel):
    """The override of one key; `caller` is the key as people read it, if that is known."""

    key: str
    caller: str | None
    kind: OverrideKind
    rate: str | None
    limit: int | None
    times: float | None
    until: datetime | None
    reason: str


class LastChange(BaseModel):
    """The last change of a live document."""

    at: datetime
    by: str
    reason: str


class Limit(BaseModel):
    """A policy: the values in force, and where they come from. Live beats settings beats code.

    `live` is the live document, without what has ended. `version` is that of the live document, 0
    without one. `fault` says why the live document is
    not in force, if it does not fit the code.
    """

    name: str
    kind: Kind
    version: int
    source: Literal["code", "settings", "live"]
    in_force: Values
    declared: Values
    settings: Values | None
    live: dict[str, Any] | None
    changed: LastChange | None
    overrides: list[Override]
    fault: str | None


class UnusedLimit(BaseModel):
    """A live document of a policy that the code no longer declares."""

    name: str
    version: int
    fault: str


class LimitList(BaseModel):
    """All policies, and the live documents that none of them uses."""

    limits: list[Limit]
    unused: list[UnusedLimit] = []


class HistoryItem(BaseModel):
    """A change of a policy, as the journal has it; `from` and `to` are live documents.

    A reset of the counts of a `key` has no version; `caller` is the key as people write it, if that
    was known.
    """

    model_config = ConfigDict(validate_by_name=True)

    seq: int
    version: int | None
    at: datetime
    by: str
    action: str
    reason: str
    from_: dict[str, Any] | None = Field(alias="from")
    to: dict[str, Any] | None
    key: str | None
    caller: str | None = None


class History(BaseModel):
    """The changes of a policy, the latest first."""

    entries: list[HistoryItem]


class TopKey(BaseModel):
    """The requests of one key."""

    key: str
    caller: str | None
    allowed: int
    refused: int


class LimitUsage(BaseModel):
    """The requests under one policy, second by second: `from` is the first second (epoch).

    `fault` says why nothing is known of the traffic, if that is so: then 0 means nothing.
    """

    model_config = ConfigDict(validate_by_name=True)

    policy: str
    from_: int = Field(alias="from")
    step: int
    allowed: list[int]
    refused: list[int]
    shadow_refused: list[int]
    top_keys: list[TopKey]
    fault: str | None = None


class UsageRates(BaseModel):
    """Requests per second over the last ten seconds."""

    allowed: float
    refused: float
    shadow_refused: float


class Process(BaseModel):
    """A gateway process that the ops app hears."""

    name: str
    started_at: datetime
    last_seen_seconds: float


class UsageNow(BaseModel):
    """The rates of all policies now, over all processes; `now` is in seconds (epoch).

    `fault` says why nothing is known of the traffic, if that is so.
    """

    now: float
    policies: dict[str, UsageRates]
    processes: list[Process]
    fault: str | None = None


class RuleStanding(BaseModel):
    """One rule of a policy, and where a caller stands under it; times are in seconds.

    `remaining` is of the `burst`, if there is one, and of the `quota` otherwise.
    """

    label: str
    quota: int
    burst: int | None
    window_seconds: float
    remaining: int
    reset_seconds: float
    retry_after_seconds: float


class CallerStanding(BaseModel):
    """Where one caller stands under a policy, and why."""

    key: str
    caller: str | None
    rules: list[RuleStanding]
    override: Override | None
    limited: bool
    why: str


class Covers(BaseModel):
    """The traffic that a recording covers; `left_out` counts what it does not, by the reason.

    `keys` is null where they have not been counted, as in the status.
    """

    model_config = ConfigDict(validate_by_name=True)

    from_: datetime | None = Field(alias="from")
    to: datetime | None
    seconds: float
    requests: int
    keys: int | None
    processes: list[str]
    left_out: dict[str, int]


class SimulatedEffect(BaseModel):
    """The difference that a proposed policy makes to the recorded requests.

    `shadow_refused` counts those that it would refuse if it were no shadow.
    """

    requests: int
    newly_refused: int
    newly_admitted: int
    refused_before: int
    refused_after: int
    shadow_refused: int


class AffectedKey(BaseModel):
    """The difference that a proposed policy makes to one key."""

    key: str
    caller: str | None
    newly_refused: int
    newly_admitted: int
    requests: int


class SimulationResult(BaseModel):
    """The effect of a proposed policy on the recorded traffic; `keys` are the 20 most affected.

    `reproduced`: the replay of the policy in force gave each recorded decision.
    `restarts_counts`: with the proposed policy, counting would begin anew.
    """

    policy: str
    reproduced: bool
    covers: Covers
    accuracy: str
    restarts_counts: bool
    effect: SimulatedEffect
    keys: list[AffectedKey]


class Component(BaseModel):
    """A service, and its state as the gateway knows it."""

    name: str
    state: str


class Provider(BaseModel):
    """An identity provider, and the state of its keys."""

    issuer: str
    state: str


class OpsStatus(BaseModel):
    """The state of all that the gateway needs, and of the gateway processes."""

    redis: dict[str, str | int]
    database: dict[str, str | int | float]
    providers: list[Provider]
    services: list[Component]
    processes: list[Process]
    recording: Covers | None
