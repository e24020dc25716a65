"""Serves the fakes of the sample application, with dials."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager

from starlette.types import ASGIApp

from gateway.fakes.dials import add_dials
from gateway.fakes.identity_provider import DevelopmentIssuer
from gateway.fakes.load_fakes import load_fakes
from gateway.fakes.serve_fakes import serve_fakes
from gateway.settings.app_package import find_app_package


def load_sample_fakes() -> dict[str, ASGIApp]:
    """Return the apps of the users and orders services."""
    return load_fakes(find_app_package("tests.sample"))


def serve_sample_fakes(
    *,
    latency_ms: float = 0,
    ports: Mapping[str, int] | None = None,
    issuer: DevelopmentIssuer | None = None,
) -> AbstractAsyncContextManager[dict[str, str]]:
    """Serve the fakes and an identity provider; yields their base URLs by name."""
    apps = load_sample_fakes()
    if issuer:
        apps["identity"] = issuer.create_app()
    return serve_fakes(add_dials(apps, latency_ms), ports=ports or {})
