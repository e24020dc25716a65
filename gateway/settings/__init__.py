"""The settings: their schema, their loader and their errors."""

from gateway.settings.app_settings import AppSettings

__all__ = ["AppSettings"]
