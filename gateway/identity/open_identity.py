"""Opens what signs internal tokens, if the settings have a key file."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.auth.clock import Clock
from gateway.background_tasks import keep_running
from gateway.identity.internal_tokens import InternalTokens
from gateway.identity.key_file_watcher import KeyFileWatcher
from gateway.identity.setting_errors import load_signing_keys
from gateway.identity.signing_key_provider import SigningKeyProvider
from gateway.resources import Resources
from gateway.settings.schema import Settings

_TASK = "signing key file"


@asynccontextmanager
async def open_identity(
    settings: Settings, resources: Resources, *, clock: Clock | None = None
) -> AsyncIterator[InternalTokens | None]:
    """Open `InternalTokens` and the watcher of their key file, into `resources`.

    Without `identity.signing_key_file`, there is neither.

    Raises:
        InvalidSettings: the key file cannot be used, or the issuer is that of a provider.
    """
    loaded = await asyncio.to_thread(load_signing_keys, settings)
    identity = settings.identity
    if loaded is None or identity.signing_key_file is None or identity.issuer is None:
        yield None
        return
    clock = clock or Clock()
    keys = SigningKeyProvider(loaded.keys)
    tokens = InternalTokens(
        identity.issuer, keys, max_entries=settings.tokens.cache_entries, clock=clock
    )
    watcher = KeyFileWatcher(
        identity.signing_key_file, keys.use_keys, document=loaded.document, clock=clock
    )
    resources[InternalTokens], resources[KeyFileWatcher] = tokens, watcher
    task = asyncio.create_task(keep_running(_TASK, watcher.watch), name=_TASK)
    try:
        yield tokens
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
