"""A gateway in a process of its own, with a route to a WebSocket service; prints its counts.

It is started with the port of the service. It prints its own port, and then, for each line that it
reads, a JSON object with the number of its tasks, sockets and streams, and its memory in bytes.
"""

import asyncio
import gc
import json
import sys
from pathlib import Path

import uvloop

from gateway.app import build_app
from gateway.app_loader import Application
from gateway.proxy.declaration.proxy import Proxy
from gateway.proxy.stream_limit import StreamLimit
from gateway.server.lifecycle import open_server
from gateway.settings.schema import Server, Service, Settings

PROXY = Proxy(
    "/service/{path:path}", to="service", public="a proof", identity="none", websocket=True
)
MAX_STREAMS = 4_000
PAGE_BYTES = 4_096


def count(streams: StreamLimit) -> dict[str, int]:
    """Return what may leak."""
    gc.collect()
    links = [str(it.readlink()) for it in Path("/proc/self/fd").iterdir() if it.is_symlink()]
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "tasks": len(asyncio.all_tasks()),
        "sockets": sum(link.startswith("socket:") for link in links),
        "streams": streams.count,
        "memory": pages * PAGE_BYTES,
    }


async def run(port: int) -> None:
    """Serve until the end of standard input."""
    settings = Settings(
        upstreams={"service": Service.model_validate({"url": f"http://127.0.0.1:{port}"})},
        server=Server(
            host="127.0.0.1", port=0, max_streams=MAX_STREAMS, max_streams_per_caller=MAX_STREAMS
        ),
    )
    app = build_app(settings, Application(proxies=[PROXY]))
    async with open_server(app, settings.server) as server:
        print(server.url.rpartition(":")[2], flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps(count(app.state.resources[StreamLimit])), flush=True)


if __name__ == "__main__":
    uvloop.run(run(int(sys.argv[1])))
