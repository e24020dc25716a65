"""Authentication and authorization of requests."""

from gateway.auth.dependencies import Caller, public, requires
from gateway.auth.ownership import owner
from gateway.auth.principal import Principal

__all__ = ["Caller", "Principal", "owner", "public", "requires"]
