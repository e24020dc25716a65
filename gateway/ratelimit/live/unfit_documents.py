"""Finds the live documents that do not fit the code and the settings, for `lockgate check`."""

from collections.abc import Mapping
from functools import partial

from sqlalchemy import Connection

from gateway.ratelimit.live.live_policies import LivePolicies, LiveState
from gateway.ratelimit.live.stored_limit import read_limits
from gateway.ratelimit.policy import Policy
from gateway.ratelimit.settings_rates import put_in_force
from gateway.settings.schema import Settings
from gateway.storage.open_storage import read_existing


def find_unfit_documents(settings: Settings, declared: Mapping[str, Policy]) -> list[LiveState]:
    """Return the documents that a start would skip; none if the database cannot be read. Blocks.

    Raises:
        InvalidSettings: the settings set rates that do not fit, or the driver of PostgreSQL is not
            installed.
    """
    if settings.database_url is None:
        return []
    policies = LivePolicies(put_in_force(declared, settings.limits))
    states = read_existing(settings, partial(_read_states, policies=policies)) or []
    return [state for state in states if state.fault]


def _read_states(connection: Connection, policies: LivePolicies) -> list[LiveState]:
    return [policies.read_state(stored) for stored in read_limits(connection)]
