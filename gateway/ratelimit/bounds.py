"""The bounds of what operators send and read.

The live limits, the ops API and `lockgate limits` share them. This module imports nothing, so that
the command can use them without a gateway.
"""

MAX_OVERRIDES = 500
"""The overrides of one policy."""

MAX_TIMES = 1_000_000
"""The factor of an override."""

MAX_ENTRIES = 200
"""The entries of one page of a history."""

MAX_VERSION = 2**53 - 1
"""A number of a version or of an entry, which JavaScript and every database have as it is."""

USAGE_SECONDS = 600
"""How many seconds a process keeps its usage, the current one included."""
