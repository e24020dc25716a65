"""Opens what signs internal tokens, if the settings have a key file."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.auth.clock import Clock
from gateway.background_tasks import keep_running
from gateway.identity.internal_tokens import InternalTokens
from gateway.identity.key_file_watcher import KeyFileWatcher
from gateway.identity.setting_errors import find_identity_errors
from gateway.identity.signing_key_file import parse_signing_keys, read_key_document
from gateway.resources import Resources
from gateway.settings.errors import InvalidSettings
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
    if errors := await asyncio.to_thread(find_identity_errors, settings):
        raise InvalidSettings(errors)
    identity = settings.identity
    if identity.signing_key_file is None or identity.issuer is None:
        yield None
        return
    clock = clock or Clock()
    document = await asyncio.to_thread(read_key_document, identity.signing_key_file)
    tokens = InternalTokens(
        identity.issuer,
        parse_signing_keys(document),
        max_entries=settings.tokens.cache_entries,
        clock=clock,
    )
    watcher = KeyFileWatcher(
        identity.signing_key_file, tokens.use_keys, document=document, clock=clock
    )
    resources[InternalTokens], resources[KeyFileWatcher] = tokens, watcher
    task = asyncio.create_task(keep_running(_TASK, watcher.watch), name=_TASK)
    try:
        yield tokens
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
