"""Plans the files of a service or a composite that is added to a project."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from gateway.scaffold.names import name_composite, name_service
from gateway.scaffold.render_code import get_folder, render_composite, render_service
from gateway.scaffold.reserved_names import refuse_reserved_composite, refuse_reserved_service
from gateway.settings.app_package import SETTINGS_FILE

_FIRST_PORT, _LAST_PORT = 9201, 65_535
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}

_ADDRESS = """
# The address of the fake. In production, set LOCKGATE_UPSTREAMS__{variable}__URL.
[upstreams.{service}]
url = "http://127.0.0.1:{port}"
"""


class InvalidFile(ValueError):
    """A file of the project cannot be read, or nothing can be added to it."""


@dataclass(frozen=True, slots=True)
class Addition:
    """Files by relative path. `new_files` must not exist; the others are replaced."""

    files: dict[str, str]
    new_files: Sequence[str]


def plan_service(package: str, service: str, *, settings: str) -> Addition:
    """Plan a typed client, a fake, a test, and an address in `settings`, the text of the file.

    An address that the settings already have is kept.

    Raises:
        InvalidName: the service cannot have that name.
        InvalidFile: the settings are not TOML, or a table cannot be added to them.
    """
    names = name_service(service)
    refuse_reserved_service(names)
    files = render_service(package, names)
    file = f"{get_folder(package)}/{SETTINGS_FILE}"
    changed = _add_address(settings, service, file)
    added = {} if changed == settings else {file: changed}
    return Addition(files=files | added, new_files=tuple(files))


def plan_composite(package: str, composite: str, services: Sequence[str]) -> Addition:
    """Plan a page with a part for each service, and its tests. The first service is required.

    Raises:
        InvalidName: the composite or a service cannot have that name, or two names are the same.
    """
    names, named = name_composite(composite), [name_service(service) for service in services]
    refuse_reserved_composite(names, named)
    files = render_composite(package, names, named)
    return Addition(files=files, new_files=tuple(files))


def _add_address(settings: str, service: str, file: str) -> str:
    upstreams = _read_upstreams(settings, file)
    if service in upstreams:
        return settings
    port = _choose_port(upstreams)
    address = _ADDRESS.format(service=service, variable=service.upper(), port=port)
    changed = f"{settings.rstrip()}\n{address}" if settings.strip() else address.lstrip()
    try:
        tomllib.loads(changed)
    except tomllib.TOMLDecodeError:  # `upstreams = {...}` is complete; nothing can be added to it
        message = f"{file} declares upstreams in a form to which no table can be added"
        raise InvalidFile(f"{message}; write it as [upstreams.NAME] for each service") from None
    return changed


def _read_upstreams(settings: str, file: str) -> Mapping[str, object]:
    try:
        upstreams = tomllib.loads(settings).get("upstreams", {})
    except (ValueError, RecursionError) as error:
        raise InvalidFile(f"{file} is not TOML: {error}") from None
    if not isinstance(upstreams, dict):
        raise InvalidFile(f"{file}: upstreams must be a table")
    return upstreams


def _choose_port(upstreams: Mapping[str, object]) -> int:
    """Return the port after the highest local one, or the first free one if that is the last."""
    ports = set(_iter_local_ports(upstreams))
    port = max(ports, default=_FIRST_PORT - 1) + 1
    if port <= _LAST_PORT:
        return port
    return next(port for port in range(_FIRST_PORT, _LAST_PORT) if port not in ports)


def _iter_local_ports(upstreams: Mapping[str, object]) -> Iterator[int]:
    for service in upstreams.values():
        url = service.get("url") if isinstance(service, dict) else None
        try:
            address = urlsplit(str(url))
            if address.hostname in _LOOPBACK and address.port:
                yield address.port
        except ValueError:  # not a URL: `lockgate check` reports it
            continue
