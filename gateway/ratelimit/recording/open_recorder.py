"""`open_recorder`: creates what records the decisions of this process."""

import os
import secrets
import socket

from gateway.ratelimit.recording.recorder import Recorder
from gateway.settings.schema import Settings


def open_recorder(settings: Settings) -> Recorder:
    """Create the recorder, with a name that no other process has."""
    name = f"{socket.gethostname()[:64]}-{os.getpid()}-{secrets.token_hex(2)}"
    return Recorder(name, is_shared=settings.redis_url is not None)
