"""Describes a failure of Redis in words, with what an operator can do about it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import InvalidResponse, RedisError, ResponseError

MAX_CHARACTERS = 300

_PERMISSION = "the user of redis_url lacks a permission; the documentation lists all of them"

# A part of an error of Redis -> what it means here. The first that occurs is taken.
_HINTS: Mapping[str, str] = {
    "NOAUTH": "redis_url has no password, and this Redis requires one",
    "WRONGPASS": "the user or the password of redis_url is wrong; @ / # % in them are written as "
    "%40 %2F %23 %25",
    "invalid password": "the password of redis_url is wrong",
    "without any password configured": "this Redis has no password; remove it from redis_url",
    "NOPERM": _PERMISSION,
    "no permissions": _PERMISSION,
    "executing the script can't": _PERMISSION,
    "READONLY": "this is a replica; redis_url must name the primary",
    "LOADING": "it starts, and reads its data",
    "MASTERDOWN": "this is a replica without its primary; redis_url must name the primary",
    "OOM": "its maxmemory is reached",
    "EPOCH": "it has lost its counts: each process restores what it remembers of them",
    "MISCONF": "it cannot save its data to disk, and refuses to write",
    "NOREPLICAS": "it has too few replicas to write (min-replicas-to-write)",
    "DENIED": "protected mode: set a password, or bind Redis to a private network",
    "max number of clients": "it has as many connections as maxclients allows",
    "MOVED": "this is a node of a Redis Cluster, which the gateway does not support",
    "CROSSSLOT": "this is a Redis Cluster, which the gateway does not support",
    "CLUSTERDOWN": "this is a Redis Cluster, which the gateway does not support",
    "unknown command": "it has no scripts: the gateway needs EVALSHA and EVAL",
    "DB index is out of range": "redis_url names a database that this Redis does not have",
}
_TLS_HINT = "does this port speak TLS? Without TLS, redis_url begins with redis://"
_PLAIN_HINT = (
    "is maxclients reached, or does this port speak TLS? With TLS, redis_url begins with rediss://"
)
_CLOSED_HINT = "it accepts a connection, and closes it: is maxclients reached, or does it stop?"
_LOST_HINT = "Redis, or a proxy in front of it, has closed a connection that worked"


class RedisClusterUnsupported(RedisError):
    """The server is a node of a Redis Cluster: a check would have to go to the node of its key."""


class RedisSentinelUnsupported(RedisError):
    """The server is a Sentinel, which counts nothing itself."""


def describe_failure(
    error: BaseException,
    *,
    is_tls: bool = False,
    has_worked: bool = False,
    was_connected: bool = False,
) -> str:
    """Return the kind of a failure, its text, and a hint. No error of Redis quotes a password.

    `has_worked` is whether Redis has counted on any connection before the failure, and
    `was_connected` whether it has on this one.
    """
    code = getattr(error, "status_code", None) or ""
    text = f"{code} {error}".strip()
    kind = type(error).__name__
    described = f"{kind}: {text}"[:MAX_CHARACTERS] if text else kind
    hint = next((hint for part, hint in _HINTS.items() if part in text), "")
    is_closed = isinstance(error, InvalidResponse) or "onnection lost" in text or "closed" in text
    if not hint and has_worked and is_closed:
        hint = _LOST_HINT if was_connected else _CLOSED_HINT
    elif not hint and not has_worked:
        hint = _get_hint_of_tls(error, text, is_tls=is_tls, is_closed=is_closed)
    return f"{described} ({hint})" if hint else described


def _get_hint_of_tls(error: BaseException, text: str, *, is_tls: bool, is_closed: bool) -> str:
    """Return a hint for a Redis that has never worked: TLS may be on one side alone."""
    if is_tls:
        is_silent = not text or isinstance(error, TimeoutError)
        return _TLS_HINT if is_silent or "WRONG_VERSION_NUMBER" in text else ""
    return _PLAIN_HINT if is_closed else ""


@asynccontextmanager
async def bound_step(step: str, seconds: float) -> AsyncIterator[None]:
    """Bound a step, such as "while connecting", in time.

    Raises:
        TimeoutError: names the step, as the error of `asyncio.timeout` does not.
    """
    try:
        async with asyncio.timeout(seconds) as timeout:
            yield
    except TimeoutError as error:
        if not timeout.expired():
            raise
        message = f"no response {step} within {seconds * 1_000:g} ms"
        raise TimeoutError(message) from error


async def require_standalone(connection: AbstractConnection) -> None:
    """Ask the server in which mode it runs; one that does not say counts as standalone.

    Raises:
        RedisClusterUnsupported, RedisSentinelUnsupported: it is not a server for all keys.
        ConnectionError: it closed the connection.
    """
    await connection.send_command("HELLO")
    try:
        reply = await connection.read_response()
    except ResponseError:  # an old server, or a user without the permission
        return
    words = [word.decode() if isinstance(word, bytes) else word for word in reply or ()]
    mode = dict(zip(words[::2], words[1::2], strict=False)).get("mode")
    if mode == "cluster":
        raise RedisClusterUnsupported("redis_url names a node of a cluster")
    if mode == "sentinel":
        raise RedisSentinelUnsupported("redis_url names a Sentinel; it must name the primary")
