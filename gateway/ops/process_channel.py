"""The messages between gateway processes and the ops app, through Redis: keys, models and bounds.

Each process writes its heartbeat into a key that expires. The ops app sends a request by pushing it
onto a list of the process, which waits there, and pushes the parts of its reply onto another one.
Nothing here needs a permission for channels, and nothing stays: each key expires.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.ratelimit.bounds import USAGE_SECONDS
from gateway.ratelimit.redis.redis_url import create_blocking_pool
from gateway.settings.schema import Settings

BEAT_SECONDS = 1.0
HEARTBEAT_TTL_SECONDS = 5
REQUEST_TTL_SECONDS = 10
REPLY_TTL_SECONDS = 30
INDEX_TTL_SECONDS = 60

MAX_PROCESSES = 256
MAX_HEARTBEAT_BYTES = 65_536
MAX_REPLY_BYTES = 33_554_432
MAX_REPLIES_BYTES = 4 * MAX_REPLY_BYTES
"""The sum of the replies of all processes to one request."""

PART_BYTES = 262_144
END = b""
"""The part that ends a reply."""

FAILURES = (RedisError, OSError, TimeoutError)

_COMMAND_SECONDS = 3.0  # BLPOP waits for one second
_MAX_CONNECTIONS = 4

MAX_COUNT = 2**40
Count = Annotated[int, Field(ge=0, le=MAX_COUNT)]
EpochSeconds = Annotated[float, Field(ge=0, le=7_258_118_400, allow_inf_nan=False)]
"""From the year 1970 to 2200."""


class _Message(BaseModel):
    """A message through Redis, where another program may have written it."""

    model_config = ConfigDict(strict=True)


class Counts(_Message):
    """The requests under a policy in the last ten seconds."""

    allowed: Count
    refused: Count
    shadow_refused: Count


class RecordedSpan(_Message):
    """The recording of a process: its begin and end in epoch seconds, and its requests."""

    begin: EpochSeconds
    end: EpochSeconds
    requests: Count


class Heartbeat(_Message):
    """The state of a process, sent each second; `beat` counts up. Times are epoch seconds."""

    name: str = Field(pattern=r"^[!-~]{1,200}$")
    started_at: EpochSeconds
    beat: int = Field(ge=0, le=2**53)
    usage: dict[str, Counts] = {}
    services: dict[str, str] = {}
    recorded: RecordedSpan | None = None


class ProcessRequest(_Message):
    """A request of the ops app; `policy` and `seconds` are those of the usage."""

    id: str = Field(pattern=r"^[0-9a-f]{32}$")
    wants: Literal["usage", "recording"]
    policy: str = ""
    seconds: int = Field(0, ge=0, le=USAGE_SECONDS)


class ChannelKeys:
    """The names of the keys; each begins with `prefix`."""

    def __init__(self, prefix: str) -> None:
        self.index = f"{prefix}lockgate:processes"
        self._process = f"{prefix}lockgate:process:"

    def heartbeat(self, name: str) -> str:
        """Return the key of the heartbeat of a process."""
        return f"{self._process}{name}"

    def requests(self, name: str) -> str:
        """Return the key of the list of requests to a process."""
        return f"{self._process}{name}:requests"

    def reply(self, name: str, request_id: str) -> str:
        """Return the key of the list with the parts of a reply."""
        return f"{self._process}{name}:reply:{request_id}"


@asynccontextmanager
async def open_channel(settings: Settings) -> AsyncIterator[Redis]:
    """Open connections to `redis_url`, which must be set; they are not those of the rate limits."""
    pool = create_blocking_pool(
        str(settings.redis_url),
        settings.tls.ca_file,
        max_connections=_MAX_CONNECTIONS,
        timeout=_COMMAND_SECONDS,
    )
    async with Redis.from_pool(pool) as redis:
        yield redis
