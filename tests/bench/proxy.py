"""Section proxy: the cost of a proxied request, of large bodies both ways, and of events.

The contenders take turns, as in section cpu.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from tests.bench.contenders import Backends, Contender, Running, serve_contender
from tests.bench.load import require_success, run_closed_loop, warm_up
from tests.bench.meter import Meter
from tests.bench.plan import Plan, log
from tests.bench.process_tree import read_cpu_seconds, read_peak_memory, reset_peak_memory
from tests.bench.proxies import PROXIES, SMALL_PATH
from tests.bench.testbed import open_testbed
from tests.e2e.byte_service import run_byte_service
from tests.e2e.transfers import Target, download, time_events, upload

CONNECTIONS = 64
WARMUP_SECONDS, FIRST_WARMUP_SECONDS = 0.5, 3.0
MAX_TURN_SECONDS = 1.2

GIGABYTE = 10**9
SIZE, QUICK_SIZE = 2 * GIGABYTE, GIGABYTE // 8
WARMUP_SIZE = GIGABYTE // 16
TURNS_PER_TRANSFER = 5

STREAMS, EVENTS = 20, 5

Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class _Proxy:
    """A running contender, the backends behind it, and the figures that are found."""

    running: Running
    backends: Backends
    found: dict[str, Any]

    def make_target(self, path: str) -> Target:
        return Target(self.running.port, path, self.backends.identity.token)

    @property
    def pid(self) -> int:
        return self.running.process.pid

    def add(self, kind: str, figures: Figures) -> None:
        """Store the figures of one turn, and print them."""
        self.found.setdefault(kind, []).append(figures)
        shown = "  ".join(f"{name} {value:.4g}" for name, value in figures.items())
        log(f"  {self.running.contender.name:11} {shown}")


def run(plan: Plan) -> dict[str, Any]:
    """Measure small requests in each round, then transfers in some rounds, then events."""
    contenders = [PROXIES[name] for name in PROXIES if name in plan.contenders]
    transfer_rounds = max(1, plan.rounds // TURNS_PER_TRANSFER)
    size = QUICK_SIZE if plan.quick else SIZE
    log(f"proxy: {len(contenders)} contenders, {plan.rounds} rounds, about 3 minutes")
    with _serve_all(contenders) as proxies:
        for proxy in proxies:
            _warm_up(proxy)
        for _ in range(plan.rounds):
            for proxy in proxies:
                proxy.add("rounds", _measure_small_requests(proxy, plan))
        for _ in range(transfer_rounds):
            for proxy in proxies:
                proxy.add("transfers", _measure_transfers(proxy, size))
        for proxy in proxies:
            proxy.add("events", _measure_events(proxy))
        found = {proxy.running.contender.name: proxy.found for proxy in proxies}
    return {"connections": CONNECTIONS, "gigabytes": size / GIGABYTE, "contenders": found}


@contextmanager
def _serve_all(contenders: Sequence[Contender]) -> Iterator[Sequence[_Proxy]]:
    with (
        open_testbed(delay_ms=0) as testbed,
        run_byte_service() as port,
        ExitStack() as stack,
    ):
        backends = replace(testbed.backends, files_url=f"http://127.0.0.1:{port}")
        yield [
            _Proxy(stack.enter_context(serve_contender(one, backends)), backends, {})
            for one in contenders
        ]


def _warm_up(proxy: _Proxy) -> None:
    """Open all connections, let Node compile what it runs, and let memory grow to its level."""
    target = proxy.make_target(SMALL_PATH)
    warm_up(target, clients=CONNECTIONS)
    run_closed_loop(target, connections=CONNECTIONS, warmup=0, seconds=FIRST_WARMUP_SECONDS)
    download(proxy.make_target(f"/files/bytes/{WARMUP_SIZE}"), WARMUP_SIZE)
    upload(proxy.make_target("/files/bytes"), WARMUP_SIZE)


def _measure_small_requests(proxy: _Proxy, plan: Plan) -> Figures:
    meter = Meter({"proxy": proxy.pid, "upstream": proxy.backends.upstream.pid})
    measured = run_closed_loop(
        proxy.make_target(SMALL_PATH),
        connections=CONNECTIONS,
        warmup=WARMUP_SECONDS,
        seconds=min(plan.seconds, MAX_TURN_SECONDS),
        on_window_edge=meter,
    )
    require_success(measured, proxy.running.contender.name)
    assert measured.latency.p50 is not None
    assert measured.latency.p99 is not None
    return {
        "cpu_ms": meter.seconds("proxy") * 1_000 / measured.requests,
        "throughput": measured.throughput,
        "p50": measured.latency.p50,
        "p99": measured.latency.p99,
        "core": meter.share("proxy"),
    }


def _measure_transfers(proxy: _Proxy, size: int) -> Figures:
    down, up = proxy.make_target(f"/files/bytes/{size}"), proxy.make_target("/files/bytes")
    return {
        **_measure_transfer(proxy, "download", size, lambda: download(down, size)),
        **_measure_transfer(proxy, "upload", size, lambda: upload(up, size)),
    }


def _measure_transfer(proxy: _Proxy, kind: str, size: int, transfer: Callable[[], None]) -> Figures:
    """Measure CPU seconds per GB, and how far the resident memory rises above its start, in MB."""
    reset_peak_memory(proxy.pid)
    memory, used = read_peak_memory(proxy.pid), read_cpu_seconds(proxy.pid)
    transfer()
    return {
        f"{kind}_cpu": (read_cpu_seconds(proxy.pid) - used) * GIGABYTE / size,
        f"{kind}_mb": read_peak_memory(proxy.pid) - memory,
    }


def _measure_events(proxy: _Proxy) -> Figures:
    """Measure the slowest first event of all streams, and the slowest later one, in ms."""
    target = proxy.make_target(f"/files/events/{EVENTS}")
    streams = [time_events(target, EVENTS) for _ in range(STREAMS)]
    return {
        "first_event_ms": max(events[0] for events in streams),
        "later_event_ms": max(max(events[1:]) for events in streams),
    }
