"""The list of access rules that a package declares, in its module `access`."""

from gateway.access.may_exchange import MayExchange
from gateway.declaration.declared_list import DeclaredList

ACCESS = DeclaredList(
    "access",
    MayExchange,
    hint="list the rules of token exchange; a route declares its own access",
    unlisted="it permits nothing",
)
