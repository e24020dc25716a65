"""A process with the signing keys of a database: `python -m tests.gateway.identity.key_process`.

The arguments are the URL of the database and the key file. It prints the ids of its keys at the
start and after each change, and ends with the standard input.
"""

import asyncio
import sys
from pathlib import Path

from gateway.identity.open_identity import open_signing_keys
from gateway.resources import Resources
from gateway.settings.schema import Identity, Settings
from gateway.storage.open_storage import open_storage
from tests.gateway.identity.verifiers import GATEWAY


async def follow(settings: Settings) -> None:
    resources = Resources()
    async with open_storage(settings, resources), open_signing_keys(settings, resources) as keys:
        assert keys is not None

        def show() -> None:
            sys.stdout.write(f"{' '.join(keys.get_keys().ids)}\n")
            sys.stdout.flush()

        show()
        keys.call_on_change(show)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    own = Identity(issuer=GATEWAY, key_file=Path(sys.argv[2]))
    asyncio.run(follow(Settings(database_url=sys.argv[1], identity=own)))
