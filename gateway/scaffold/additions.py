"""Plans the files of a service or a composite that is added to a project."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.scaffold.names import ServiceNames, check_name, name_class, name_service
from gateway.scaffold.template_files import render_templates

_FIRST_PORT = 9201

_ADDRESS = """
# The address of the fake. In production, set LOCKGATE_UPSTREAMS__{variable}__URL.
[upstreams.{service}]
url = "http://127.0.0.1:{port}"
"""

_FUNCTION = """
def fetch_{service}(user_id: _UserId, {service}: Upstream[{client}]) -> PendingCall[list[{model}]]:
    return {service}.for_user(user_id)
"""

_OPTIONAL_TEST = """

def test_the_page_is_sent_without_{service}_when_they_are_slow() -> None:
    async def run() -> None:
        async with lockgate() as gateway:
            gateway.service("{service}").behaves(after=5)
            page = await gateway.get("/{composite}/42", user="42", scopes=SCOPES)
        assert page.json()["degraded"] == [{{"part": "{service}", "reason": "timeout"}}]

    run_in_virtual_time(run())
"""


@dataclass(frozen=True, slots=True)
class Addition:
    """Files by relative path. `new_files` must not exist; the others are replaced."""

    files: dict[str, str]
    new_files: Sequence[str]


def plan_service(package: str, service: str, *, settings: str) -> Addition:
    """Plan a typed client, a fake, a test, and an address in `settings`, the text of the file.

    Raises:
        InvalidName: the service cannot have that name.
    """
    names = name_service(service)
    values = {
        "package": package,
        "service": service,
        "client": names.client,
        "model": names.model,
    }
    files = render_templates("service", values, {"package": package, "service": service})
    port = _FIRST_PORT + settings.count("[upstreams.")
    address = _ADDRESS.format(service=service, variable=service.upper(), port=port)
    return Addition(
        files=files | {f"{package}/lockgate.toml": settings.rstrip("\n") + "\n" + address},
        new_files=tuple(files),
    )


def plan_composite(package: str, composite: str, services: Sequence[str]) -> Addition:
    """Plan a page with a part for each service, and its tests. The first service is required.

    Raises:
        InvalidName: the composite or a service cannot have that name.
    """
    check_name(composite, "the name of a composite")
    named = [name_service(service) for service in services]
    optional = named[1:]
    values = {
        "package": package,
        "composite": composite,
        "page": name_class(composite) + "Page",
        "required": services[0],
        "imports": "\n".join(_render_import(package, names) for names in _sort(named)),
        "functions": "\n".join(_render_function(names) for names in named),
        "parts": "\n".join(_render_part(names, is_required=names is named[0]) for names in named),
        "virtual_time": ", run_in_virtual_time" if optional else "",
        "tests": "".join(
            _OPTIONAL_TEST.format(service=names.service, composite=composite) for names in optional
        ).rstrip("\n"),
    }
    files = render_templates("composite", values, {"package": package, "composite": composite})
    files = {name: text.rstrip("\n") + "\n" for name, text in files.items()}
    return Addition(files=files, new_files=tuple(files))


def _sort(named: Sequence[ServiceNames]) -> list[ServiceNames]:
    return sorted(named, key=lambda names: names.service)


def _render_import(package: str, names: ServiceNames) -> str:
    types = ", ".join(sorted([names.client, names.model]))
    return f"from {package}.clients.{names.service} import {types}"


def _render_function(names: ServiceNames) -> str:
    return _FUNCTION.format(service=names.service, client=names.client, model=names.model)


def _render_part(names: ServiceNames, *, is_required: bool) -> str:
    options, default = ("", "") if is_required else (", timeout=0.5", " = []")
    declared = f"Annotated[list[{names.model}], Part(fetch_{names.service}{options})]"
    return f"    {names.service}: {declared}{default}"
