"""Authentication and authorization of requests."""

from gateway.auth.caller_id import CallerId
from gateway.auth.dependencies import Caller, public, requires
from gateway.auth.ownership import owner
from gateway.auth.principal import Principal

__all__ = ["Caller", "CallerId", "Principal", "owner", "public", "requires"]
