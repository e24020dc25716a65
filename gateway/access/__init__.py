"""The access policy: which client may call which services, on whose behalf.

A company declares it in `access.py` of its package with `MayExchange(...)`. What no rule permits is
refused.
"""

from gateway.access.may_exchange import MayExchange

__all__ = ["MayExchange"]
