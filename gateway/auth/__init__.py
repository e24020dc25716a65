"""Authentication and authorization of requests."""

from typing import TYPE_CHECKING

from gateway.lazy_exports import load_on_first_use

if TYPE_CHECKING:
    from gateway.auth.caller_id import CallerId
    from gateway.auth.dependencies import Caller, public, requires
    from gateway.auth.ownership import owner
    from gateway.auth.principal import Principal
else:
    __getattr__ = load_on_first_use(
        __name__,
        {
            "Caller": "dependencies",
            "CallerId": "caller_id",
            "Principal": "principal",
            "owner": "ownership",
            "public": "dependencies",
            "requires": "dependencies",
        },
    )

__all__ = ["Caller", "CallerId", "Principal", "owner", "public", "requires"]
