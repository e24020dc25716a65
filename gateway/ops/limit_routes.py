"""The routes to list, read and change limits, with their history."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from gateway.auth.dependencies import requires
from gateway.ops.limit_description import describe_entry
from gateway.ops.limit_store import LimitStore
from gateway.ops.models import History, JournalNumber, Limit, LimitChange, LimitList, Rollback
from gateway.ops.ops_errors import (
    PreconditionFailed,
    PreconditionRequired,
    UnknownLimit,
    describe_problems,
)
from gateway.ops.ops_scopes import READ, WRITE
from gateway.ops.preconditions import EditedBy, format_version
from gateway.ops.strict_body import STRICT_BODY
from gateway.ratelimit.live.limit_history import MAX_ENTRIES, HistoryEntry
from gateway.resources import Resource

router = APIRouter(tags=["limits"])

_UNKNOWN = describe_problems(UnknownLimit)
_CHANGED = describe_problems(UnknownLimit, PreconditionFailed, PreconditionRequired)


@router.get("/limits", dependencies=[requires(READ)])
async def list_limits(store: Resource[LimitStore]) -> LimitList:
    """List all policies."""
    return LimitList(limits=list(store.list_limits()), unused=list(store.list_unused()))


@router.get("/limits/{policy}", dependencies=[requires(READ)], responses=_UNKNOWN)
async def get_limit(policy: str, store: Resource[LimitStore], response: Response) -> Limit:
    """Return one policy; its `ETag` is the version of its live document."""
    return _tag(store.get(policy), response)


@router.put("/limits/{policy}", dependencies=[requires(WRITE), STRICT_BODY], responses=_CHANGED)
async def put_limit(
    policy: str,
    change: LimitChange,
    editor: EditedBy,
    store: Resource[LimitStore],
    response: Response,
) -> Limit:
    """Replace the live document of a policy; its overrides stay unless they are given."""
    author = editor.sign(change.reason)
    changed = await store.replace(policy, change, version=editor.version, author=author)
    return _tag(changed, response)


@router.patch("/limits/{policy}", dependencies=[requires(WRITE), STRICT_BODY], responses=_CHANGED)
async def patch_limit(
    policy: str,
    change: LimitChange,
    editor: EditedBy,
    store: Resource[LimitStore],
    response: Response,
) -> Limit:
    """Merge the given fields into the live document (RFC 7396); null removes a field."""
    author = editor.sign(change.reason)
    changed = await store.patch(policy, change, version=editor.version, author=author)
    return _tag(changed, response)


@router.get(
    "/limits/{policy}/history",
    dependencies=[requires(READ)],
    responses=_UNKNOWN,
    response_model=History,
)
async def get_history(
    policy: str,
    store: Resource[LimitStore],
    limit: Annotated[int, Query(ge=1, le=MAX_ENTRIES)] = 50,
    before: Annotated[JournalNumber | None, Query(ge=1)] = None,
) -> Response:
    """List the changes of a policy, the latest first."""
    entries = await store.read_history(policy, limit=limit, before=before)
    return StreamingResponse(_write_history(entries), media_type="application/json")


@router.post(
    "/limits/{policy}/rollback", dependencies=[requires(WRITE), STRICT_BODY], responses=_CHANGED
)
async def roll_back_limit(
    policy: str,
    rollback: Rollback,
    editor: EditedBy,
    store: Resource[LimitStore],
    response: Response,
) -> Limit:
    """Put the live document of an earlier version in force, as a new version."""
    author = editor.sign(rollback.reason)
    found = await store.roll_back(policy, rollback.version, version=editor.version, author=author)
    return _tag(found, response)


async def _write_history(entries: Sequence[HistoryEntry]) -> AsyncIterator[bytes]:
    """Write a `History` entry by entry: each may have two documents of 128 KiB."""
    yield b'{"entries":['
    for number, entry in enumerate(entries):
        item = describe_entry(entry).model_dump_json(by_alias=True)
        yield ("," * (number > 0) + item).encode()
        await asyncio.sleep(0)
    yield b"]}"


def _tag(limit: Limit, response: Response) -> Limit:
    response.headers["ETag"] = format_version(limit.version)
    return limit
