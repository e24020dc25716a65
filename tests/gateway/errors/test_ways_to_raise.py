"""Whatever raises: one form of response, one log event, at most one traceback."""

from dataclasses import replace

import pytest

from gateway.routing.dispatcher import RouteTable
from tests.gateway.errors.served import REQUEST_ID, Reply, Served, build_request, serve
from tests.gateway.errors.way import COMPILED_PATH, GENERAL_PATH, Way, build_router
from tests.gateway.errors.ways_in_dependencies import DEPENDENCIES
from tests.gateway.errors.ways_in_endpoints import ENDPOINTS, install_handlers
from tests.gateway.errors.ways_in_parts import PARTS
from tests.gateway.errors.ways_in_responses import RESPONSES
from tests.gateway.errors.ways_in_values import VALUES
from tests.gateway.routing.comparison import trust

EVERYWHERE = [*ENDPOINTS, *VALUES, *RESPONSES, *PARTS]

ALIVE = build_request("/healthz")


@pytest.fixture(autouse=True)
def wait_for_the_first_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold the head of a stream until its first piece, however late a busy machine makes it."""
    monkeypatch.setattr("gateway.server.response_writer.HEAD_DELAY_SECONDS", 10.0)


async def fail(served: Served, way: Way, path: str) -> Reply:
    """Take a way; check what the client and the log got, and that the gateway serves on."""
    served.log.clear()
    if way.is_broken:
        (reply,), (alive,) = await served.send(build_request(path)), await served.send(ALIVE)
    else:
        reply, alive = await served.send(build_request(path), ALIVE)
    await served.settle(requests=2)
    assert alive.status == 200
    check_response(way, reply)
    check_log(way, path, served)
    return reply


def check_response(way: Way, reply: Reply) -> None:
    assert reply.status == way.status
    assert reply.header("x-request-id") == [REQUEST_ID]
    assert reply.is_complete == (not way.is_broken)
    assert b"hunter2" not in reply.body
    assert b"Traceback" not in reply.body
    for name, value in way.headers.items():
        assert reply.header(name) == [value]
    if way.type is not None:
        check_problem(way, reply)


def check_problem(way: Way, reply: Reply) -> None:
    assert reply.header("content-type") == ["application/problem+json"]
    document = reply.document
    assert document["type"] == way.type
    assert document["status"] == way.status
    assert document["instance"] == REQUEST_ID
    assert document["title"]
    assert document["detail"]
    assert way.detail in {None, document["detail"]}


def check_log(way: Way, path: str, served: Served) -> None:
    failures = served.log.failures
    assert [it.msg for it in failures] == [way.event] * way.is_unexpected
    assert all(it.exc_info for it in failures)
    (completed,) = [line for line in served.log.completed if line["path"] == path]
    assert completed["id"] == REQUEST_ID
    assert completed["status"] == way.status


@pytest.mark.parametrize("way", EVERYWHERE, ids=lambda way: way.name)
async def test_both_paths_give_the_same_response(way: Way) -> None:
    router = build_router(way)
    assert [it.compiled is not None for it in RouteTable(router, is_guarded=trust).entries] == [
        True,
        False,
    ]
    async with serve(router, prepare=install_handlers) as served:
        compiled = await fail(served, way, COMPILED_PATH)
        general = await fail(served, way, GENERAL_PATH)
    assert without_timing(compiled) == without_timing(general)


def without_timing(reply: Reply) -> Reply:
    fields = [field for field in reply.headers if field[0] != "server-timing"]
    return replace(reply, headers=fields)


@pytest.mark.parametrize("way", DEPENDENCIES, ids=lambda way: way.name)
async def test_a_way_that_only_general_routes_have(way: Way) -> None:
    router = build_router(way)
    assert all(it.compiled is None for it in RouteTable(router, is_guarded=trust).entries)
    async with serve(router, prepare=install_handlers) as served:
        await fail(served, way, GENERAL_PATH)


def test_the_table_is_long_and_its_names_are_unique() -> None:
    names = [way.name for way in (*EVERYWHERE, *DEPENDENCIES)]
    assert len(set(names)) == len(names) >= 100
