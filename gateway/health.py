"""Health checks: the liveness probe GET /healthz and the readiness probe GET /readyz."""

from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from gateway.auth.dependencies import public
from gateway.auth.verifier import TokenVerifier
from gateway.background_tasks import WatchedTasks
from gateway.identity.key_file_watcher import KeyFileWatcher
from gateway.identity.signing_key_provider import SigningKeyProvider
from gateway.ratelimit.limiter import RateLimiter
from gateway.request_context import IS_DRAINING
from gateway.resources import Resource
from gateway.storage.open_storage import Storage

LIVENESS_PATH, READINESS_PATH = PATHS = ("/healthz", "/readyz")

Status = Literal["ok", "degraded", "unavailable", "draining"]
SigningKeysStatus = Literal["ok", "loading", "stale"]

router = APIRouter(tags=["health"], dependencies=[public("health probes of the orchestrator")])


class Liveness(BaseModel):
    """The response of the liveness probe."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """The response of the readiness probe: the overall status and that of each dependency.

    A `degraded` process still serves: taking all such processes out of rotation would turn the
    loss of Redis or of an identity provider into an outage. A process is `unavailable` only if
    it cannot verify any token, has not read its database or its signing keys yet, or if a
    background task has ended by an exception: `tasks` has the kind of exception by the name of the
    task. A process is `draining` once it has been asked to stop.

    `signing_keys` is null without them. It is `loading` until they have been read from the
    database, and `stale` if the file or the newest keys cannot be used: those before stay in force.

    `database` is null without one. It is `loading` until this process has read it once, and
    `unavailable` while it cannot: what has been read stays in force. `unreadable` has the kind of
    exception by the name of what cannot be loaded from it, such as clients: it stays as it was.
    """

    status: Status
    issuers: dict[str, str]
    limits: dict[str, str | int]
    signing_keys: SigningKeysStatus | None = None
    tasks: dict[str, str] = {}
    database: Literal["ok", "loading", "unavailable"] | None = None
    unreadable: dict[str, str] = {}


@router.get(LIVENESS_PATH)
async def get_health() -> Liveness:
    """Liveness probe. Returns 200 while the process is serving."""
    return Liveness()


@router.get(READINESS_PATH, responses={503: {"model": Readiness}})
async def get_readiness(
    verifier: Resource[TokenVerifier],
    limiter: Resource[RateLimiter],
    watched: Resource[WatchedTasks],
    request: Request,
    response: Response,
) -> Readiness:
    """Readiness probe. Returns the status of providers, rate limiter and background tasks."""
    issuers, limits, tasks = verifier.health(), limiter.health(), watched.failures
    signing_keys = _get_signing_keys_status(request)
    database, unreadable = _get_database_status(request), _list_unreadable(request)
    is_ok = (
        limits["status"] == "ok"
        and all(state == "ok" for state in issuers.values())
        and signing_keys in {"ok", None}
        and database in {"ok", None}
        and not unreadable
    )
    has_no_keys = bool(issuers) and all(state == "no keys" for state in issuers.values())
    status: Status = "ok" if is_ok else "degraded"
    if has_no_keys or tasks or "loading" in {database, signing_keys}:
        status = "unavailable"
    if IS_DRAINING in request.scope.get("state", ()):
        status = "draining"
    if status in {"unavailable", "draining"}:
        response.status_code = 503
    return Readiness(
        status=status,
        issuers=issuers,
        limits=limits,
        tasks=tasks,
        signing_keys=signing_keys,
        database=database,
        unreadable=unreadable,
    )


def _get_signing_keys_status(request: Request) -> SigningKeysStatus | None:
    resources = request.app.state.resources
    keys: SigningKeyProvider | None = resources.get(SigningKeyProvider)
    if keys is None:
        return None
    if not keys.is_loaded:
        return "loading"
    watcher: KeyFileWatcher = resources[KeyFileWatcher]
    return "stale" if keys.error or watcher.error else "ok"


def _get_database_status(request: Request) -> Literal["ok", "loading", "unavailable"] | None:
    storage: Storage | None = request.app.state.resources.get(Storage)
    if storage is None:
        return None
    if not storage.feed.is_loaded:
        return "loading"
    return "unavailable" if storage.feed.is_stale else "ok"


def _list_unreadable(request: Request) -> dict[str, str]:
    storage: Storage | None = request.app.state.resources.get(Storage)
    return {} if storage is None else storage.feed.failures
