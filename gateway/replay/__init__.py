"""Remembers what may be used once: the ids of client assertions and of DPoP proofs.

A `ReplayCache` is in Redis, in the database, or in the memory of the process.
"""

from gateway.replay.open_cache import open_replay_cache
from gateway.replay.replay_cache import ReplayCache

__all__ = ["ReplayCache", "open_replay_cache"]
