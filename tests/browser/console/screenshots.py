"""Makes the screenshots of docs/how-to/use-the-console.md, after five minutes of traffic.

`python -m tests.browser.console.screenshots [SECONDS] [FOLDER]`
"""

import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from gateway.ops.ops_scopes import READ, WRITE
from tests.browser.console.console_server import CALLERS, HOSTILE_CALLER, serve_console
from tests.browser.scripts import copy_scripts, find_chromium, run_script
from tests.gateway.ops.ops_server import make_settings

FOLDER = Path(__file__).parents[3] / "docs" / "how-to" / "use-the-console"


async def take_screenshots(seconds: float, folder: str) -> None:
    """Serve the console with traffic for some seconds, and take the screenshots."""
    callers = [it._replace(name="2764") if it.name == HOSTILE_CALLER else it for it in CALLERS]
    with TemporaryDirectory() as scripts, make_settings() as settings:
        copied = copy_scripts(Path(scripts, "scripts"))
        async with serve_console(settings, callers) as ops:
            await asyncio.sleep(seconds)
            await run_script(
                copied,
                "console/screenshots.mjs",
                chromium=find_chromium(),
                url=f"{ops.url}/",
                token=ops.token(READ, WRITE),
                policy="dashboards",
                into=folder,
            )


if __name__ == "__main__":
    _seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 290
    _folder = Path(sys.argv[2]) if len(sys.argv) > 2 else FOLDER
    _folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(take_screenshots(_seconds, str(_folder.resolve())))
