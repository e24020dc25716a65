"""Renders the code of a service and of a composite."""

from collections.abc import Sequence

from gateway.scaffold.names import CompositeNames, ServiceNames
from gateway.scaffold.template_files import render_templates

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


def get_folder(package: str) -> str:
    """Return the path of a package: `acme/gateway` of `acme.gateway`."""
    return package.replace(".", "/")


def render_service(package: str, names: ServiceNames) -> dict[str, str]:
    """Render a typed client, a fake and a test, by relative path."""
    values = {
        "package": package,
        "service": names.service,
        "client": names.client,
        "model": names.model,
    }
    paths = {"package": get_folder(package), "service": names.service}
    return render_templates("service", values, paths)


def render_composite(
    package: str, names: CompositeNames, services: Sequence[ServiceNames]
) -> dict[str, str]:
    """Render a page with a part for each service, and its tests. The first service is required."""
    composite, optional = names.composite, services[1:]
    values = {
        "package": package,
        "composite": composite,
        "page": names.page,
        "required": services[0].service,
        "imports": "\n".join(_render_import(package, service) for service in _sort(services)),
        "functions": "\n".join(map(_render_function, services)),
        "parts": "\n".join(_render_part(it, is_required=it is services[0]) for it in services),
        "virtual_time": ", run_in_virtual_time" if optional else "",
        "tests": "".join(
            _OPTIONAL_TEST.format(service=it.service, composite=composite) for it in optional
        ).rstrip("\n"),
    }
    paths = {"package": get_folder(package), "composite": composite}
    files = render_templates("composite", values, paths)
    return {name: text.rstrip("\n") + "\n" for name, text in files.items()}


def _sort(services: Sequence[ServiceNames]) -> list[ServiceNames]:
    return sorted(services, key=lambda names: names.service)


def _render_import(package: str, names: ServiceNames) -> str:
    types = ", ".join(sorted([names.client, names.model]))
    return f"from {package}.clients.{names.service} import {types}"


def _render_function(names: ServiceNames) -> str:
    return _FUNCTION.format(service=names.service, client=names.client, model=names.model)


def _render_part(names: ServiceNames, *, is_required: bool) -> str:
    options, default = ("", "") if is_required else (", timeout=0.5", " = []")
    declared = f"Annotated[list[{names.model}], Part(fetch_{names.service}{options})]"
    return f"    {names.service}: {declared}{default}"
