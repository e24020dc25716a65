"""The default settings and application, independent of the environment."""

import os
from unittest import mock

from fastapi import FastAPI

from gateway.app import create_app
from gateway.settings.loader import PREFIX, load_settings
from gateway.settings.schema import Settings


def load_default_settings() -> Settings:
    """Load the settings without any LOCKGATE_ variable."""
    unset = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    with mock.patch.dict(os.environ, unset, clear=True):
        return load_settings()


def create_default_app() -> FastAPI:
    """Create the public gateway with the default settings."""
    return create_app(load_default_settings())
