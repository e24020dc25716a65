"""Remembers what may be used once: the ids of client assertions and of DPoP proofs.

A `TableReplayCache` in the database for assertions; for proofs, of which there are many, a cache in
Redis or in the memory of the process.
"""

from gateway.replay.open_cache import is_shared_cache_missing, open_replay_cache
from gateway.replay.replay_cache import ReplayCache
from gateway.replay.table_cache import TableReplayCache

__all__ = ["ReplayCache", "TableReplayCache", "is_shared_cache_missing", "open_replay_cache"]
