"""What the routes of the ops API need; the lifespan opens an object for each."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

from gateway.ops.models import (
    CallerStanding,
    Covers,
    HistoryItem,
    Limit,
    LimitChange,
    LimitUsage,
    Process,
    Proposal,
    SimulationResult,
    UsageRates,
)
from gateway.storage.journal import Author


class LimitStore(ABC):
    """The policies, and their live documents."""

    @abstractmethod
    def list(self) -> Sequence[Limit]:
        """Return all policies by name."""

    @abstractmethod
    def get(self, name: str) -> Limit:
        """Return one policy.

        Raises:
            UnknownLimit: there is none of this name.
        """

    @abstractmethod
    async def replace(
        self, name: str, change: LimitChange, *, version: int, author: Author
    ) -> Limit:
        """Replace the live document that has this version; its overrides stay unless given.

        Raises:
            UnknownLimit: there is no policy of this name.
            InvalidChange: a field does not fit the policy.
            PreconditionFailed: the current version is another one.
            ChangesUnavailable: there is no database, or it does not respond.
        """

    @abstractmethod
    async def patch(self, name: str, change: LimitChange, *, version: int, author: Author) -> Limit:
        """Merge the fields that are set into the live document; see `replace` for the errors."""

    @abstractmethod
    async def roll_back(self, name: str, to: int, *, version: int, author: Author) -> Limit:
        """Put the document of an earlier version in force, as a new version."""

    @abstractmethod
    async def read_history(
        self, name: str, *, limit: int, before: int | None
    ) -> Sequence[HistoryItem]:
        """Return the changes before the entry `before` of the journal, the latest first."""


class CallerKey(NamedTuple):
    """A caller under a policy: `key` as it is shown, or as people write it, such as `user:42`.

    `issuer` names the issuer of a user or of a service, if the settings have several.
    """

    policy: str
    key: str
    issuer: str | None = None


class CallerLookup(ABC):
    """Where one caller stands under one policy."""

    @abstractmethod
    async def look_up(self, caller: CallerKey) -> CallerStanding:
        """Look a caller up by its key; nothing is charged.

        Raises:
            UnknownLimit: there is no policy of this name.
            InvalidChange: the key fits no caller of the policy.
        """

    @abstractmethod
    async def reset(self, caller: CallerKey, author: Author) -> None:
        """Drop the counts of a caller, in Redis and in all processes; see `look_up`."""


class Traffic(ABC):
    """The requests of all gateway processes: their usage and their recordings."""

    @abstractmethod
    async def read_usage(self, policy: str, seconds: int) -> LimitUsage:
        """Return the requests under one policy in the last seconds."""

    @abstractmethod
    async def read_rates(self) -> dict[str, UsageRates]:
        """Return the rates of each policy in the last ten seconds."""

    @abstractmethod
    def list_processes(self) -> Sequence[Process]:
        """Return the processes that are heard."""

    @abstractmethod
    async def simulate(self, policy: str, proposal: Proposal) -> SimulationResult:
        """Replay the recorded requests with a proposed policy.

        Raises:
            InvalidChange: the proposal does not fit the policy.
            SimulationRefused: names the reason.
        """

    @abstractmethod
    async def export(self) -> bytes:
        """Return the recordings as one gzip file."""

    @abstractmethod
    def describe_recording(self) -> Covers | None:
        """Return what the recordings cover; None without any."""
