"""Lookups of names that hang, fail or are not needed."""

import asyncio
import socket
import threading
import time

import pytest

from gateway.transport.resolver import Resolver, SocketAddress


def count_resolver_threads() -> int:
    return sum(thread.name == "resolver" for thread in threading.enumerate())


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hosts of the lookups that have started a thread."""
    hosts = list[str]()
    start = Resolver._start

    def record(resolver: Resolver, host: str, port: int) -> asyncio.Future[list[SocketAddress]]:
        hosts.append(host)
        return start(resolver, host, port)

    monkeypatch.setattr(Resolver, "_start", record)
    return hosts


async def test_a_lookup_that_hangs_takes_one_thread_and_stops_no_other(
    started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()
    getaddrinfo = socket.getaddrinfo

    def look_up(host: str, port: int, **options: int) -> object:
        if host != "hanging.test":
            return getaddrinfo(host, port, **options)
        if options.get("flags"):
            raise socket.gaierror(socket.EAI_NONAME, "not numeric")
        ended.wait(10)
        return getaddrinfo("127.0.0.1", port, type=socket.SOCK_STREAM)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    resolver = Resolver()
    waiting = [asyncio.create_task(resolver.resolve("hanging.test", 80)) for _ in range(100)]
    try:
        assert await resolver.resolve("localhost", 80)
        assert sorted(started) == ["hanging.test", "localhost"]
        waiting[0].cancel()  # the others go on to wait
        await asyncio.sleep(0)
        assert waiting[0].cancelled()
    finally:
        ended.set()
    found = await asyncio.gather(*waiting[1:])
    assert found == [[SocketAddress(socket.AF_INET, ("127.0.0.1", 80))]] * 99


async def test_every_resolve_looks_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver = Resolver()
    await resolver.resolve("localhost", 80)
    monkeypatch.setattr(socket, "getaddrinfo", fail_to_look_up)
    with pytest.raises(OSError, match=r"^localhost: Name or service not known$"):
        await resolver.resolve("localhost", 80)


async def test_a_numeric_address_needs_no_lookup(started: list[str]) -> None:
    assert await Resolver().resolve("127.0.0.1", 80)
    assert await Resolver().resolve("::1", 80)
    assert started == []


async def test_a_text_that_is_no_host_name() -> None:
    with pytest.raises(UnicodeError):
        await Resolver().resolve("localhost" + "a" * 64 + ".test", 80)


def test_a_lookup_that_outlives_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **options: wait_and_fail(ended, options))

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(Resolver().resolve("localhost", 80), 0.01)

    asyncio.run(give_up())
    ended.set()
    while count_resolver_threads():
        time.sleep(0.001)


def wait_and_fail(ended: threading.Event, options: dict[str, int]) -> object:
    if not options.get("flags"):
        ended.wait(10)
    return fail_to_look_up()


def fail_to_look_up(*_: object, **__: object) -> object:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


async def test_a_lookup_without_a_thread_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    resolver = Resolver()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        with pytest.raises(OSError, match=r"^localhost: can't start new thread$"):
            await resolver.resolve("localhost", 80)
    assert await resolver.resolve("localhost", 80)
