"""`Simulations`: what a proposed policy would have done with the recorded requests."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from gateway.ops.limit_store import LimitStore, translate_errors
from gateway.ops.models import AffectedKey, Covers, Proposal, SimulatedEffect, SimulationResult
from gateway.ops.ops_errors import SimulationRefused, SimulationsBusy
from gateway.ops.traffic import Recordings, Traffic, explain_absence
from gateway.ops.turns import Turns
from gateway.ratelimit.live.apply_document import apply_document
from gateway.ratelimit.live.live_limits import PolicyView
from gateway.ratelimit.policy_in_force import PolicyInForce
from gateway.ratelimit.simulation.effect import Coverage, Effect, KeyEffect
from gateway.ratelimit.simulation.reproduction import CannotSimulate
from gateway.ratelimit.simulation.run_in_child import run_in_child
from gateway.ratelimit.simulation.task import MAX_KEYS, SimulationOutcome, SimulationTask

MAX_WAITING = 32
"""The simulations that run or wait at a time; each takes up to seconds."""

MAX_WAITING_PER_OPERATOR = 4
"""Those of one operator."""


class Simulations:
    """Simulates proposals against what the processes have recorded, one after the other.

    Operators take turns. A simulation ends with its request: a client that has another proposal
    aborts the one before.
    """

    def __init__(self, store: LimitStore, traffic: Traffic) -> None:
        self._store = store
        self._traffic = traffic
        self._turns = Turns()
        self._in_flight = Counter[str]()  # by operator

    async def simulate(self, name: str, proposal: Proposal, operator: str) -> SimulationResult:
        """Replay the recorded requests with the policy that a PUT of the same fields would make.

        Raises:
            UnknownLimit: there is no policy of this name.
            InvalidChange: the proposal does not fit the policy.
            SimulationRefused: names the reason.
            SimulationsBusy: too many are running or waiting.
        """
        own = self._in_flight[operator]
        if own >= MAX_WAITING_PER_OPERATOR:
            raise SimulationsBusy(f"{own} of your simulations are running or waiting.")
        if self._in_flight.total() >= MAX_WAITING:
            raise SimulationsBusy(f"{MAX_WAITING} simulations are running or waiting.")
        self._in_flight[operator] += 1
        try:
            return await self._simulate(name, proposal, operator)
        finally:
            self._in_flight[operator] -= 1
            if not self._in_flight[operator]:
                del self._in_flight[operator]

    async def _simulate(self, name: str, proposal: Proposal, operator: str) -> SimulationResult:
        view = self._store.find(name)
        # In a thread: a proposal with many overrides takes tens of milliseconds.
        proposed = await asyncio.to_thread(self._prepare, view, proposal)
        recordings = await self._traffic.gather_recordings()
        if not recordings.files:
            raise SimulationRefused(explain_absence(self._traffic, recordings))
        task = SimulationTask(recordings.files, {name: proposed}, {name: view.in_force})
        try:
            async with self._turns.take(operator):
                outcome = await run_in_child(task)
        except CannotSimulate as error:
            raise SimulationRefused(str(error)) from error
        found = outcome.simulation
        if found is None:
            raise SimulationRefused(_explain(outcome, recordings))
        effect = found.effects[name]
        return SimulationResult(
            policy=name,
            reproduced=True,
            covers=_describe_coverage(found.covers, recordings.missing, outcome.unreadable),
            accuracy=found.accuracy,
            restarts_counts=effect.restarts_counts,
            effect=_describe_effect(effect),
            keys=[
                _describe_key(it, self._traffic.describe(it.key))
                for it in effect.list_keys(MAX_KEYS)
            ],
        )

    def _prepare(self, view: PolicyView, proposal: Proposal) -> PolicyInForce:
        """Return what the proposal would put in force."""
        document = self._store.propose(view, proposal)
        with translate_errors():
            applied = apply_document(_find_base(view), document)
        return applied.make_in_force(view.version, time.time())


def _find_base(view: PolicyView) -> PolicyInForce:
    """Return the policy without its live document."""
    if view.settings is not None:
        return PolicyInForce(view.settings, source="settings")
    return PolicyInForce(view.declared)


def _explain(outcome: SimulationOutcome, recordings: Recordings) -> str:
    missing = ", ".join(sorted([*recordings.missing, *outcome.unreadable]))
    return f"{outcome.failure}; no recording came from {missing}" if missing else outcome.failure


def _describe_coverage(
    covers: Coverage, missing: Sequence[str], unreadable: Sequence[str]
) -> Covers:
    left_out = dict(covers.left_out)
    for name in missing:
        left_out[f"all requests of {name}, which has not replied"] = 0
    for name in unreadable:
        left_out[f"all requests of {name}, whose recording cannot be read"] = 0
    return Covers(
        from_=datetime.fromtimestamp(covers.begin, UTC),
        to=datetime.fromtimestamp(covers.end, UTC),
        seconds=round(covers.seconds, 3),
        requests=covers.requests,
        keys=covers.keys,
        processes=sorted(covers.processes),
        left_out=left_out,
    )


def _describe_effect(effect: Effect) -> SimulatedEffect:
    return SimulatedEffect(
        requests=effect.requests,
        newly_refused=effect.newly_refused,
        newly_admitted=effect.newly_admitted,
        refused_before=effect.refused_before,
        refused_after=effect.refused_after,
        shadow_refused=effect.shadow_refused,
    )


def _describe_key(effect: KeyEffect, caller: str | None) -> AffectedKey:
    return AffectedKey(
        key=effect.key,
        caller=caller,
        newly_refused=effect.newly_refused,
        newly_admitted=effect.newly_admitted,
        requests=effect.requests,
    )
