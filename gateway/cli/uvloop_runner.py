"""Runs a coroutine on uvloop: the event loop of `lockgate serve` and `lockgate demo`."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import uvloop

from gateway.background_tasks import log_loop_error


def run_on_uvloop(main: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to completion on a new uvloop event loop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.get_loop().set_exception_handler(log_loop_error)
        runner.run(main)
