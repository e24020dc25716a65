"""A request that its head refuses is refused before a byte of its body is read."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

import pytest
from fastapi import APIRouter, Body, Depends, FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import HTTPConnection
from starlette.routing import Match
from starlette.types import Scope

from gateway.auth import Caller, Principal, owner, public, requires
from gateway.auth.verifier import TokenVerifier
from gateway.errors.tree import Unauthenticated
from gateway.ratelimit import RateLimit, limited
from gateway.resources import Resources
from gateway.routing.dispatcher import RouteTable
from tests.gateway.errors.served import Served, build_request, serve
from tests.gateway.routing.company_guards import ApiKey, KeyParameter
from tests.gateway.routing.comparison import trust

ADDRESSES = RateLimit("addresses", "3/minute", per="address")
USERS = RateLimit("users", "3/minute")
NOTE = json.dumps({"text": "hello"}).encode()
GZIP = {"Content-Encoding": "gzip"}


class Note(BaseModel):
    text: str


@dataclass
class Verifier(TokenVerifier):
    """Accepts tokens of the form `USER-SCOPE`, and counts how many it has verified."""

    verified: int = 0

    async def verify(self, token: str) -> Principal:
        self.verified += 1
        user, _, scope = token.partition("-")
        if not scope:
            raise Unauthenticated("invalid")
        return Principal("issuer", user, frozenset({scope}), user, None, "acme", 0)

    def health(self) -> dict[str, str]:
        return {}


async def only_staff(caller: Annotated[Principal, requires("write")]) -> str:
    """Stand for a dependency of a company, with a guard inside."""
    return caller.subject


class Versioned(APIRoute):
    """A route class that chooses its requests by more than their path."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child = super().matches(scope)
        is_current = (b"version", b"2") in scope["headers"]
        return (match, child) if is_current else (Match.NONE, {})


router = APIRouter()


@router.post("/key", dependencies=[public("a key"), Depends(ApiKey("secret"))])
async def post_with_key(note: Note) -> str:
    return note.text


@router.post("/parameter", dependencies=[requires("write"), Depends(KeyParameter())])
async def post_with_parameter(note: Note) -> str:
    return note.text


@router.post("/model", dependencies=[requires("write")])
async def post_model(note: Note, caller: Caller) -> list[str]:
    return [note.text, caller.subject]


@router.post("/signature")
async def post_for_caller(note: Note, caller: Annotated[Principal, requires("write")]) -> str:
    return caller.subject


@router.post("/nested")
async def post_nested(staff: Annotated[str, Depends(only_staff)], note: Note) -> str:
    return staff


@router.put("/users/{user_id}/notes", dependencies=[requires("write"), owner("user_id")])
async def put_note(user_id: int, note: Note) -> int:
    return user_id


@router.put("/files/{number:uuid}", dependencies=[requires("write")])
async def put_file(number: UUID, note: Note) -> UUID:
    return number


@router.post("/counted", dependencies=[requires("write"), limited(USERS)])
async def post_counted(note: Note) -> str:
    return note.text


@router.post("/open", dependencies=[public("a test"), limited(ADDRESSES)])
async def post_open(note: Note) -> str:
    return note.text


@router.get("/search", dependencies=[requires("write")])
async def search(note: Note | None = None) -> str:
    return note.text if note else "all"  # the server reads no body of a GET


guarded = APIRouter(prefix="/guarded", dependencies=[limited(USERS)])


async def read_text(text: Annotated[str, Body(embed=True)]) -> str:
    return text


@guarded.post("/text")
async def post_text(text: Annotated[str, Depends(read_text)]) -> str:
    return text


# A guard of the inclusion and one of the router.
outer = APIRouter()
outer.include_router(guarded, prefix="/outer", dependencies=[requires("write")])
ROUTERS = [router, outer]


@pytest.fixture(scope="module")
def verifier() -> Verifier:
    return Verifier()


@pytest.fixture
async def served(verifier: Verifier) -> AsyncIterator[Served]:
    apps: list[FastAPI] = []
    async with serve(*ROUTERS, prepare=apps.append) as opened:
        resources: Resources = apps[0].state.resources
        resources[TokenVerifier] = verifier
        yield opened


def token(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


GUARDED = [
    ("POST", "/model"),
    ("POST", "/signature"),
    ("POST", "/nested"),
    ("PUT", "/users/42/notes"),
    ("PUT", "/files/6ba7b810-9dad-41d1-80b4-00c04fd430c8"),
    ("POST", "/counted"),
    ("GET", "/search"),
    ("POST", "/outer/guarded/text"),
]
BODIES: list[tuple[bytes, dict[str, str]]] = [
    (b"{", {}),
    (b"\xff", {}),
    (b'"\xed\xa0\x80"', {}),
    (b"[" * 5_000, {}),
    (b"{}", {}),
    (NOTE, {}),
    (b"", {}),
    (gzip.compress(NOTE), GZIP),
    (b"{", {"Content-Type": "multipart/form-data"}),
    (b"--x\r\n", {"Content-Type": "multipart/form-data; boundary=x"}),
]


@pytest.mark.parametrize(("method", "target"), GUARDED)
async def test_a_request_without_a_token_is_refused_whatever_its_body(
    served: Served, method: str, target: str
) -> None:
    for body, headers in BODIES:
        request = build_request(target, method, body=body, headers=headers)
        (reply,) = await served.send(request)
        assert reply.status == 401, (body, headers, reply.body)
        assert reply.header("www-authenticate")
    await served.settle(len(BODIES))
    lines = served.log.completed
    assert [line["status"] for line in lines] == [401] * len(BODIES)
    assert {line["route"] for line in lines}.isdisjoint({"", None})
    assert not served.log.failures


@pytest.mark.parametrize(("method", "target"), GUARDED)
async def test_no_byte_of_the_body_is_awaited(served: Served, method: str, target: str) -> None:
    for headers in (
        {"Content-Length": "100"},
        {"Content-Length": "100", "Expect": "100-continue"},
        {"Transfer-Encoding": "chunked", "Expect": "100-continue"},
    ):
        (reply,) = await served.send(build_request(target, method, headers=headers))
        assert reply.status == 401  # `send` reads the first response, which would be a 100


@pytest.mark.parametrize(
    ("method", "target", "caller"),
    [
        ("POST", "/model", "42-read"),
        ("POST", "/nested", "42-read"),
        ("POST", "/outer/guarded/text", "42-read"),
        ("PUT", "/users/42/notes", "43-write"),
        ("PUT", "/users/042/notes", "42-write"),
    ],
)
async def test_a_caller_without_access_is_refused_whatever_the_body(
    served: Served, method: str, target: str, caller: str
) -> None:
    for body, headers in BODIES:
        fields = {**headers, **token(caller)}
        (reply,) = await served.send(build_request(target, method, body=body, headers=fields))
        assert reply.status == 403, (body, headers, reply.body)


@pytest.mark.parametrize(
    ("target", "headers"),
    [("/open", {}), ("/counted", token("51-write")), ("/outer/guarded/text", token("52-write"))],
)
async def test_a_malformed_body_is_counted(
    served: Served, target: str, headers: dict[str, str]
) -> None:
    malformed = build_request(target, "POST", body=b"{", headers=headers)
    encoded = build_request(target, "POST", body=NOTE, headers={**headers, **GZIP})
    replies = await served.send(malformed, encoded, malformed, malformed, encoded)
    assert [reply.status for reply in replies] == [422, 415, 422, 429, 429]
    assert [len(reply.header("ratelimit")) for reply in replies] == [1] * 5
    (reply,) = await served.send(build_request(target, "POST", body=NOTE, headers=headers))
    assert reply.status == 429


async def test_a_valid_request_is_charged_once_and_its_token_verified_once(
    served: Served, verifier: Verifier
) -> None:
    before = verifier.verified
    request = build_request("/counted", "POST", body=NOTE, headers=token("60-write"))
    replies = await served.send(request, request, request, request)
    assert [reply.status for reply in replies] == [200, 200, 200, 429]
    assert [len(reply.header("ratelimit-policy")) for reply in replies] == [1] * 4
    assert verifier.verified == before + 4
    await served.settle(4)
    assert len(served.log.completed) == 4
    assert {line["route"] for line in served.log.completed} == {"/counted"}


@pytest.mark.parametrize(
    "case",
    [
        ("POST", "/model", NOTE, {}, 200, ["hello", "42"]),
        ("POST", "/signature", NOTE, {}, 200, "42"),
        ("POST", "/nested", NOTE, {}, 200, "42"),
        ("PUT", "/users/42/notes", NOTE, {}, 200, 42),
        ("GET", "/search", NOTE, {}, 200, "hello"),
        ("POST", "/outer/guarded/text", NOTE, {}, 200, "hello"),
        ("POST", "/model", b"{", {}, 422, None),
        ("POST", "/model", b"\xff", {}, 400, None),
        ("POST", "/model", NOTE, GZIP, 415, None),
        ("HEAD", "/search", NOTE, {}, 200, None),
    ],
)
async def test_an_admitted_request_is_served_as_before(
    served: Served, case: tuple[str, str, bytes, dict[str, str], int, object]
) -> None:
    method, target, body, headers, status, document = case
    fields = {**headers, **token("42-write")}
    (reply,) = await served.send(build_request(target, method, body=body, headers=fields))
    assert reply.status == status
    assert document is None or reply.document == document


async def test_a_head_request_without_a_token_is_refused(served: Served) -> None:
    (reply,) = await served.send(build_request("/search", "HEAD", body=b"{"))
    assert reply.status == 401


async def test_concurrent_requests_do_not_share_their_scope(served: Served) -> None:
    valid = build_request("/outer/guarded/text", "POST", body=NOTE, headers=token("70-write"))
    refused = build_request("/outer/guarded/text", "POST", body=b"{")
    replies = await asyncio.gather(*(served.send(valid, refused) for _ in range(3)))
    assert [[reply.status for reply in pair] for pair in replies] == [[200, 401]] * 3


def test_only_routes_with_a_body_have_guards() -> None:
    app = FastAPI()
    for router in ROUTERS:
        app.include_router(router)

    @app.get("/read", dependencies=[requires("read")])
    async def read() -> int:
        return 1

    entries = {it.path.pattern: it for it in RouteTable(app.router, is_guarded=trust).entries}
    assert entries["^/read$"].guards is None
    assert entries["^/read$"].compiled is not None
    assert all(entry.compiled is None or entry.guards is None for entry in entries.values())
    guards = entries["^/outer/guarded/text$"].guards
    assert guards is not None
    assert len(guards.calls) == 2


async def test_a_guard_of_a_company_comes_before_the_body_too(served: Served) -> None:
    refused = build_request("/key", "POST", body=b"{")
    admitted = build_request("/key", "POST", body=NOTE, headers={"X-API-Key": "secret"})
    replies = await served.send(refused, admitted)
    assert [reply.status for reply in replies] == [403, 200]


def test_a_route_that_may_choose_by_more_than_its_path_has_none() -> None:
    """The guards of a route must not refuse a request of another one."""
    versioned = APIRouter(route_class=Versioned)
    versioned.add_api_route(
        "/model", post_with_key, methods=["POST"], dependencies=[requires("write")]
    )
    outer = APIRouter()
    outer.include_router(versioned)
    assert [it.guards for it in RouteTable(outer, is_guarded=trust).entries] == [None]


async def test_a_guard_that_asks_for_more_is_called_by_fastapi(served: Served) -> None:
    headers = {"Key": "any"}
    request = build_request("/parameter", "POST", body=NOTE, headers=headers | token("42-write"))
    (reply,) = await served.send(request)
    assert reply.status == 200
    (reply,) = await served.send(build_request("/parameter", "POST", body=b"{", headers=headers))
    assert reply.status == 401


async def test_overridden_dependencies_keep_the_order_of_fastapi() -> None:
    async def admit(connection: HTTPConnection) -> None:
        """Replace the guard."""

    def override(app: FastAPI) -> None:
        dependency = requires("write").dependency
        assert dependency is not None
        app.dependency_overrides[dependency] = admit

    async with serve(*ROUTERS, prepare=override) as served:
        (reply,) = await served.send(build_request("/outer/guarded/text", "POST", body=b"{"))
        assert reply.status == 422
