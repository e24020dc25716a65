"""The URL under which clients reach the gateway."""

from gateway.settings.schema import Settings


def find_public_url(settings: Settings) -> str:
    """Return the URL before the paths of the gateway: the issuer, with `server.root_path` once.

    `identity.issuer` must be set.
    """
    issuer, root_path = str(settings.identity.issuer), settings.server.root_path
    return issuer if issuer.endswith(root_path) else issuer + root_path
