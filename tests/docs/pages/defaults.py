"""The product as it is without any setting, whatever the environment of the reader says."""

import os
from unittest import mock

from fastapi import FastAPI

from gateway.app import create_app
from gateway.settings.loader import PREFIX, load_settings
from gateway.settings.schema import Settings


def default_settings() -> Settings:
    """The settings with nothing set."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    with mock.patch.dict(os.environ, bare, clear=True):
        return load_settings()


def default_app() -> FastAPI:
    """The public gateway with nothing set."""
    return create_app(default_settings())
