"""README and one-request.md list the middleware in the order of the application."""

import re
from collections.abc import Iterator

import pytest
from starlette.types import ASGIApp

from gateway.app import create_app
from gateway.app_loader import Application
from gateway.routing.dispatcher import Dispatcher
from gateway.settings.schema import Settings
from tests.docs.project import ROOT

README = (ROOT / "README.md").read_text().partition("To read the code,")[2]
ONE_REQUEST = (ROOT / "docs" / "explanation" / "one-request.md").read_text()
_, DIAGRAM, TEXT = re.split("^(?:```mermaid|## Server)$", ONE_REQUEST, flags=re.MULTILINE)


def iter_middleware(app: ASGIApp | None) -> Iterator[str]:
    """Yield the name of each middleware, outermost first: `AccessLog` as "access log"."""
    while app is not None and not isinstance(app, Dispatcher):
        name = type(app).__name__.removesuffix("Middleware")
        yield re.sub(r"\B([A-Z])", r" \1", name).lower()
        app = getattr(app, "app", None)
    yield "the application's own middleware"
    yield "compiled route"


@pytest.mark.parametrize("text", [README, DIAGRAM.partition("GET /dashboard")[2], TEXT])
def test_the_page_lists_the_middleware_in_order(text: str) -> None:
    app = create_app(Settings(), application=Application())
    names = list(iter_middleware(app.build_middleware_stack()))
    assert len(names) >= 5
    prose = " ".join(text.lower().split())
    places = [prose.find(name) for name in names]
    assert -1 not in places, names
    assert places == sorted(places), names
