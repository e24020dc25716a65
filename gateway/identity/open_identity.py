"""Opens the signing keys of the settings, and what signs internal tokens with them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from gateway.auth.clock import Clock
from gateway.background_tasks import run_in_background
from gateway.identity.internal_tokens import InternalTokens
from gateway.identity.key_file_watcher import KeyFileWatcher
from gateway.identity.open_stored_keys import open_stored_keys
from gateway.identity.setting_errors import (
    LoadedKeys,
    load_key_file,
    load_signing_keys,
    require_own_issuer,
)
from gateway.identity.signing_key_file import parse_signing_keys
from gateway.identity.signing_key_provider import SigningKeyProvider
from gateway.resources import Resources
from gateway.settings.schema import Settings
from gateway.storage.open_storage import Storage


@asynccontextmanager
async def open_signing_keys(
    settings: Settings, resources: Resources, *, clock: Clock | None = None
) -> AsyncIterator[SigningKeyProvider | None]:
    """Open `SigningKeyProvider` and the watcher of its file, into `resources`.

    The keys are those of `identity.signing_key_file`, or of the database with `identity.key_file`.
    Without both, there is neither.

    Raises:
        InvalidSettings: a file cannot be used, or the issuer is that of a provider.
    """
    require_own_issuer(settings)
    clock, identity = clock or Clock(), settings.identity
    keys = await asyncio.to_thread(load_signing_keys, identity)
    key_file = await asyncio.to_thread(load_key_file, settings)
    async with AsyncExitStack() as stack:
        if keys is not None and identity.signing_key_file is not None:
            opening = _open_file(identity.signing_key_file, keys, resources, clock)
        elif key_file is not None and identity.key_file is not None:
            path = identity.key_file
            opening = open_stored_keys(settings, path, key_file, resources, clock)
        else:
            yield None
            return
        yield await stack.enter_async_context(opening)


@asynccontextmanager
async def _open_file(
    path: Path, loaded: LoadedKeys, resources: Resources, clock: Clock
) -> AsyncIterator[SigningKeyProvider]:
    keys = SigningKeyProvider(loaded.keys, source=str(path), clock=clock)

    def use_file(content: bytes) -> None:
        keys.use_keys(parse_signing_keys(content))

    watcher = KeyFileWatcher(path, use_file, document=loaded.document, clock=clock)
    resources[SigningKeyProvider], resources[KeyFileWatcher] = keys, watcher
    async with run_in_background("signing key file", watcher.watch):
        yield keys


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
