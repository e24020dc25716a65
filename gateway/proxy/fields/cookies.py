"""Rewrites a `Set-Cookie` of a service, so that its cookie stays with the paths of its route."""

_WITH_ROOT_PATH = b"__host-"


def rewrite_cookie(
    value: bytes, gateway_prefix: bytes, service_prefix: bytes, *, keep_domain: bool
) -> bytes:
    """Rewrite `Path`, and remove `Domain` unless `keep_domain` (RFC 6265, 5.2).

    The cookie of one service must not go to another behind the same gateway, nor replace its
    cookie. So a path outside `service_prefix`, such as `/`, becomes `gateway_prefix`. Of several
    paths the last one counts, and the others are removed. A cookie with the prefix `__Host-` needs
    the path `/`, and keeps it.

    `gateway_prefix` has bytes that the caller has sent. A `;` in it would begin an attribute.
    """
    gateway_prefix = gateway_prefix.replace(b";", b"%3B")
    pair, *attributes = value.split(b";")
    if pair.strip().lower().startswith(_WITH_ROOT_PATH):
        return value
    kept, path = [pair], None
    for attribute in attributes:
        name, _, text = attribute.partition(b"=")
        match name.strip().lower():
            case b"path":
                path = text.strip()
            case b"domain" if not keep_domain:
                continue
            case _:
                kept.append(attribute)
    if path is not None:
        kept.append(b" Path=" + _map_path(path, gateway_prefix, service_prefix))
    return b";".join(kept)


def _map_path(path: bytes, gateway_prefix: bytes, service_prefix: bytes) -> bytes:
    if not path.startswith(service_prefix):
        return gateway_prefix
    return gateway_prefix + path[len(service_prefix) :].lstrip(b"/")
