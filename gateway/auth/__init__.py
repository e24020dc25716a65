"""Authentication and authorization: what a route declares about its callers."""

from gateway.auth.dependencies import Caller, owner, public, requires
from gateway.auth.principal import Principal

__all__ = ["Caller", "Principal", "owner", "public", "requires"]
