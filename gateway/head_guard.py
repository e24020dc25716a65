"""The base class of dependencies that decide on a request by its head alone.

FastAPI reads and parses the body of a request before it calls the first dependency of the route.
`gateway/routing/route_guards.py` calls these before that, so that a request that is refused costs
no more than its head.
"""


class HeadGuard:
    """A dependency that admits or refuses a request, and asks for the connection alone.

    For a route with a body, the dispatcher calls it before the body is read, and FastAPI calls it
    again. A guard whose call has an effect, such as a charge, looks for itself in `passed_guards`
    of the `RequestContext`.
    """

    __slots__ = ()
