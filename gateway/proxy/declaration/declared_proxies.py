"""The list of proxied routes that a package declares, in its module `routes`."""

from gateway.declaration.declared_list import DeclaredList
from gateway.proxy.declaration.proxy import Proxy

ROUTES = DeclaredList(
    "routes",
    Proxy,
    hint="list the proxied routes; a router of FastAPI belongs in routers",
    unlisted="it is not served",
)
