"""Opens the signing keys of the settings, and what signs internal tokens with them."""

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
from gateway.storage.open_storage import Storage

_TASK = "signing key file"


@asynccontextmanager
async def open_signing_keys(
    settings: Settings, resources: Resources, *, clock: Clock | None = None
) -> AsyncIterator[SigningKeyProvider | None]:
    """Open `SigningKeyProvider` and the watcher of the key file, into `resources`.

    Without `identity.signing_key_file`, there is neither.

    Raises:
        InvalidSettings: the key file cannot be used, or the issuer is that of a provider.
    """
    loaded = await asyncio.to_thread(load_signing_keys, settings)
    path = settings.identity.signing_key_file
    if loaded is None or path is None:
        yield None
        return
    clock = clock or Clock()
    keys = SigningKeyProvider(loaded.keys)
    watcher = KeyFileWatcher(path, keys.use_keys, document=loaded.document, clock=clock)
    resources[SigningKeyProvider], resources[KeyFileWatcher] = keys, watcher
    task = asyncio.create_task(keep_running(_TASK, watcher.watch), name=_TASK)
    try:
        yield keys
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def open_internal_tokens(
    settings: Settings, resources: Resources, *, clock: Clock | None = None
) -> InternalTokens | None:
    """Open `InternalTokens` into `resources`, if there are signing keys."""
    issuer = settings.identity.issuer
    keys: SigningKeyProvider | None = resources.get(SigningKeyProvider)
    if keys is None or issuer is None:
        return None
    tokens = InternalTokens(
        issuer,
        keys,
        max_entries=settings.tokens.cache_entries,
        has_origin=Storage in resources,  # where tokens can be revoked
        clock=clock,
    )
    resources[InternalTokens] = tokens
    return tokens
