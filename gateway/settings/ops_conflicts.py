"""Rules about the settings of the ops port together with those of the public port."""

from collections.abc import Iterator

from gateway.settings.errors import ConfigError
from gateway.settings.schema import Settings

_ALL_ADDRESSES = frozenset({"0.0.0.0", "::"})


def runs_apart(settings: Settings) -> bool:
    """Whether several gateway processes share one ops app, which `lockgate ops` runs."""
    return settings.counters.processes > 1


def find_ops_errors(settings: Settings) -> Iterator[ConfigError]:
    """Find an audience that public tokens have, and a port that is that of the gateway."""
    if settings.ops.audience is None:
        return
    if not settings.issuers:
        message = "needs an identity provider in issuers, which issues the tokens of operators"
        yield ConfigError("ops.audience", message)
    for path, audience in _iter_public_audiences(settings):
        if audience == settings.ops.audience:
            message = f"is also {path}: each token for the public port would open the ops port"
            yield ConfigError("ops.audience", message, "give operators an audience of their own")
    hosts = {settings.ops.host, settings.server.host}
    if settings.ops.port == settings.server.port != 0 and (
        len(hosts) == 1 or hosts & _ALL_ADDRESSES
    ):
        yield ConfigError("ops.port", "is also server.port")


def _iter_public_audiences(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield each setting with an audience that the public port accepts."""
    for index, issuer in enumerate(settings.issuers):
        audience = issuer.audience
        for name in [audience] if isinstance(audience, str) else audience:
            yield f"issuers.{index}.audience", name
    if settings.identity.issuer is not None:
        # The audience of the access tokens that the gateway itself issues.
        yield "identity.issuer", str(settings.identity.issuer)
