"""`LivePolicies`: the live documents of this process, and what they put in force."""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from logging import WARNING, getLogger

from gateway.auth.clock import Clock
from gateway.ratelimit.live.apply_document import AppliedDocument, apply_document
from gateway.ratelimit.live.change_errors import InvalidDocument
from gateway.ratelimit.live.live_document import LiveDocument
from gateway.ratelimit.live.stored_limit import StoredLimit
from gateway.ratelimit.policy_in_force import PoliciesInForce, PolicyInForce
from gateway.telemetry.log import LogField, log_event

log = getLogger("lockgate.ratelimit")

_MAX_WAIT_SECONDS = 1.0

NO_POLICY = "the code declares no such policy"


@dataclass(frozen=True, slots=True)
class LiveState:
    """A stored document, and the policy with it; `fault` says why it cannot be used."""

    stored: StoredLimit
    document: LiveDocument | None = None
    applied: AppliedDocument | None = None
    fault: str = ""


class LivePolicies:
    """Puts live documents in force, over what the code and the settings declare.

    A document that does not fit the code, such as after a deployment, is skipped: the policy is
    then as the code and the settings have it.
    """

    # Invariants:
    # - `_bases` never changes: what is in force without a live document.
    # - `_states` has the latest document of each policy that ever had one, also of one that the
    #   code does not declare. Its `seq` only grows, unless another journal is loaded.
    # - `_ends` has the next time at which a value or an override of a policy ends.

    def __init__(self, in_force: PoliciesInForce) -> None:
        self._in_force = in_force
        self._bases: Mapping[str, PolicyInForce] = {it.policy.name: it for it in in_force}
        self._states = dict[str, LiveState]()
        self._ends = dict[str, float]()
        self._changed = asyncio.Event()

    def __repr__(self) -> str:
        versions = {name: state.stored.version for name, state in self._states.items()}
        return f"<{type(self).__name__} versions={versions}>"

    @property
    def names(self) -> list[str]:
        """The names of the policies, in the order of their declaration."""
        return list(self._bases)

    def find_base(self, name: str) -> PolicyInForce | None:
        """Return a policy as the code and the settings declare it; None if they do not."""
        return self._bases.get(name)

    def find_in_force(self, name: str) -> PolicyInForce:
        """Return what is in force of a declared policy."""
        return self._in_force.get(self._bases[name].policy)

    def find_state(self, name: str) -> LiveState:
        """Return the live document of a policy."""
        return self._states.get(name) or LiveState(StoredLimit(name))

    def list_unused(self) -> list[LiveState]:
        """Return the documents of policies that the code does not declare."""
        return [
            state
            for name, state in self._states.items()
            if name not in self._bases and state.stored.document is not None
        ]

    def read_state(self, stored: StoredLimit) -> LiveState:
        """Read a stored document, and apply it to its policy. Changes nothing; may run in a thread.

        A document that cannot be read or does not fit has a `fault`.
        """
        base = self._bases.get(stored.policy)
        if stored.document is None:
            return LiveState(stored)
        try:
            document = LiveDocument.read(stored.document)
        except InvalidDocument as invalid:
            return LiveState(stored, fault=_describe(invalid))
        if base is None:
            return LiveState(stored, document, fault=NO_POLICY)
        try:
            return LiveState(stored, document, apply_document(base, document))
        except InvalidDocument as invalid:
            return LiveState(stored, document, fault=_describe(invalid))

    def put(self, states: Iterable[LiveState], now: float, *, is_complete: bool = False) -> None:
        """Put documents in force; if they are all that there are, in place of all others.

        `now` is in seconds since the epoch.
        """
        by_name = {state.stored.policy: state for state in states}
        if is_complete:
            missing = self._states.keys() - by_name.keys()
            by_name |= {name: LiveState(StoredLimit(name)) for name in missing}
        for name, state in by_name.items():
            former, stored = self.find_state(name).stored, state.stored
            if stored.seq > former.seq or (is_complete and stored != former):
                self._states[name] = state
                _log_change(state)
                self._put_in_force(name, now)

    def end(self, now: float) -> None:
        """Take out of force what has ended; `now` is in seconds since the epoch."""
        for name in [name for name, end in self._ends.items() if end <= now]:
            version = self._states[name].stored.version
            log_event(log, "limits.ended", policy=name, version=version)
            self._put_in_force(name, now)

    async def watch_ends(self, clock: Clock) -> None:
        """Take out of force what ends, on the clock of this process, until cancelled."""
        while True:
            self._changed.clear()
            wait = None
            if self._ends:
                # The clock may be set meanwhile, so it is read at least once a second.
                wait = min(max(0.0, min(self._ends.values()) - clock.now()), _MAX_WAIT_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._changed.wait()
            self.end(clock.now())

    def _put_in_force(self, name: str, now: float) -> None:
        self._ends.pop(name, None)
        base, state = self._bases.get(name), self._states[name]
        if base is None:
            return
        version, applied = state.stored.version, state.applied
        if applied is None:
            self._in_force.replace(name, PolicyInForce(base.policy, version, base.source))
            return
        self._in_force.replace(name, applied.make_in_force(version, now))
        end = applied.find_next_end(now)
        if end is not None:
            self._ends[name] = end
            self._changed.set()


def _log_change(state: LiveState) -> None:
    stored = state.stored
    fields: dict[str, LogField] = {"policy": stored.policy, "version": stored.version}
    if state.fault:
        log_event(log, "limits.unfit", WARNING, **fields, reason=state.fault)
    else:
        author = stored.author
        log_event(log, "limits.changed", **fields, by=author.actor, reason=author.reason)


def _describe(invalid: InvalidDocument) -> str:
    return "; ".join(map(str, invalid.errors))
