"""Gateway processes whose clocks run fast: `python -m tests.gateway.identity.fast_gateway FILE`.

FILE is a JSON object with the fields of `Plan`. Each process prints its URL, and ends with the
standard input. They are forks of one process, which imports the gateway once.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from gateway.app import build_app
from gateway.app_loader import Application
from gateway.auth.clock import Clock
from gateway.identity import key_file_watcher, key_timetable
from gateway.proxy import Proxy
from gateway.server.lifecycle import open_server
from gateway.settings.schema import Settings

PROXY = Proxy("/inventory/{path:path}", to="inventory", requires="stock:read")


class Plan(NamedTuple):
    """The settings of the processes, and their clock: since `epoch`, `speed` seconds a second."""

    settings: Mapping[str, object]
    processes: int
    epoch: float
    speed: float

    def now(self) -> float:
        """Return the time of the fast clock."""
        return self.epoch + (time.time() - self.epoch) * self.speed


async def serve(plan: Plan) -> None:
    settings = Settings.model_validate(plan.settings)
    app = build_app(settings, Application(proxies=[PROXY]))
    async with open_server(app, settings.server) as server:
        sys.stdout.write(f"{server.url}\n")  # in one piece: the processes share the pipe
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


def main() -> None:
    plan = Plan(**json.loads(Path(sys.argv[1]).read_text()))
    if all(os.fork() for _ in range(plan.processes)):  # in the parent
        for _ in range(plan.processes):
            os.wait()
        return
    with (
        mock.patch.object(Clock, "now", staticmethod(plan.now)),
        mock.patch.object(key_file_watcher, "POLL_SECONDS", 0.2),
        # The proxied requests get internal tokens alone: no need to wait for the longest token.
        mock.patch.object(key_timetable, "RETIREMENT", 2 * key_timetable.TOKEN_SECONDS),
    ):
        asyncio.run(serve(plan))


if __name__ == "__main__":
    main()
