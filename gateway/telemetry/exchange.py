"""Moved to gateway/exchange.py."""

from gateway.exchange import Exchange

__all__ = ["Exchange"]
