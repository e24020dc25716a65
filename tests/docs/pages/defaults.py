"""The product as it is without any setting, whatever the environment of the reader says."""

import os
from unittest import mock

from fastapi import FastAPI

from config.loading import PREFIX
from config.settings import Settings
from gateway.app import create_app


def default_settings() -> Settings:
    """The settings with nothing set."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    with mock.patch.dict(os.environ, bare, clear=True):
        return Settings()


def default_app() -> FastAPI:
    """The public gateway with nothing set."""
    return create_app(default_settings())
