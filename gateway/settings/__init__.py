"""The settings: their schema, their loader and their errors."""

from typing import TYPE_CHECKING

from gateway.lazy_exports import load_on_first_use

if TYPE_CHECKING:
    from gateway.settings.app_settings import AppSettings
else:
    __getattr__ = load_on_first_use(__name__, {"AppSettings": "app_settings"})

__all__ = ["AppSettings"]
